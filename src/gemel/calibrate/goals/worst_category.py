"""One threshold for all categories: the one that the worst of them needs.

For those who may not, or do not want to, decide by category. All other categories pay for it with
more false non-matches than they would need.
"""

from __future__ import annotations

import msgspec

from gemel.calibrate.goals.certificates import fmr_threshold
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.level_categories import fit
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import OperatingPoint, measure
from gemel.calibrate.scores.categories import within
from gemel.calibrate.scores.scores import Scores
from gemel.errors import ConfigError, DataError

SHOWN = 3


def raised(scores: Scores, target: Target, chosen: OperatingPoint, column: str) -> OperatingPoint:
    """The operating point of one threshold that also does for the worst category.

    An FMR is proven in each category by its own comparisons. That takes no correction for looking
    at many: if the threshold were too low for some category, it would be too low for the worst, and
    the proof of that one fails as seldom as the confidence says. Other goals prove nothing; there
    it is the highest of the thresholds that the categories would have each (see `levelling`).

    Args:
        scores: with categories (of dev).
        target: the goal.
        chosen: the operating point that reaches it over all comparisons.
        column: that says the category.
    Raises:
        DataError: a category cannot prove its FMR; says which, and what is missing.
        ConfigError: another rate than FMR is proven: false non-matches rise with the threshold, and
            precision need not, so that the proof would not be of the raised one.
    Source: Berger 1982, Multiparameter hypothesis testing and acceptance sampling
        (intersection-union test).
    """
    limit = target.limit("fmr")
    if target.is_proven and limit is None:
        raise ConfigError(
            f"no higher threshold can promise a {target.goal.name} in every category",
            where="calibrate.categories",
            hint='use categories = "per_category", or the target fmr',
        )
    if limit is not None:
        least = _proven(scores, limit, target.confidence, column)
        method = f"{chosen.method}; proven in each of {len(scores.category_names)} categories"
    else:
        fitted = fit(scores, column)
        levelled, lines = choose(fitted.scores, target).threshold, fitted.categories.lines
        least = fitted.categories.threshold(levelled, (None, None))
        method = f"{chosen.method}; the highest of {len(lines)} categories' thresholds"
    threshold = max(chosen.threshold, least)
    band = None
    if chosen.review_low < chosen.review_high:
        band = (chosen.review_low, max(chosen.review_high, threshold))
    point = measure(
        scores, threshold, prior=target.prior, confidence=target.confidence, review=band
    )
    return msgspec.structs.replace(
        point, target=chosen.target, certified=chosen.certified, method=method
    )


def _proven(scores: Scores, limit: float, confidence: float, column: str) -> float:
    """The least threshold that keeps the FMR of every category, proven.

    Raises:
        DataError: some cannot prove it.
    """
    parts = dict(within(scores))
    least, refused = [], []
    for code, name in enumerate(scores.category_names):
        if code not in parts or not parts[code].n_impostor:
            refused.append(f"{name}: no impostor comparisons")
            continue
        try:
            least.append(fmr_threshold(parts[code], limit, confidence).threshold)
        except DataError as e:
            refused.append(f"{name}: {e.what}; {e.hint}")
    if refused:
        more = f"; and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
        raise DataError(
            f"{len(refused)} of {len(scores.category_names)} categories cannot prove FMR <= "
            f"{limit:g}: {'; '.join(refused[:SHOWN])}{more}",
            where=f"column {column}",
            hint='gather small categories under one name, or use categories = "per_category"',
        )
    return max(least)
