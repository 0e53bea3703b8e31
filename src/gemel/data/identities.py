"""Identities as people write them: one that is written in several ways is one.

`K-003864` and `k-003864` are one customer, and `580 118 613` and `580118613` one company: capitals,
width and blanks tell nothing. Whatever compares identities by name compares them `folded`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gemel.arrays import Int64
from gemel.data.dataset import codes
from gemel.data.wordbags import normalised
from gemel.figures import number_of


def folded(name: str) -> str:
    """The name without what differs between two ways of writing it.

    Example:
        >>> folded(" K-003864"), folded("580 118 613")
        ('k-003864', '580118613')
    """
    return normalised(name).replace(" ", "")


def coded(names: Sequence[str | None]) -> tuple[Int64, tuple[str, ...], tuple[str, ...]]:
    """Codes of identities by first appearance, the commonest way each is written, and a note.

    Args:
        names: as written; None of an unknown one, which is -1.
    Returns:
        The note says how many are written in several ways; there is none if none is.

    Example:
        >>> coded(["K-1", None, "k-1", "K-1"])[:2]
        (array([ 0, -1,  0,  0]), ('K-1',))
    """
    written = Counter(name for name in names if name is not None)
    ways: dict[str, list[str]] = {}
    for name in written:
        ways.setdefault(folded(name), []).append(name)
    several = [sorted(some, key=lambda name: -written[name]) for some in ways.values() if some[1:]]
    if not several:
        return *codes(names), ()
    best = {name: some[0] for some in several for name in some}
    code, kept = codes([None if name is None else best.get(name, name) for name in names])
    one, two = several[0][:2]
    count = number_of(len(several), "identity is", "identities are")
    note = f"{count} written in several ways and read as one each, such as {one!r} and {two!r}"
    return code, kept, (f"{note}: capitals and blanks tell none apart",)
