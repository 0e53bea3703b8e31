"""Attributes of records: what can be filtered by, and is shown with a hit.

A value is a string, number, boolean or null.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from gemel.errors import DataError, InvalidInput, quoted

Scalar = str | int | float | bool | None
Attributes = dict[str, Scalar]
Where = Mapping[str, Scalar | Sequence[Scalar]]
"""A filter: each named attribute equals the value, or one of the values of a list."""

MAX_NAMES = 256
SCALARS = (str, int, float, bool, type(None))


def check_attributes(
    rows: Sequence[Mapping[str, Any] | None], ids: Sequence[str], known: Iterable[str]
) -> list[Attributes]:
    """The attributes of each row, after checking that the gallery can hold them.

    Args:
        rows: one mapping (or None for no attributes) per record.
        ids: the records, named in errors.
        known: attribute names that the gallery has already.
    Raises:
        DataError: a name that is not a string, a value that is not a string, finite number,
            boolean or null, or too many different names.
    """
    names = set(known)
    checked: list[Attributes] = []
    for record, row in zip(ids, rows, strict=True):
        for name, value in (row or {}).items():
            if not isinstance(name, str):
                raise DataError(f"attribute name {name!r} is not a string", where=record)
            if not isinstance(value, SCALARS) or not _is_kept(value):
                raise DataError(
                    f"attribute {name!r} is {type(value).__name__} {quoted(value)}",
                    where=record,
                    hint="attributes are strings, finite numbers, booleans or null; whole numbers "
                    "have at most 64 bits",
                )
            names.add(name)
        checked.append(dict(row or {}))
    if len(names) > MAX_NAMES:
        raise DataError(
            f"{len(names)} different attribute names, at most {MAX_NAMES} are possible",
            hint="use the same few names for all records, and put what differs into the values",
        )
    return checked


def check_where(where: Where | None) -> Where:
    """The filter, after checking its shape; no filter is an empty one.

    Raises:
        InvalidInput: it is not a mapping of names to a value or a list of values.
    """
    if where is None:
        return {}
    if not isinstance(where, Mapping):
        raise InvalidInput("a filter maps attribute names to values", where="where")
    for name, wanted in where.items():
        if not all(isinstance(option, SCALARS) for option in options_of(wanted)):
            raise InvalidInput(
                f"the filter on {name!r} is neither a value nor a list of values",
                where=f"where.{name}",
                hint='for example {"country": "NZ"} or {"country": ["NZ", "AU"]}',
            )
        if not options_of(wanted):
            raise InvalidInput(
                f"the filter on {quoted(name, 80)} is an empty list, which nothing passes",
                where=f"where.{name[:80]}",
                hint="leave the attribute out to search all records",
            )
    return where


def options_of(wanted: Scalar | Sequence[Scalar]) -> list[Scalar]:
    """The values that a filter accepts for one attribute."""
    return list(wanted) if isinstance(wanted, list | tuple) else [cast(Scalar, wanted)]


def _is_kept(value: Scalar) -> bool:
    """It comes back from JSON as it is: a number is finite, a whole one has at most 64 bits."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) <= value < 2**64


def kind_of(value: Scalar) -> str:
    """What a value is, in the words of an error; 1 and 1.0 are one kind, 1 and true are not."""
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else "true or false"
    return "a text" if isinstance(value, str) else "a number"


def same_attributes(left: Attributes, right: Attributes) -> bool:
    """Equal as JSON: 1 and 1.0 and true are three values."""
    return left == right and all(type(value) is type(right[name]) for name, value in left.items())
