"""What is said where only some records have a label: how rare genuine pairs are rests on them."""

from __future__ import annotations

import numpy as np

from gemel.arrays import Int64
from gemel.figures import number_of, plain
from gemel.release.evidence.goals import Goals

SOME = 0.1
"""Records without a label, from which share of all on it may matter."""


def in_part(goals: Goals, identities: Int64) -> str:
    """How far off the share of genuine pairs may be, in words; empty if a person named it.

    Labels alone do not tell how records came by them. Of rows that were labelled each by chance,
    a record sees as small a part of its mates as of all; of duplicates that somebody found, those
    without one are missing.

    Args:
        goals: with the share that decides.
        identities: (n,) codes of all records, below 0 where unknown.
    """
    use, n = goals.use, len(identities)
    n_known = int(np.count_nonzero(identities >= 0))
    named = goals.verify.prior is not None and (
        use is None or use.records is None or use.share(identities) != goals.verify.prior
    )
    if named or not n_known or n - n_known < SOME * n:
        return ""
    return (
        f"{n - n_known:,} of {number_of(n, 'record')} have no label, and are taken to belong "
        "together as often as the others: right where whole identities were labelled. Where single "
        f"records were, by chance, up to {plain(n / n_known, 2)} times as many pairs do, and more "
        "matches are right than is said; where records were labelled since they belong together, "
        "as many times fewer: --prior names the share"
    )
