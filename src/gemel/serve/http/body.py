"""The body of a request as JSON, within bounds, into the type that its route takes.

A key that stands twice is refused: which of the two was meant? A large body is looked through
before it is decoded, see `scan`.
"""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

from gemel.errors import InvalidInput, MalformedBody
from gemel.serve.http.scan import MAX_KEY, check_key, scan
from gemel.serve.wire.takes import takes

T = TypeVar("T")
SMALL = 64 << 10
"""Bytes that are decoded at once, wherever that is."""
LARGE = 256 << 10
"""Bytes from which on a body is looked through step by step, and where nobody else waits; the keys
of less are read in one call of a decoder, some 15 ms at worst."""
KINDS = {
    dict: "object", list: "array", str: "str", bool: "bool", int: "int", float: "float",
    type(None): "null",
}  # fmt: skip
ANY_KEY = "..."
BEYOND = "beyond"
"""The kind of a number that has no place in 64 bits."""
_plain = msgspec.json.Decoder().decode
HINT = "see /openapi.json"
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_NUMBER = re.compile(r"\[(\d+)\]")
_OF_KEY = re.compile(r"^Object (?:missing required|contains unknown) field `([^`]*)`$")
_GOT = re.compile(r"got `(\w+)`")


class Body(Generic[T]):
    """Reads the bodies of one route.

    Args:
        kind: what a body must be.
    """

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind
        self.decode = msgspec.json.Decoder(kind).decode
        """Of a body that `read` has taken, here or elsewhere."""

    def read(self, sent: bytes) -> T:
        """What was sent.

        Raises:
            MalformedBody: it is not JSON, or nested too deep.
            InvalidInput: it is of another shape, has too many parts, or a key twice.
        """
        try:
            _look(sent)
            return self.decode(sent)
        except msgspec.ValidationError as e:
            what, where = _told(e, sent)
            hint = takes(self.kind, what, where) or HINT
            if of_key := _OF_KEY.match(what):
                where = f"{where}.{of_key[1][:MAX_KEY]}".lstrip(".")
            raise InvalidInput(what, where=where, hint=hint) from e
        except RecursionError as e:
            raise MalformedBody("the body is nested too deep", hint=HINT) from e
        except ValueError as e:  # of either decoder
            raise MalformedBody(f"the body is not JSON: {e}", hint="send one JSON object") from e


def _check_keys(pairs: list[tuple[str, Any]]) -> None:
    """Return if the keys of an object are of sound length and stand once."""
    keys: set[str] = set()
    for key, _ in pairs:
        if key in keys or len(key) > MAX_KEY:
            check_key(key, is_known=key in keys)
        keys.add(key)


_keys_once = json.JSONDecoder(
    object_pairs_hook=_check_keys,
    parse_int=str,
    parse_float=str,  # numbers stay as they stand
).decode


def _has_all_keys(sent: bytes) -> bool:
    """Whether a short body surely has no key twice: decoded, it has as many keys as colons."""
    try:
        whole = _plain(sent)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return False  # it is told elsewhere what is wrong
    n_keys, waiting = 0, [whole]
    for value in waiting:
        if value.__class__ is dict:
            n_keys += len(value)
            waiting += value.values()
        elif value.__class__ is list:
            waiting += value
    return n_keys == sent.count(b":")


def _look(sent: bytes) -> None:
    """Return if no object has a key twice.

    Raises:
        InvalidInput: one has, or there are too many parts.
        ValueError: it is not JSON.
    """
    if len(sent) <= MAX_KEY and _has_all_keys(sent):
        return
    if len(sent) < LARGE:
        with suppress(RecursionError):  # nested as deep as `scan` alone can go
            _keys_once(sent.decode())
            return
    scan(sent)


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
            path = _named(path, what, json.loads(sent))
    return what, path.lstrip(".")


def _named(path: str, what: str, value: Any) -> str:
    """The path with its keys; as it was from where they cannot be told."""
    got = _GOT.search(what)
    steps, found = list(_STEP.finditer(path)), ""
    for i, step in enumerate(steps):
        name, at = step.groups()
        if at == ANY_KEY:
            inner = _NUMBER.findall("".join(s[0] for s in steps[i + 1 :]))
            wanted = got[1] if got else BEYOND if what == "Number out of range" else None
            name = next((k for k, v in value.items() if _kind(v, inner) == wanted), None)
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
    if isinstance(value, float) and not math.isfinite(value):
        return BEYOND
    return KINDS[type(value)]
