"""A look through a large body before it is decoded: how many parts it has, whether a key is twice.

A decoder is one long call during which nothing else of this process runs, so what would take it
too long is refused here, in steps that let others go between. What is no JSON is left to it.
"""

from __future__ import annotations

import re

import msgspec

from gemel.errors import InvalidInput, quoted

MAX_PARTS = 100_000
"""Keys and values of a body, at most: what one call of the decoder does in some 30 ms."""
MAX_KEY = 1024
"""Characters of a key, at most."""
_SIGN = re.compile(rb'"(?P<short>[^"\\]{0,64})"[ \t\n\r]*(?P<colon>:)?|["{}\[\],]')
WINDOW = 64 << 10
"""Bytes that are searched in one call: of spaces, nine megabytes take one 150 ms."""
_COLON = re.compile(rb"[ \t\n\r]*:")
_ESCAPED = re.compile(rb'(?:[^"\\]{1,4096}+|\\.){1,64}+', re.DOTALL)


def scan(sent: bytes) -> None:
    """Return if a body can be decoded without holding up others.

    Raises:
        InvalidInput: it has too many parts, or a key twice, or one that is too long.
    """
    n_quotes, most = sent.count(b'"'), 2 * MAX_PARTS + 2
    if n_quotes > most and n_quotes - sent.count(b'\\"') > most:
        raise _too_many()  # each text that two of them hold is a key or a value
    inside: list[set[bytes]] = [set()]  # keys of the objects that are open
    n_parts = at = 0
    while (sign := _next(sent, at)) is not None:
        at, key = sign.end(), None
        text, colon = sign.groups()
        if text is not None:
            key = text if colon else None
        else:
            kind = sign[0]
            if kind == b'"':
                stop = _end(sent, at)
                after = _COLON.match(sent, stop + 1)
                key = sent[at:stop] if after else None
                at = after.end() if after else stop + 1
            elif kind in b"{[":
                inside.append(set())
                n_parts += 1
            elif kind == b",":
                n_parts += 1
            elif len(inside) > 1:
                inside.pop()
        if key is not None:
            n_parts += 1
            _add(key, inside[-1])
        if n_parts > MAX_PARTS:
            raise _too_many()


def _next(sent: bytes, at: int) -> re.Match[bytes] | None:
    """The next sign; others may go between while there is none."""
    for start in range(at, len(sent), WINDOW):
        end = start + WINDOW
        sign = _SIGN.search(sent, start, end)
        if sign is not None:
            return _SIGN.match(sent, sign.start()) if sign.end() == end else sign
    return None


def _too_many() -> InvalidInput:
    what = f"the body has more than {MAX_PARTS:,} keys and values"
    return InvalidInput(what, hint="send fewer at a time")


def _add(key: bytes, known: set[bytes]) -> None:
    """Add a key of an object, as it stands, to those before it."""
    if b"\\" in key and len(key) <= 6 * MAX_KEY:
        try:
            key = msgspec.json.decode(b'"%b"' % key, type=str).encode()
        except ValueError:
            return  # the decoder says so
    if key in known or len(key) > MAX_KEY:
        check_key(key.decode("utf-8", "replace"), is_known=key in known)
    known.add(key)


def check_key(key: str, *, is_known: bool) -> None:
    """Return if a key of an object is none of those before it, and not too long.

    Raises:
        InvalidInput: it is.
    """
    if is_known:
        raise InvalidInput("this key stands twice", where=key[:60], hint="send it once")
    if len(key) > MAX_KEY:
        what = f"a key of {len(key):,} characters: {quoted(key, 20)}"
        raise InvalidInput(what, hint=f"at most {MAX_KEY:,} are read")


def _end(sent: bytes, at: int) -> int:
    """The quote that ends the text that begins here; behind all if none does."""
    stop = sent.find(b'"', at)
    stop = len(sent) if stop < 0 else stop
    if sent.find(b"\\", at, stop) >= 0:
        while (more := _ESCAPED.match(sent, at)) is not None:
            at = more.end()
        return at
    return stop
