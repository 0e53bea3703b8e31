"""What the settings of `[calibrate]` ask of the decisions of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemel.calibrate.goals.use import Use
    from gemel.data.records import Dataset
    from gemel.release.evidence.goals import Goals
    from gemel.release.evidence.schema import Sampling
    from gemel.settings.learning import CalibrateSettings


def sampling(goal: CalibrateSettings) -> Sampling:
    """Which comparisons `[calibrate]` makes."""
    from gemel.release.evidence.schema import Sampling

    return Sampling(goal.max_comparisons, goal.seed)


def goals(goal: CalibrateSettings, dataset: Dataset) -> Goals:
    """What `[calibrate]` asks of the decisions.

    Args:
        goal: the settings.
        dataset: says how rare genuine pairs are, where a use is named and no share.
    """
    from gemel.calibrate.goals.target import Target
    from gemel.decide.rules import parse
    from gemel.release.evidence.goals import Goals

    use = _use(goal, len(dataset))
    verify = Target(
        kind=goal.target,
        value=goal.value,
        confidence=goal.confidence,
        prior=goal.prior if use is None or goal.prior else use.share(dataset.identities),
        false_match_cost=goal.false_match_cost,
        false_non_match_cost=goal.false_non_match_cost,
        review_cost=goal.review_cost,
    )
    search = None
    if goal.fpir is not None:
        search = Target(
            kind="fpir",
            value=goal.fpir,
            confidence=goal.confidence,
            gallery_size=goal.gallery_size,
        )
    return Goals(
        verify=verify,
        rules=tuple(parse(rule) for rule in goal.rules),
        search=search,
        likelihood=goal.likelihood,
        categories=goal.categories,
        review_width=goal.review_width,
        valid_days=goal.valid_days,
        alpha=goal.alpha,
        shots=goal.shots,
        cohort=goal.cohort,
        use=use,
    )


def _use(goal: CalibrateSettings, n_records: int) -> Use | None:
    """What decisions are for, with the size of gallery or set unless a share is named."""
    from gemel.calibrate.goals.use import Use

    if goal.use is None:
        return None
    size = goal.gallery_size if goal.use == "verify" or goal.prior else n_records
    return Use(kind=goal.use, records=goal.gallery_size or size)
