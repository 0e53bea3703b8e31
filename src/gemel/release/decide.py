"""From dev to a policy: every choice that a release makes, on the comparisons of dev alone.

Here goals become a policy, and nowhere else, so that a release that is built and a child that gets
other goals are decided alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from gemel.calibrate import likelihood, venn_abers
from gemel.calibrate.operating import OperatingPoint
from gemel.calibrate.policy import Policy, policy_of
from gemel.calibrate.thresholds import choose
from gemel.release.by_category import levelled, raised
from gemel.release.goals import Goals
from gemel.release.measure import Part


@dataclass(frozen=True)
class Decided:
    """A policy, the operating point of its threshold on dev, and dev as it was chosen on."""

    policy: Policy
    chosen: OperatingPoint
    dev: Part


def decide(dev: Part, goals: Goals) -> Decided:
    """The policy that reaches the goals on dev.

    Args:
        dev: encoded and compared.
        goals: what is asked for.
    Raises:
        DataError: the data cannot support a goal; says what is missing.
        ConfigError: a goal asks for categories, and there are none.
    """
    dev = levelled(dev, goals)
    fitted = likelihood.fit(dev.scores, goals.verify.prior or dev.scores.prior, goals.likelihood)
    chosen = raised(dev, goals, goals.verify, choose(dev.scores, goals.verify, fitted))
    search = None
    if goals.search is not None:
        search = raised(dev, goals, goals.search, choose(dev.scores, goals.search, fitted))
    policy = policy_of(
        chosen,
        search=search,
        likelihood=fitted,
        categories=dev.levelled,
        venn_abers=None if goals.review_width is None else venn_abers.fit(dev.scores),
        review_width=goals.review_width,
    )
    return Decided(policy, chosen, dev)
