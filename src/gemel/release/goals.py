"""What a user asks of the decisions of a release: one struct, kept in its evidence."""

from __future__ import annotations

from typing import Literal

import msgspec

from gemel.calibrate.likelihood import Kind
from gemel.calibrate.thresholds import Target

ByCategory = Literal["off", "report", "worst", "per_category"]


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """What the decisions of a release have to reach.

    Args:
        verify: goal of the threshold for one comparison.
        search: goal for a candidate of a search; None = the same threshold.
        categories: what the category of records does: nothing (`off`), rates of each at one
            threshold (`report`), one threshold that the worst needs (`worst`), or a threshold for
            each (`per_category`).
        likelihood: shape of the likelihood ratio over the score.
        review_width: a wider Venn-Abers interval of the probability goes to review, in [0, 1];
            None: decisions have no interval.
    """

    verify: Target = Target()
    search: Target | None = None
    categories: ByCategory = "report"
    likelihood: Kind = "auto"
    review_width: float | None = None
