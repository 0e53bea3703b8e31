"""Heads kept outside of the ledger, so that who can write its file cannot rewrite it unseen.

A head is written as `SEQ:HASH`. A file of heads has one a line, the newest last, each with the time
when it was kept; `ledger.heads` beside the ledger is one, and a person may name others, on another
machine or on paper. What stands behind the newest head that is out of an attacker's reach is
protected by the chain alone.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from gemel.errors import LedgerError, quoted
from gemel.ledger.chain import Head

HEAD = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")


def beside(ledger: Path) -> Path:
    """The file of heads that a ledger keeps by itself."""
    return ledger.with_suffix(".heads")


def word(head: Head) -> str:
    """A head as people keep it.

    Example:
        >>> word(Head(3, "ab" * 32))[:8]
        '3:ababab'
    """
    return f"{head.seq}:{head.hash}"


def of_word(word: str) -> Head:
    """The head that `word` wrote; the start of a chain for anything else."""
    match = HEAD.fullmatch(word)
    return _head(match) if match else Head()


def keep(head: Head, path: Path, *, now: datetime | None = None) -> bool:
    """Add a head to a file, durably, unless it is its last one; whether it was added.

    Raises:
        LedgerError: the file cannot be written.
    """
    if not head.seq or (path.is_file() and newest(path) == head):
        return False
    time = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
    try:
        with path.open("a") as file:
            file.write(f"{word(head)} {time}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as e:
        raise LedgerError(
            f"the head cannot be kept: {e.strerror}", where=str(path), hint="choose another file"
        ) from e
    return True


def newest(path: Path) -> Head:
    """The head that was kept last in a file; the start of a chain if there is none.

    Raises:
        LedgerError: the file cannot be read.
    """
    found = _read(path)
    return found[-1] if found else Head()


def known(head_or_file: str) -> list[Head]:
    """What a person gives: a head, or a file of heads.

    Raises:
        LedgerError: it is neither, or the file has none.
    """
    match = HEAD.fullmatch(head_or_file.strip())
    if match:
        return [_head(match)]
    path = Path(head_or_file)
    if not path.is_file():
        raise LedgerError(
            f"{quoted(head_or_file, 80)} is neither a head nor a file",
            hint="a head is SEQ:HASH, as printed by: gemel ledger head",
        )
    found = _read(path)
    if not found:
        raise LedgerError("no head in this file", where=str(path), hint="gemel ledger head --to")
    return found


def _read(path: Path) -> list[Head]:
    """Every head of a file, in order; a line without one is passed over."""
    try:
        text = path.read_text(errors="replace")
    except OSError as e:
        raise LedgerError(f"the heads cannot be read: {e.strerror}", where=str(path)) from e
    return [_head(match) for line in text.splitlines() if (match := HEAD.match(line))]


def _head(match: re.Match[str]) -> Head:
    return Head(int(match[1]), match[2])
