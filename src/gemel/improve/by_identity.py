"""What the known identities of a set say of its pairs, whatever the release expects of them."""

from __future__ import annotations

import msgspec
import numpy as np

from gemel.arrays import Bool, Int64
from gemel.data.dataset import UNKNOWN
from gemel.improve.records import Compared

MOST = 0.8
"""Share of the pairs whose identities are known, from which on they speak for the set."""


class ByIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs of a set whose two identities are known; plain JSON values.

    Args:
        n_pairs: in all, of those that could match.
        n_genuine: of one identity.
        n_matches: matches.
        n_right: matches of one identity.
        is_most: the known ones are most of the set.
    """

    n_pairs: int
    n_genuine: int
    n_matches: int
    n_right: int
    is_most: bool

    @property
    def share(self) -> float:
        """Of genuine pairs."""
        return self.n_genuine / self.n_pairs


def by_identity(compared: Compared, left: Int64, right: Int64) -> ByIdentity | None:
    """What is known of a set and its matches; None where no pair is known.

    Args:
        compared: the set.
        left: (m,) position of the first record of each match.
        right: (m,) position of the second.
    """
    codes = compared.identities()
    sides = (
        [codes] if compared.right is None else [codes[: compared.n_left], codes[compared.n_left :]]
    )
    counts = [
        np.bincount(side[side != UNKNOWN], minlength=int(codes.max(initial=0)) + 1)
        for side in sides
    ]
    if len(counts) == 1:
        n = int(counts[0].sum())
        n_pairs, n_genuine = n * (n - 1) // 2, int((counts[0] * (counts[0] - 1)).sum()) // 2
    else:
        n_pairs, n_genuine = int(counts[0].sum()) * int(counts[1].sum()), int(counts[0] @ counts[1])
    if not n_pairs:
        return None
    known: Bool = (codes[left] != UNKNOWN) & (codes[right] != UNKNOWN)
    return ByIdentity(
        n_pairs=n_pairs,
        n_genuine=n_genuine,
        n_matches=int(known.sum()),
        n_right=int((known & (codes[left] == codes[right])).sum()),
        is_most=n_pairs >= MOST * compared.n_pairs,
    )
