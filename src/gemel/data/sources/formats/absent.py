"""What is said of a file that is not there: which one beside it is called nearly so."""

from __future__ import annotations

import difflib
from pathlib import Path

from gemel.errors import DataError


def no_file(
    path: Path, what: str = "no such file", hint: str = "name one that exists"
) -> DataError:
    """The error, whose hint names the file of the nearest name in that folder, if there is one.

    Args:
        path: that is not there.
        what: is said of it.
        hint: where no name is near.
    """
    there = {p.stem: str(p) for p in sorted(path.parent.glob("[!.]*"))}
    near = difflib.get_close_matches(path.stem, there, 1)
    return DataError(
        what, where=str(path), hint=f"did you mean {there[near[0]]}?" if near else hint
    )
