"""From dev to a policy: every choice that a release makes, on the comparisons of dev alone.

Here goals become a policy, and nowhere else, so that a release that is built and a child that gets
other goals are decided alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gemel.calibrate import likelihood
from gemel.calibrate.operating import OperatingPoint
from gemel.calibrate.policy import Policy, policy_of
from gemel.calibrate.thresholds import choose
from gemel.release import classes
from gemel.release.goals import Goals
from gemel.release.measure import Part


@dataclass(frozen=True)
class Decided:
    """A policy, the operating point of its threshold on dev, and its policy of classes."""

    policy: Policy
    chosen: OperatingPoint
    classes: classes.Fitted


def decide(dev: Part, goals: Goals) -> Decided:
    """The policy that reaches the goals on dev.

    Args:
        dev: encoded and compared.
        goals: what is asked for.
    Raises:
        DataError: the data cannot support a goal; says what is missing.
    """
    fitted = likelihood.fit(dev.scores, goals.verify.prior or dev.scores.prior)
    chosen = choose(dev.scores, goals.verify, fitted)
    search = None if goals.search is None else choose(dev.scores, goals.search, fitted)
    policy = policy_of(chosen, search=search, likelihood=fitted)
    of_classes = classes.fit(dev, alpha=goals.alpha, shots=goals.shots)
    policy = msgspec.structs.replace(policy, classify=of_classes.policy)
    return Decided(policy, chosen, of_classes)
