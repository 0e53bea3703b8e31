"""Bodies of requests and replies: what is on the wire, and nothing of how it is made.

An unknown key is an error. A payload is a row (field name to value), an image as
`{"image": base64}`, or a bare string where the release has one text field or takes images.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Scalar = str | int | float | None
Item = dict[str, Scalar] | str
Views = Annotated[list[Item], Meta(min_length=1, max_length=8)]
Pair = tuple[str | None, str | None]
Category = str | Pair | None
Filter = dict[str, str | int | float | bool | list[str | int | float | bool | None] | None]

MAX_ITEMS = 1000
MAX_K = 1000


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
    where: Annotated[
        Filter | None, Meta(description="Attribute to the value, or list of values, it must have")
    ] = None
    category: Annotated[
        str | None, Meta(description="Of the query; candidates have theirs as an attribute")
    ] = None


class IdentifyBody(Body):
    """Who in the gallery is this one, or nobody?"""

    query: Item
    where: Annotated[
        Filter | None, Meta(description="Attribute to the value, or list of values, it must have")
    ] = None
    category: Annotated[
        str | None, Meta(description="Of the query; candidates have theirs as an attribute")
    ] = None


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


class VerifyReply(Struct):
    """A decision about two payloads; score, threshold and release belong together.

    `category` is that of left and right as far as the release knows it, where it decides by it.
    `asked` says that a verdict on it is wanted: because it is for review, or as an audit.
    """

    outcome: Literal["match", "review", "no_match"]
    score: float
    threshold: float
    probability: float | None
    release: str
    space: str
    decision_id: str | None
    category: Pair | None = None
    interval: tuple[float, float] | None = None
    rule: str | None = None
    asked: bool = False


class VerdictReply(Struct):
    """An answer that is on disk."""

    decision_id: str
    verdict_id: str


class WaitingReply(Struct):
    """A decision that nobody has answered yet."""

    decision_id: str
    outcome: str
    score: float
    release: str
    time: str


class ReviewReply(Struct):
    """What people are asked about, the oldest first."""

    waiting: list[WaitingReply]


class HitReply(Struct):
    """A record of the gallery, and the decision about it."""

    id: str
    score: float
    probability: float | None
    decision: Literal["match", "review", "no_match"]
    threshold: float
    release: str
    rank: int
    attributes: dict[str, Any]
    category: Pair | None = None
    interval: tuple[float, float] | None = None
    rule: str | None = None


class SearchReply(Struct):
    """Hits, best first."""

    hits: list[HitReply]
    release: str
    space: str
    decision_id: str | None


class IdentifyReply(Struct):
    """Who it is; the record is null for `unknown`, the score for an empty gallery."""

    outcome: Literal["match", "review", "unknown"]
    record: str | None
    attributes: dict[str, Any] | None
    score: float | None
    threshold: float
    probability: float | None
    gallery_size: int
    largest_gallery: int | None
    release: str
    space: str
    decision_id: str | None


class ClassReply(Struct):
    """A class, and how likely it is.

    `probability` is among the classes there are; `p_value` says how usual such a score is for an
    item of this class. Both are null where the release has no policy of classes.
    """

    label: Scalar | bool
    score: float
    probability: float | None
    p_value: float | None
    supports: int
    support_id: str


class ClassifyReply(Struct):
    """A class, or none of them; classes best first.

    `anomaly` is the share of calibration items that are more usual than this one; null without a
    policy of classes. `alpha` is the share of items of known classes that may be called unknown.
    """

    outcome: Literal["class", "review", "unknown"]
    label: Scalar | bool
    classes: list[ClassReply]
    anomaly: float | None
    alpha: float | None
    method: str
    release: str
    space: str
    decision_id: str | None


class ClusterReply(Struct):
    """Records that are the same; risk is the probability that a link they hang on is false."""

    records: list[str]
    canonical: str
    weakest_link: float | None
    risk: float | None


class PairReply(Struct):
    """Two records that match or are for review; probability at the prior of the reply."""

    left: str
    right: str
    score: float
    probability: float | None
    outcome: Literal["match", "review", "no_match"]


class DuplicatesReply(Struct):
    """Clusters of two records or more, and the pairs that match or are for review."""

    clusters: list[ClusterReply]
    pairs: list[PairReply]
    threshold: float
    prior: float
    release: str
    space: str
    decision_id: str | None


class ClassCount(Struct):
    """A class and its supports."""

    label: Scalar | bool
    supports: int


class ClassesReply(Struct):
    """The classes of a gallery, larger ones first."""

    classes: list[ClassCount]
    supports: int
    label: str


class Embedding(Struct):
    """One embedding: d floats, or their little-endian float32 bytes in base64."""

    index: int
    embedding: list[float] | str
    object: str = "embedding"


class Usage(Struct):
    """Kept for clients of OpenAI's API: payloads are counted, not tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(Struct):
    """Embeddings in the order of the input."""

    data: list[Embedding]
    model: str
    usage: Usage
    object: str = "list"


class EnrollReply(Struct):
    """What an enroll did, in records."""

    added: int
    updated: int
    unchanged: int
    count: int
    decision_id: str | None


class DeleteReply(Struct):
    """How many records were there and are gone."""

    deleted: int
    count: int
    decision_id: str | None


class RecordReply(Struct):
    """A record of the gallery."""

    id: str
    attributes: dict[str, Any]


class CountReply(Struct):
    """How many records there are."""

    count: int


class FieldReply(Struct):
    """A field of a row."""

    name: str
    kind: str


class ReleaseReply(Struct):
    """What is live."""

    release: str
    space: str
    name: str
    created: str
    modality: str
    fields: list[FieldReply]
    records: int | None
    policy: Any
    operating_points: Any


class HealthReply(Struct, omit_defaults=True):
    """Whether requests are taken."""

    status: Literal["alive", "ready"]
    release: str | None = None
    space: str | None = None
    warning: str | None = None


class Problem(Struct, omit_defaults=True):
    """An error (RFC 9457), with the code to program against and the id to ask about."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    where: str = ""
    hint: str = ""
