"""From chosen operating points to the policy that decides at them."""

from __future__ import annotations

from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.decide.bands import Band, SizedBand
from gemel.decide.categories import Categories
from gemel.decide.policy import Policy
from gemel.decide.ratio import Likelihood
from gemel.decide.venn_abers import VennAbers


def policy_of(
    verify: OperatingPoint,
    *,
    search: OperatingPoint | None = None,
    likelihood: Likelihood | None = None,
    categories: Categories | None = None,
    venn_abers: VennAbers | None = None,
    review_width: float | None = None,
    sizes: tuple[SizedBand, ...] = (),
    expires: str | None = None,
) -> Policy:
    """The policy that decides at chosen operating points.

    Args:
        verify: chosen for one comparison; its prior becomes the policy's.
        search: chosen for a search; None = the strictest of the sizes, or like verify.
        likelihood: calibrated score for probabilities.
        categories: by which the scores were levelled that all these were chosen on.
        venn_abers: interval of the probability.
        review_width: a wider interval than this is for review; None: none is.
        sizes: for a search, by the size of the gallery (see `ladder`).
        expires: last day, ISO 8601.
    """
    strictest = sizes[-1].band if sizes else _band(verify)
    return Policy(
        verify=_band(verify),
        search=strictest if search is None else _band(search),
        prior=verify.prior,
        likelihood=likelihood,
        sizes=sizes,
        expires=expires,
        venn_abers=venn_abers,
        review_width=review_width,
        categories=categories,
    )


def _band(point: OperatingPoint) -> Band:
    """The thresholds of an operating point."""
    return Band(
        threshold=point.threshold, review_low=point.review_low, review_high=point.review_high
    )
