"""A difference of two releases as people read it: in points of a hundred, as far as it is known.

On the command line and on pages alike; JSON has the numbers.
"""

from __future__ import annotations

from gemel import figures
from gemel.calibrate.rates.difference import Difference

COST = "cost"


def name(d: Difference) -> str:
    """What is compared, and of how many where it is no share."""
    return "cost of 100 comparisons" if d.measure == COST else d.measure.replace("_", " ")


def apart(d: Difference) -> tuple[str, str]:
    """Both sides in points of a hundred, as far as the difference tells them apart."""
    width = d.high - d.low
    return figures.with_spread(d.before, width), figures.with_spread(d.after, width)


def sides(d: Difference) -> tuple[str, str]:
    r"""The same with its unit.

    Example:
        >>> from gemel.calibrate.rates.difference import difference
        >>> f1 = difference("F1", (0.98512, 0.98761), (0.001, 0.006), "", True)
        >>> sides(f1), interval(f1)
        (('98.5\xa0%', '98.8\xa0%'), '+0.1 to +0.6 points')
    """
    before, after = apart(d)
    unit = "" if d.measure == COST else "\N{NO-BREAK SPACE}%"
    return f"{before}{unit}", f"{after}{unit}"


def interval(d: Difference) -> str:
    """Where the difference lies."""
    unit = "" if d.measure == COST else " points"
    return f"{figures.signed(d.low)} to {figures.signed(d.high)}{unit}"
