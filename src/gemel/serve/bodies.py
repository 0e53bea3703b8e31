"""Bodies of requests: what comes over the wire, and nothing of what is done with it.

An unknown key is an error. What an item is, the modality of the release says: an object, such as a
row, or a bare string where that is enough.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MAX_ITEMS = 1000
MAX_K = 1000
MAX_VIEWS = 8
"""Of one thing; all views of the left are compared with all of the right."""

Scalar = str | int | float | None
Item = dict[str, Any] | str
Views = Annotated[list[Item], Meta(min_length=1, max_length=MAX_VIEWS)]
Pair = tuple[str | None, str | None]
Category = str | Pair | None
Filter = dict[str, str | int | float | bool | list[str | int | float | bool | None] | None]

Where = Annotated[
    Filter | None, Meta(description="Attribute to the value, or list of values, it must have")
]
CategoryOfQuery = Annotated[
    str | None, Meta(description="Of the query; candidates have theirs as an attribute")
]


class Body(Struct, forbid_unknown_fields=True):
    """What a client sends."""


class VerifyBody(Body):
    """Are these two the same? A list on a side is of several views of one thing: all must match."""

    left: Item | Views
    right: Item | Views
    category: Annotated[
        Category,
        Meta(description="Of both records, or of the left and the right one; null = unknown"),
    ] = None


class ExplainBody(Body):
    """Why is it decided as it is: left and right, or query and the id of a record?"""

    left: Item | None = None
    right: Item | None = None
    query: Item | None = None
    id: Annotated[str | None, Meta(description="A record of the gallery")] = None
    category: Annotated[
        Category, Meta(description="Of both, or of each; a record has its own as an attribute")
    ] = None
    parts: Annotated[
        Literal["auto", "none"],
        Meta(description="auto: what each field, word or region is worth; none: without that"),
    ] = "auto"


class SearchBody(Body):
    """Who in the gallery is most like this one?"""

    query: Item
    k: Annotated[int, Meta(ge=1, le=MAX_K, description="Hits at most")] = 10
    where: Where = None
    category: CategoryOfQuery = None


class IdentifyBody(Body):
    """Who in the gallery is this one, or nobody?"""

    query: Item
    where: Where = None
    category: CategoryOfQuery = None


class ClassifyBody(Body):
    """Which of the enrolled classes is this one of, or none?"""

    query: Item
    k: Annotated[int, Meta(ge=1, le=MAX_K, description="Classes at most")] = 5
    label: Annotated[
        str, Meta(min_length=1, description="Attribute whose values are the classes")
    ] = "class"
    where: Annotated[
        Filter | None, Meta(description="Only supports whose attributes have these values")
    ] = None


class EmbeddingsBody(Body):
    """Payloads to embed, in the shape of OpenAI's API; `model` and `user` change nothing."""

    input: Item | Annotated[list[Item], Meta(min_length=1, max_length=MAX_ITEMS)]
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None


class NewRecord(Body):
    """A record to enroll; without attributes a row's own values are its attributes."""

    id: Annotated[str, Meta(min_length=1, max_length=1024)]
    payload: Item
    attributes: dict[str, Scalar | bool] | None = None


class RecordsBody(Body):
    """Records to enroll, all of them or none."""

    records: Annotated[list[NewRecord], Meta(min_length=1, max_length=MAX_ITEMS)]


class IdsBody(Body):
    """Records to delete."""

    ids: Annotated[list[str], Meta(min_length=1, max_length=MAX_ITEMS)]


class VerdictBody(Body):
    """A person's answer to a decision: are the two really the same?"""

    decision_id: Annotated[str, Meta(min_length=32, max_length=32, pattern="^[0-9a-f]*$")]
    genuine: bool
    reviewer: Annotated[
        str, Meta(max_length=64, description="Who says so; a second answer replaces the first")
    ] = ""


class RecordItem(Body):
    """A record, the id to speak of it, and its category where the release decides by one."""

    id: Annotated[str, Meta(min_length=1, max_length=1024)]
    payload: Item
    category: str | None = None


class DuplicatesBody(Body):
    """Which of these records are the same?"""

    records: Annotated[list[RecordItem], Meta(min_length=2, max_length=MAX_ITEMS)]
    method: Annotated[
        Literal["average", "complete", "components", "hdbscan"],
        Meta(description="How matches become clusters"),
    ] = "average"
    max_risk: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="Probability of a false link that no cluster may exceed"),
    ] = None
