"""What the category of records does to the decisions of a release, as its goals ask.

off           nothing
report        one threshold; error rates of each category
worst         one threshold that does for the worst category
per_category  scores are levelled, so that one threshold on levelled scores is one for each
"""

from __future__ import annotations

from dataclasses import replace

from gemel.calibrate.goals import worst_category
from gemel.calibrate.goals.level_categories import fit
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.by_category import Breakdown, breakdown
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.data.dataset import UNKNOWN, CategoryColumn
from gemel.errors import ConfigError, DataError
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.part import Part


def levelled(dev: Part, goals: Goals) -> Part:
    """Dev with scores levelled by category, if the goals ask for a threshold of each.

    Raises:
        ConfigError: there are no categories.
        DataError: no record has one, or they are too small to say anything.
    """
    if goals.categories != "per_category":
        return dev
    fitted = fit(dev.scores, _column(dev, goals).name)
    return replace(dev, scores=fitted.scores, levelled=fitted.categories)


def raised(dev: Part, goals: Goals, target: Target, chosen: OperatingPoint) -> OperatingPoint:
    """The chosen point, raised to what the worst category needs, if the goals ask for that.

    Raises:
        ConfigError: there are no categories, or the target does not go with them.
        DataError: a category cannot prove the target; says which.
    """
    if goals.categories != "worst":
        return chosen
    return worst_category.raised(dev.scores, target, chosen, _column(dev, goals).name)


def reported(side: Part, goals: Goals, threshold: float) -> Breakdown | None:
    """Error rates of each category at the threshold; None if nobody asks or there are none."""
    if goals.categories == "off" or side.category is None:
        return None
    return breakdown(
        side.scores,
        threshold,
        column=side.category.name,
        categories=side.levelled,
        confidence=goals.verify.confidence,
    )


def note(dev: Part) -> str:
    """What a reader of thresholds and curves has to know; empty if nothing is levelled."""
    if dev.levelled is None:
        return ""
    return (
        f"each {dev.levelled.column} has a threshold of its own: scores and thresholds are those "
        "of an average one"
    )


def _column(dev: Part, goals: Goals) -> CategoryColumn:
    """The category of the records.

    Raises:
        ConfigError: there is no such column.
        DataError: it is empty.
    """
    if dev.category is None:
        raise ConfigError(
            f"categories = {goals.categories!r}, and no column says the category",
            where="calibrate.categories",
            hint="name it in data.category",
        )
    if (dev.category.codes == UNKNOWN).all():
        raise DataError(
            "no record of dev has a category",
            where=f"column {dev.category.name}",
            hint="fill the column, or leave data.category out",
        )
    return dev.category
