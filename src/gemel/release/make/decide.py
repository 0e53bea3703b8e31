"""From dev to a policy: every choice that a release makes, on the comparisons of dev alone.

Here goals become a policy, and nowhere else, so that a release that is built and a child that gets
other goals are decided alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec

from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.gallery_sizes import ladder
from gemel.calibrate.goals.policy import policy_of
from gemel.calibrate.probability import fit, venn_abers
from gemel.calibrate.rates.operating_point import OperatingPoint, measure
from gemel.data.schema import Field
from gemel.decide.bands import SizedBand
from gemel.decide.policy import Policy
from gemel.decide.rules import bound
from gemel.release.evidence import classes, stages
from gemel.release.evidence.categories import levelled, raised
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.part import Part


@dataclass(frozen=True)
class Decided:
    """A policy, and what it was decided on.

    Attributes:
        policy: reaches the goals.
        chosen: operating point of its threshold on dev.
        dev: as it was chosen on.
        classes: its policy of classes.
    """

    policy: Policy
    chosen: OperatingPoint
    dev: Part
    classes: classes.Fitted


def kept(dev: Part, goals: Goals, policy: Policy) -> Decided:
    """A given policy, measured on dev: nothing is chosen.

    Args:
        dev: encoded and compared.
        goals: that the policy is to reach.
        policy: as it will be served.
    """
    dev = dev.level(policy.categories)
    target, band = goals.verify, policy.verify
    chosen = measure(
        dev.scores,
        band.threshold,
        prior=target.prior,
        confidence=target.confidence,
        review=(band.review_low, band.review_high),
        method=target.intervals,
    )
    of_classes = classes.fit(dev, alpha=goals.alpha, shots=goals.shots)
    return Decided(policy, chosen, dev, of_classes)


def decide(
    dev: Part, goals: Goals, today: date | None = None, *, fields: Sequence[Field] = ()
) -> Decided:
    """The policy that reaches the goals on dev.

    Args:
        dev: encoded and compared.
        goals: what is asked for.
        today: the day from which the policy is valid; None for a policy that does not expire.
        fields: of the encoder, which rules look at.
    Raises:
        DataError: the data cannot support a goal; says what is missing.
        ConfigError: a goal asks for categories, and there are none; a rule that cannot fire.
    """
    rules = bound(goals.rules, {field.name: field.kind for field in fields})
    dev = levelled(dev, goals)
    fitted = fit.fit(dev.scores, goals.verify.prior or dev.scores.prior, goals.likelihood)
    chosen = raised(dev, goals, goals.verify, choose(dev.scores, goals.verify, fitted))
    search: OperatingPoint | None = None
    sizes: tuple[SizedBand, ...] = ()
    if goals.search is not None and goals.search.kind == "fpir":
        sizes = ladder(dev.scores, goals.search)
    elif goals.search is not None:
        search = raised(dev, goals, goals.search, choose(dev.scores, goals.search, fitted))
    policy = policy_of(
        chosen,
        search=search,
        likelihood=fitted,
        sizes=sizes,
        expires=None if today is None else (today + timedelta(goals.valid_days)).isoformat(),
        categories=dev.levelled,
        venn_abers=None if goals.review_width is None else venn_abers.fit(dev.scores),
        review_width=goals.review_width,
    )
    of_classes = classes.fit(dev, alpha=goals.alpha, shots=goals.shots)
    policy = msgspec.structs.replace(policy, classify=of_classes.policy, rules=rules)
    policy = stages.choose(dev, policy, goals.stages)
    return Decided(policy, chosen, dev, of_classes)
