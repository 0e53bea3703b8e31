"""Text of files: in gzip or not, with which ending, where it is no text."""

from __future__ import annotations

import difflib
import gzip
import re
import zlib
from collections.abc import Sequence
from encodings.aliases import aliases
from pathlib import Path

from gemel.errors import ConfigError, DataError, quoted

GZIP = ".gz"
"""May stand behind the ending of a text file."""
NOT_UTF_8 = "not UTF-8 text"
AS_UTF_8 = (
    "save the file as UTF-8 (in Excel: CSV UTF-8) and read it again, or name its encoding, of "
    'Central Europe --set data.encoding=cp1250 (in Python encoding="cp1250")'
)
NOTHING_IN_IT = "put records into it, the names of the columns first, or name another file"
"""What to do about a file without any."""
NO_TEXT = 0.03
"""Share of control characters above which a file is none of text."""
_LOOKED_AT = 65_536
_CONTROL = bytes(byte for byte in range(32) if chr(byte) not in "\t\n\r\f\x1a")
_BEYOND_ASCII = re.compile("[^\0-\x7f]")
_TYPED = set("€£§°²³µ´·«»–—‘’‚“”„•…™©®±¼½¾ºª¿¡×\xa0")
"""Characters of cp1252 beside letters that are typed."""
SURROGATES = re.compile("[\udc80-\udcff]")


def ending(path: Path) -> str:
    """The suffix of a file, in small letters; that of what is inside for gzip."""
    inner = path.with_suffix("") if path.suffix.lower() == GZIP else path
    return inner.suffix.lower()


def table_text(path: Path, encoding: str | None = None) -> tuple[str, str]:
    """The text of a delimited file, and how it is written if not in UTF-8 and nobody said so.

    Read as cp1252, which holds latin-1, is a file whose bytes beyond ASCII are never UTF-8 and, as
    cp1252, letters and signs that people type. A file in UTF-8 of which some bytes are broken is
    what `text_of` makes of it.

    Args:
        path: of the file.
        encoding: as of `text_of`.
    Raises:
        ConfigError, DataError: as `text_of`.
    """
    text = text_of(path, encoding)
    spoilt_bytes = SURROGATES.findall(text)
    if not spoilt_bytes or len(spoilt_bytes) < len(_BEYOND_ASCII.findall(text)):
        return text, ""
    western = text.encode("ascii", errors="surrogateescape").decode("cp1252", errors="replace")
    if not all(c.isalpha() or c in _TYPED for c in _BEYOND_ASCII.findall(western)):
        return text, ""
    said = "read as cp1252 (Western European, of Windows): it is not UTF-8"
    return western, f"{said}; if letters are wrong, {AS_UTF_8}"


def text_of(path: Path, encoding: str | None = None) -> str:
    """The text of a UTF-8 file; bytes that are not UTF-8 come back as lone surrogates.

    A byte order mark is dropped; with one, UTF-16 is read too.

    Args:
        path: of the file.
        encoding: of a file that is not UTF-8; None: not known.
    Raises:
        ConfigError: no such encoding.
        DataError: unreadable, empty, a table in another form than its name says, or not in that
            encoding.
    """
    if encoding is not None:
        _check(encoding)
    try:
        data = path.read_bytes()
    except OSError as e:
        raise DataError(f"cannot read the file: {e.strerror}", where=str(path)) from e
    if path.suffix.lower() == GZIP:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as e:
            raise DataError(f"cannot unpack the file: {e}", where=str(path)) from e
    if not data.strip():
        raise DataError("the file is empty", where=str(path), hint=NOTHING_IN_IT)
    if data[:4] in (b"PK\x03\x04", b"PAR1") or data[:2] == b"\x1f\x8b":
        hint = "unpack it, or give it the ending of what it is (such as .parquet)"
        raise DataError("this is not a text file", where=str(path), hint=hint)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    head = data[:_LOOKED_AT]
    if sum(head.count(byte) for byte in _CONTROL) > NO_TEXT * len(head):
        hint = "name a file of text (CSV, JSON), of Parquet or a spreadsheet"
        raise DataError("this is not a text file", where=str(path), hint=hint)
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if encoding is None or SURROGATES.search(text) is None:
        return text
    try:
        return data.decode(encoding)
    except UnicodeError as e:
        at = e.start if isinstance(e, UnicodeDecodeError) else 0
        line = data.count(b"\n", 0, at) + 1
        what = f"neither UTF-8 nor {encoding}, which data.encoding says"
        raise DataError(what, where=f"{path}, line {line}", hint="name another encoding") from e


def _check(encoding: str) -> None:
    """Raise unless text can be in an encoding of that name.

    Raises:
        ConfigError: Python knows none.
    """
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as e:
        near = difflib.get_close_matches(encoding.lower(), sorted({*aliases.values()}), 1)
        hint = f"did you mean {near[0]!r}?" if near else "such as cp1250, iso8859_2 or gbk"
        what = f"unknown encoding {quoted(encoding)}"
        raise ConfigError(what, where="data.encoding", hint=hint) from e


def physical_lines(text: str) -> list[str]:
    """Lines with their ends, as csv wants them, without blank lines at the end of the file."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return [line + "\n" for line in lines]


def spoilt(row: Sequence[str]) -> int | None:
    """Position of the first value with bytes that are not text, or None."""
    return next((i for i, v in enumerate(row) if "\0" in v or SURROGATES.search(v)), None)
