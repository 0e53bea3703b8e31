"""The body of a request as JSON, within bounds, into the type that its route takes.

What takes long to decode would hold up everybody else, so it is refused by counting, before. A key
that stands twice is refused: which of the two was meant?
"""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import suppress
from itertools import islice
from typing import Any, Generic, TypeVar

import msgspec

from gemel.errors import InvalidInput, MalformedBody, quoted

T = TypeVar("T")
SMALL = 64 << 10
"""Bytes that are decoded at once, wherever that is."""
MAX_PARTS = 100_000
"""Keys and values of a body, at most: what one call of the decoder does in some 50 ms."""
MAX_KEY = 1024
"""Characters of a key, at most."""
KINDS = {
    dict: "object", list: "array", str: "str", bool: "bool", int: "int", float: "float",
    type(None): "null",
}  # fmt: skip
ANY_KEY = "..."
HINT = "see /openapi.json"
_SIGNS = (b",", b":", b"[", b"{")
_SIGN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[,:\[{]', re.DOTALL)
_QUOTE = ord('"')
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_NUMBER = re.compile(r"\[(\d+)\]")
_GOT = re.compile(r"got `(\w+)`")


class Body(Generic[T]):
    """Reads the bodies of one route.

    Args:
        kind: what a body must be.
    """

    def __init__(self, kind: type[T]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode

    def read(self, sent: bytes) -> T:
        """What was sent.

        Raises:
            MalformedBody: it is not JSON, or nested too deep.
            InvalidInput: it is of another shape, has too many parts, or a key twice.
        """
        if len(sent) > SMALL:
            _check_parts(sent)
        try:
            _keys_once(sent.decode())
            return self._decode(sent)
        except msgspec.ValidationError as e:
            what, where = _told(e, sent)
            raise InvalidInput(what, where=where, hint=HINT) from e
        except RecursionError as e:
            raise MalformedBody("the body is nested too deep", hint=HINT) from e
        except ValueError as e:  # of either decoder
            raise MalformedBody(f"the body is not JSON: {e}", hint="send one JSON object") from e


def _check_parts(sent: bytes) -> None:
    """Return if a body has no more parts than are decoded.

    Raises:
        InvalidInput: it has more.
    """
    if sum(map(sent.count, _SIGNS)) <= MAX_PARTS:
        return
    outside = (m for m in _SIGN.finditer(sent) if sent[m.start()] != _QUOTE)
    if next(islice(outside, MAX_PARTS, None), None) is not None:
        raise InvalidInput(
            f"the body has more than {MAX_PARTS:,} keys and values", hint="send fewer at a time"
        )


def _check_keys(pairs: list[tuple[str, Any]]) -> None:
    """Return if the keys of an object are of sound length and stand once."""
    keys = {key for key, _ in pairs}
    if len(keys) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = counts.most_common(1)[0][0]
        raise InvalidInput("this key stands twice", where=twice[:60], hint="send it once")
    for key in keys:
        if len(key) > MAX_KEY:
            what = f"a key of {len(key):,} characters: {quoted(key, 20)}"
            raise InvalidInput(what, hint=f"at most {MAX_KEY:,} are read")


_keys_once = json.JSONDecoder(object_pairs_hook=_check_keys).decode


def _told(error: msgspec.ValidationError, sent: bytes) -> tuple[str, str]:
    """What is wrong, and where in the body: `left.first`, `records[3].id`.

    The decoder does not say which key of a mapping it was: the first whose value is of the kind
    that it met, since an earlier one of that kind would have been refused as well.
    """
    what, _, path = str(error).partition(" - at `$")
    path = path.rstrip("`")
    if ANY_KEY in path:
        # A number out of range, or what only `json` takes, may stand before or after the place.
        with suppress(ValueError, RecursionError):
            path = _named(path, what, msgspec.json.decode(sent))
    return what, path.lstrip(".")


def _named(path: str, what: str, value: Any) -> str:
    """The path with its keys; as it was from where they cannot be told."""
    got = _GOT.search(what)
    steps, found = list(_STEP.finditer(path)), ""
    for i, step in enumerate(steps):
        name, at = step.groups()
        if at == ANY_KEY:
            inner = _NUMBER.findall("".join(s[0] for s in steps[i + 1 :]))
            name = next((k for k, v in value.items() if got and _kind(v, inner) == got[1]), None)
            if name is None:
                return path
        found += f"[{at}]" if name is None else f".{name[:MAX_KEY]}"
        value = value[int(at)] if name is None else value[name]
    return found


def _kind(value: Any, numbers: list[str]) -> str:
    """The kind of what numbers lead to in a value; empty if they lead nowhere."""
    for number in numbers:
        if not isinstance(value, list) or int(number) >= len(value):
            return ""
        value = value[int(number)]
    return KINDS[type(value)]
