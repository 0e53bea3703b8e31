"""What a user asks of the decisions of a release: one struct, kept in its evidence."""

from __future__ import annotations

import msgspec

from gemel.arguments import require, require_numbers
from gemel.calibrate.goals.target import Target
from gemel.calibrate.goals.use import Use
from gemel.calibrate.probability.fit import Kind
from gemel.decide.rules import Rule
from gemel.errors import ConfigError
from gemel.settings import ByCategory

MAX_DAYS = 36_500


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
        alpha: share of items of known classes that may be called unknown.
        shots: supports of a class that unknown items are calibrated for.
        rules: that take matches away.
        use: what decisions are for; None: nobody said.
        cohort: identities of train whose scores normalise all others (as-norm); 0 = none.
        valid_days: days until the thresholds should be measured again, 1 to `MAX_DAYS`.
    Raises:
        ConfigError: a goal of searches for one comparison, or days out of range.
    """

    verify: Target = Target()
    search: Target | None = None
    categories: ByCategory = "report"
    likelihood: Kind = "auto"
    review_width: float | None = None
    rules: tuple[Rule, ...] = ()
    valid_days: int = 365
    alpha: float = 0.05
    shots: tuple[int, ...] = (1, 5)
    cohort: int = 0
    use: Use | None = None

    def __post_init__(self) -> None:
        one = 'gemel.Target(kind="f1") is one'
        require(self.verify, Target, "a Target as the goal", one)
        require(self.search, (Target, type(None)), "a Target as the goal of searches", one)
        require_numbers(valid_days=self.valid_days, alpha=self.alpha, cohort=self.cohort)
        if self.verify.kind == "fpir":
            raise ConfigError(
                "an FPIR is of a search, not of one comparison",
                where="goals.verify",
                hint="give it as the goal of the search",
            )
        if not 1 <= self.valid_days <= MAX_DAYS:
            raise ConfigError(
                f"valid for {self.valid_days} days, must be 1 to {MAX_DAYS}",
                where="calibrate.valid_days",
            )
