"""What a user asks of the decisions of a release: one struct, kept in its evidence."""

from __future__ import annotations

from typing import Literal

import msgspec

from gemel.calibrate.likelihood import Kind
from gemel.calibrate.thresholds import Target
from gemel.errors import ConfigError

ByCategory = Literal["off", "report", "worst", "per_category"]


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """What the decisions of a release have to reach.

    Args:
        verify: goal of the threshold for one comparison.
        search: goal for a candidate of a search; None = the same threshold. With kind `fpir` the
            threshold grows with the gallery, up to `gallery_size` (None: as far as data prove).
        categories: what the category of records does: nothing (`off`), rates of each at one
            threshold (`report`), one threshold that the worst needs (`worst`), or a threshold for
            each (`per_category`).
        likelihood: shape of the likelihood ratio over the score.
        review_width: a wider Venn-Abers interval of the probability goes to review, in [0, 1];
            None: decisions have no interval.
        cohort: identities of train whose scores normalise all others (as-norm); 0 = none.
        alpha: share of items of known classes that may be called unknown.
        shots: supports of a class that unknown items are calibrated for.
        valid_days: days until the thresholds should be measured again.
    Raises:
        ConfigError: a goal of searches for one comparison, or no days.
    """

    verify: Target = Target()
    search: Target | None = None
    categories: ByCategory = "report"
    likelihood: Kind = "auto"
    review_width: float | None = None
    cohort: int = 0
    valid_days: int = 365
    alpha: float = 0.05
    shots: tuple[int, ...] = (1, 5)

    def __post_init__(self) -> None:
        if self.verify.kind == "fpir":
            raise ConfigError(
                "an FPIR is of a search, not of one comparison",
                where="goals.verify",
                hint="give it as the goal of the search",
            )
        if self.valid_days < 1:
            raise ConfigError(f"valid for {self.valid_days} days", where="calibrate.valid_days")
