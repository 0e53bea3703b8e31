"""Where in a request's body a value does not fit, with the key that the decoder leaves out."""

from __future__ import annotations

import re
from typing import Any

import msgspec

KINDS = {
    dict: "object", list: "array", str: "str", bool: "bool", int: "int", float: "float",
    type(None): "null",
}  # fmt: skip
ANY_KEY = "..."
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_GOT = re.compile(r"got `(\w+)`")


def told(error: msgspec.ValidationError, body: bytes) -> tuple[str, str]:
    """What is wrong, and where in the body: `left.first`, `records[3].id`.

    The decoder does not say which key of a mapping it was: the first whose value is of the kind
    that it met, since an earlier one of that kind would have been refused as well.

    Args:
        error: of the decoder.
        body: that it decoded.
    """
    what, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`")
    if ANY_KEY in path:
        path = _named(path, what, msgspec.json.decode(body))
    return what, path.lstrip(".")


def _named(path: str, what: str, value: Any) -> str:
    """The path with its keys; as it was from where they cannot be told."""
    got = _GOT.search(what)
    steps, found = list(_STEP.finditer(path)), ""
    for i, step in enumerate(steps):
        name, at = step.groups()
        if at == ANY_KEY:
            inner = "".join(s[0] for s in steps[i + 1 :])
            keys = [k for k, v in value.items() if got and _kind(v, inner) == got[1]]
            if not keys:
                return path
            name = keys[0]
        found += f"[{at}]" if name is None else f".{name}"
        value = value[int(at)] if name is None else value[name]
    return found


def _kind(value: Any, path: str) -> str:
    """The kind of what a path of numbers leads to in a value; empty if it leads nowhere."""
    for number in re.findall(r"\[(\d+)\]", path):
        if not isinstance(value, list) or int(number) >= len(value):
            return ""
        value = value[int(number)]
    return KINDS[type(value)]
