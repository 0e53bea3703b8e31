"""What a user asks of the decisions of a release: one struct, kept in its evidence."""

from __future__ import annotations

import msgspec

from gemel.calibrate.likelihood import Kind
from gemel.calibrate.thresholds import Target


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """What the decisions of a release have to reach.

    Args:
        verify: goal of the threshold for one comparison.
        search: goal for a candidate of a search; None = the same threshold.
        likelihood: shape of the likelihood ratio over the score.
        review_width: a wider Venn-Abers interval of the probability goes to review, in [0, 1];
            None: decisions have no interval.
        cohort: identities of train whose scores normalise all others (as-norm); 0 = none.
    """

    verify: Target = Target()
    search: Target | None = None
    likelihood: Kind = "auto"
    review_width: float | None = None
    cohort: int = 0
