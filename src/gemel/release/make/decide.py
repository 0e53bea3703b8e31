"""From dev to a policy: every choice that a release makes, on the comparisons of dev alone.

Here goals become a policy, and nowhere else, so that a release that is built and a child that gets
other goals are decided alike. What the category of records does to it, goals say:

    off           nothing
    report        one threshold; error rates of each category
    worst         one threshold that does for the worst category
    per_category  scores are levelled, so that one threshold on levelled scores is one for each
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import msgspec

from gemel.calibrate.goals import level_categories, worst_category
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.gallery_sizes import ladder
from gemel.calibrate.goals.policy import policy_of
from gemel.calibrate.goals.target import Target
from gemel.calibrate.probability import fit, venn_abers
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.data.dataset import UNKNOWN, CategoryColumn
from gemel.data.schema import Field
from gemel.decide.bands import SizedBand
from gemel.decide.policy import Policy
from gemel.decide.rules import bound
from gemel.errors import ConfigError, DataError
from gemel.figures import percent, plain
from gemel.release.evidence import classes
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.part import Part


@dataclass(frozen=True)
class Decided:
    """A policy, and what it was decided on.

    Attributes:
        goals: that were asked for.
        policy: reaches them.
        chosen: operating point of its threshold on dev.
        dev: as it was chosen on.
        classes: its policy of classes.
    """

    goals: Goals
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
    of_classes = classes.fit(dev, alpha=goals.alpha, shots=goals.shots)
    return Decided(goals, policy, dev.point(policy.verify, goals.verify), dev, of_classes)


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
    _require_share(dev, goals.verify)
    rules = bound(goals.rules, {field.name: field.kind for field in fields})
    dev = _levelled(dev, goals)
    fitted = fit.fit(dev.scores, goals.verify.prior or dev.scores.prior, goals.likelihood)
    chosen = _raised(dev, goals, goals.verify, choose(dev.scores, goals.verify, fitted))
    search: OperatingPoint | None = None
    sizes: tuple[SizedBand, ...] = ()
    if goals.search is not None and goals.search.kind == "fpir":
        sizes = ladder(dev.scores, goals.search)
    elif goals.search is not None:
        search = _raised(dev, goals, goals.search, choose(dev.scores, goals.search, fitted))
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
    return Decided(goals, policy, chosen, dev, of_classes)


def _require_share(dev: Part, target: Target) -> None:
    """Raise where a goal depends on how rare genuine pairs are, and nobody knows.

    Raises:
        ConfigError: pairs were given, whose share says how they were chosen.
    """
    if dev.pairing.given is None or target.prior is not None or not target.by_share:
        return
    of_given = percent(float(f"{dev.scores.prior:.2g}"))
    raise ConfigError(
        f"{of_given} of the given pairs are genuine, which says how they were chosen and not how "
        f"rare genuine pairs are in use; the goal {target.kind} depends on it",
        where="calibrate.prior",
        hint=f"--prior {plain(dev.scores.prior, 2)} where pairs are asked about that come like "
        "these; --prior 0.001 where one of 1,000 is genuine; or a goal that does not depend on it: "
        "--fmr, --recall",
    )


def _levelled(dev: Part, goals: Goals) -> Part:
    """Dev with scores levelled by category, if the goals ask for a threshold of each.

    Raises:
        ConfigError: there are no categories.
        DataError: no record has one, or they are too small to say anything.
    """
    if goals.categories != "per_category":
        return dev
    fitted = level_categories.fit(dev.scores, _column(dev, goals).name)
    return replace(dev, scores=fitted.scores, levelled=fitted.categories)


def _raised(dev: Part, goals: Goals, target: Target, chosen: OperatingPoint) -> OperatingPoint:
    """The chosen point, raised to what the worst category needs, if the goals ask for that.

    Raises:
        ConfigError: there are no categories, or the target does not go with them.
        DataError: a category cannot prove the target; says which.
    """
    if goals.categories != "worst":
        return chosen
    return worst_category.raised(dev.scores, target, chosen, _column(dev, goals).name)


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
