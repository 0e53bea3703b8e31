"""Identities as people write them: one that is written in several ways is one.

`K-003864` and `k-003864` are one customer, and `580 118 613` and `580118613` one company: capitals,
width and blanks between groups of digits tell nothing. What compares identities by name compares
them `folded`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from gemel.arrays import Int64
from gemel.data.dataset import codes
from gemel.data.wordbags import normalised
from gemel.figures import number_of

_GROUPS = re.compile(
    r"(?<!\d)(?<!\d )(?:\d{1,3}(?: \d{3})+(?: \d{5})?|\d{4}(?: \d{4})*(?: \d{1,4}))(?! ?\d)"
)
"""A number in groups of three or four digits, as people write long ones, and a SIRET."""
_SIDES = re.compile(r"(?<=[^\W\d_]) (?=\d)|(?<=\d) (?=[^\W\d_])|(?<=\W) | (?=\W)")
"""A blank between letters and digits, or beside a sign."""


def folded(name: str) -> str:
    """The name without what differs between two ways of writing it.

    Other blanks tell apart: house 1 of block 12 is not house 11 of block 2.

    Example:
        >>> folded(" K-003864"), folded("580 118 613"), folded("K 12"), folded("1 12")
        ('k-003864', '580118613', 'k12', '1 12')
    """
    plain = normalised(name)
    if " " not in plain:
        return plain
    return _SIDES.sub("", _GROUPS.sub(lambda found: found[0].replace(" ", ""), plain))


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
