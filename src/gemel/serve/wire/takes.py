"""What a body takes at a place where it was refused, in words: the names of fields, or the choices.

Read off the type that the body is decoded into, so that no second list could disagree.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from msgspec import inspect

MAX_NAMED = 12
"""Names in one hint."""
_UNKNOWN = re.compile(r"unknown field `(.*)`", re.S)
_STEP = re.compile(r"[^.\[\]]+")


def takes(kind: Any, what: str, where: str) -> str:
    """What to send instead; empty where nothing better is known than the message.

    Args:
        kind: type of the whole body.
        what: message of the decoder.
        where: place in the body, such as `records[0].id`; empty for the body itself.
    """
    found = [_info(kind)]
    for step in _STEP.findall(where):
        found = [below for one in found for below in _below(one, step)]
    flat = [one for some in found for one in _each(some)]
    if what.startswith("Invalid enum value"):
        choices = [str(v) for one in flat for v in getattr(one, "values", ())]
        return f"one of {', '.join(choices)}" if 0 < len(choices) <= MAX_NAMED else ""
    structs = [one for one in flat if isinstance(one, inspect.StructType)]
    names = [field.encode_name for one in structs for field in one.fields]
    unknown = _UNKNOWN.search(what)
    if unknown is not None:
        near = difflib.get_close_matches(unknown[1], names, n=1, cutoff=0.6)
        if near:
            return f"did you mean {near[0]!r}?"
    elif "missing required field" not in what:
        return ""
    return f"fields: {', '.join(names[:MAX_NAMED])}" if names else ""


@cache
def _info(kind: Any) -> inspect.Type:
    """What a type is made of; whoever sends nonsense makes nobody look that up again."""
    return inspect.type_info(kind)


def _each(kind: Any) -> Iterator[Any]:
    """The types that one may be."""
    if isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _each(one)
    elif isinstance(kind, inspect.Metadata):
        yield from _each(kind.type)
    else:
        yield kind


def _below(kind: Any, step: str) -> Iterator[Any]:
    """The types of what a step leads to."""
    for one in _each(kind):
        if isinstance(one, inspect.StructType):
            yield from (f.type for f in one.fields if f.encode_name == step)
        elif isinstance(one, inspect.ListType | inspect.VarTupleType):
            yield one.item_type
        elif isinstance(one, inspect.DictType):
            yield one.value_type
