"""The parts that bodies of several verbs have in common: an item, a category, a filter.

An unknown key is an error. What an item is, the modality of the release says: an object, such as a
row, or a bare string where that is enough.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, UnsetType

MAX_ITEMS = 1000
MAX_K = 1000
MAX_VIEWS = 8
"""Of one thing; all views of the left are compared with all of the right."""

Scalar = str | int | float | None
Value = Annotated[str, Meta(max_length=100_000)] | int | float | bool
"""Of an attribute."""
PAYLOAD = "#/components/schemas/Payload"
"""Where the description of a service says what an item is to its release."""
Item = Annotated[dict[str, Any] | str, Meta(extra_json_schema={"$ref": PAYLOAD})]
Views = Annotated[list[Item], Meta(min_length=1, max_length=MAX_VIEWS)]
Pair = tuple[str | None, str | None]
Category = str | Pair | None
Filter = dict[str, str | int | float | bool | list[str | int | float | bool | None] | None]

Mark = Annotated[
    bool | UnsetType,
    Meta(description="True where the release is unproven: estimated without labels, not measured"),
]
Outside = Annotated[
    list[str] | UnsetType,
    Meta(
        description="What is far outside of all that the records learned from have, such as "
        "numbers, in words; scores do not tell how far"
    ),
]
Unfit = Annotated[
    list[str] | UnsetType,
    Meta(
        description="Where values stand that do not fit their field, such as an impossible date: "
        "read as missing, as in a file; left out where all fit"
    ),
]
Where = Annotated[
    Filter | None,
    Meta(
        description="Attribute to the value, or list of values, it must have; refused if records "
        "are enrolled and none has the attribute, or none as that kind of value"
    ),
]
CategoryOfQuery = Annotated[
    str | None,
    Meta(
        description="Of the query; candidates have theirs as an attribute; changes nothing where "
        "the release does not decide by it"
    ),
]


class Body(Struct, forbid_unknown_fields=True):
    """What a client sends."""
