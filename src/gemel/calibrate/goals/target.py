"""The goal of a threshold, and all that tells one kind of goal from another: the table `GOALS`.

Choice, proofs, refusals, gates, reports and the command line read the table, so that a kind is
described here and nowhere else. How a threshold is found is not known here.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from gemel.arguments import require_numbers
from gemel.arrays import Float64
from gemel.calibrate.rates.operating_point import check_prior, f1_at
from gemel.errors import ConfigError, quoted
from gemel.figures import number_of, percent
from gemel.settings import Observed, Proven

Kind = Literal[Observed, Proven, "fpir"]

Risk = Callable[[Float64, Float64, float, tuple[float, float]], Float64]
"""What is to be least, >= 0: of FMR, FNMR, prior, and costs of a false match and non-match."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What one kind of goal means.

    Attributes:
        name: of the rate that is asked for; of an observed goal, what it is called.
        measures: of an operating point (`fpir`: of a search) that eval is held to: the rate that is
            asked for, or what the choice looked at.
        falls: less of the measures is better.
        example: a rate to ask for; None: no rate is asked for, and none is proven.
        proof: the rate that is proven for it; empty for observed goals.
        promised: the promise in a report, the rate left open.
        things: of what some share may be wrong, and `wrong`: how; of proven goals.
        wrong: see `things`.
        reach: the best that data can prove, in a refusal; empty where it is said anyway.
        risk: what an observed goal minimises; None: it does not.
        leaves_open: the measure that tells two operating points with the same goal apart, by the
            name that differences have.
        by_answers: the answers of people can say whether it is reached.
    """

    name: str
    measures: tuple[str, ...]
    falls: bool
    example: float | None = None
    proof: Literal["", "fmr", "fnmr", "precision", "fpir"] = ""
    promised: str = ""
    things: str = ""
    wrong: str = ""
    reach: str = ""
    risk: Risk | None = None
    leaves_open: str = ""
    by_answers: bool = False

    @property
    def by_share(self) -> bool:
        """Which threshold reaches it depends on how rare genuine comparisons are."""
        return self.risk is not None or self.proof == "precision"

    def formula(self, value: float, digits: int) -> str:
        """The rate with its limit.

        Example:
            >>> GOALS["fmr"].formula(0.001, 3), GOALS["recall"].formula(0.99, 3)
            ('FMR <= 0.001', 'recall >= 0.99')
        """
        return f"{self.name} {'<=' if self.falls else '>='} {value:.{digits}g}"


def _f1_loss(fmr: Float64, fnmr: Float64, prior: float, _costs: tuple[float, float]) -> Float64:
    loss: Float64 = 1 - f1_at(fmr, fnmr, prior)
    return loss


def _cost(fmr: Float64, fnmr: Float64, prior: float, costs: tuple[float, float]) -> Float64:
    return prior * costs[1] * fnmr + (1 - prior) * costs[0] * fmr


def _errors(fmr: Float64, fnmr: Float64, prior: float, _costs: tuple[float, float]) -> Float64:
    return _cost(fmr, fnmr, prior, (1.0, 1.0))


APART, TOGETHER = "pairs that do not belong together", "pairs that belong together"

GOALS: dict[Kind, Goal] = {
    "eer": Goal(
        name="equal error rate",
        measures=("fmr", "fnmr"),
        falls=True,
        leaves_open="EER",
        by_answers=True,
    ),
    "f1": Goal(
        name="best F1",
        measures=("f1",),
        falls=False,
        risk=_f1_loss,
        leaves_open="F1",
        by_answers=True,
    ),
    "accuracy": Goal(
        name="best accuracy",
        measures=("accuracy",),
        falls=False,
        risk=_errors,
        leaves_open="accuracy",
        by_answers=True,
    ),
    "cost": Goal(
        name="least cost",
        measures=("fmr", "fnmr"),
        falls=True,
        risk=_cost,
        leaves_open="cost",
        by_answers=True,
    ),
    "fmr": Goal(
        name="FMR",
        measures=("fmr",),
        falls=True,
        example=0.001,
        proof="fmr",
        promised="at most {} false matches",
        things=APART,
        wrong="called a match",
        leaves_open="recall",
        by_answers=True,
    ),
    "fnmr": Goal(
        name="FNMR",
        measures=("fnmr",),
        falls=True,
        example=0.01,
        proof="fnmr",
        promised="at most {} missed pairs",
        things=TOGETHER,
        wrong="missed",
        reach="the smallest FNMR they can prove is {:.2g}",
        leaves_open="precision",
    ),
    "recall": Goal(
        name="recall",
        measures=("recall",),
        falls=False,
        example=0.99,
        proof="fnmr",
        promised="a recall of {}",
        things=TOGETHER,
        wrong="missed",
        leaves_open="precision",
    ),
    "precision": Goal(
        name="precision",
        measures=("precision",),
        falls=False,
        example=0.99,
        proof="precision",
        promised="a precision of {}",
        things="matches",
        wrong="wrong",
        reach="the best precision they can prove is {:.3f}",
        leaves_open="recall",
        by_answers=True,
    ),
    "fpir": Goal(
        name="FPIR",
        measures=("fpir",),
        falls=True,
        example=0.01,
        proof="fpir",
        promised="at most {} searches of a stranger that match",
        reach="the largest gallery they can prove it for has {:,.0f} records",
    ),
}


COSTS = ("false_match_cost", "false_non_match_cost", "review_cost")
NUMBERS = ("value", "confidence", "prior", *COSTS)


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The goal of a threshold.

    Args:
        kind: `eer` equal error rates; `f1`, `accuracy` the best observed; `cost` the least
            expected cost. Proven: `fmr` at most `value` false matches among impostors; `fnmr` at
            most `value` false non-matches among genuine, with the fewest false matches; `recall`
            the same, as 1 - fnmr; `precision` at least `value` genuine among matches; `fpir` at
            most `value` searches without a mate that match something.
        value: the rate that the proven kinds ask for, in (0, 1).
        confidence: of proofs and intervals.
        prior: share of genuine comparisons in use; None = as in the data.
        false_match_cost: cost of accepting an impostor comparison.
        false_non_match_cost: cost of missing a genuine one.
        review_cost: cost of asking a person; None = nobody is asked, there is no review band.
        gallery_size: records that a search compares with, of `fpir`.
    Raises:
        ConfigError: a value is out of range or missing, or no such kind.
    """

    kind: Kind = "f1"
    value: float | None = None
    confidence: float = 0.95
    prior: float | None = None
    false_match_cost: float = 1.0
    false_non_match_cost: float = 1.0
    review_cost: float | None = None
    gallery_size: int | None = None

    def __post_init__(self) -> None:
        require_numbers(**{name: getattr(self, name) for name in NUMBERS})
        check_prior(self.prior)
        if self.kind not in GOALS:
            near = difflib.get_close_matches(str(self.kind), GOALS, 1)
            raise ConfigError(
                f"unknown target {quoted(self.kind)}",
                where="calibrate.target",
                hint=f"did you mean {near[0]!r}?" if near else f"one of: {', '.join(GOALS)}",
            )
        if self.is_proven:
            if self.value is None or not 0 < self.value < 1:
                raise ConfigError(
                    f"target {self.kind} needs a value between 0 and 1, not {self.value}",
                    where="calibrate.value",
                    hint=f"for example value = {self.goal.example}",
                )
        elif self.value is not None:
            proven = ", ".join(kind for kind, goal in GOALS.items() if goal.proof)
            raise ConfigError(
                f"target {self.kind} takes no value",
                where="calibrate.value",
                hint=f"a value goes with the targets {proven}",
            )
        if self.gallery_size is not None and (self.kind != "fpir" or self.gallery_size < 1):
            raise ConfigError(
                f"target {self.kind} with a gallery of {number_of(self.gallery_size, 'record')}",
                where="calibrate.gallery_size",
                hint="a size of 1 or more goes with the target fpir",
            )
        if not 0.5 < self.confidence < 1:
            raise ConfigError(
                f"confidence is {self.confidence}, must lie between 0.5 and 1",
                where="calibrate.confidence",
            )
        for name in COSTS:
            cost = getattr(self, name)
            if cost is not None and not (cost > 0 and math.isfinite(cost)):
                raise ConfigError(
                    f"{name} is {cost}, must be above 0 and finite",
                    where=f"calibrate.{name}",
                    hint="costs count against each other: 10 and 1 means ten times as bad",
                )

    @property
    def goal(self) -> Goal:
        """What its kind means."""
        return GOALS[self.kind]

    @property
    def is_proven(self) -> bool:
        """A rate is asked for, which is proven or refused."""
        return bool(self.goal.proof)

    @property
    def by_share(self) -> bool:
        """Which threshold reaches it depends on how rare genuine comparisons are."""
        return self.goal.by_share

    def is_alike(self, other: Target) -> bool:
        """Both ask for the same, whatever confidence, prior and costs are stated."""
        return (self.kind, self.value) == (other.kind, other.value)

    def limit(self, rate: Literal["fmr", "fnmr"]) -> float | None:
        """How many false matches, or non-matches, it promises at most; None if it does not.

        Example:
            >>> Target(kind="recall", value=0.75).limit("fnmr"), Target().limit("fmr")
            (0.25, None)
        """
        if self.goal.proof != rate or self.value is None:
            return None
        return self.value if self.goal.falls else 1 - self.value

    def risk(self, fmr: Float64, fnmr: Float64, prior: float) -> Float64:
        """What is to be least, at each operating point: (m,) float64 >= 0.

        Raises:
            ConfigError: the goal minimises nothing.
        """
        if self.goal.risk is None:
            raise ConfigError(f"target {self.kind} minimises nothing", where="calibrate.target")
        costs = self.false_match_cost, self.false_non_match_cost
        return self.goal.risk(fmr, fnmr, prior, costs)


def in_words(target: Target) -> str:
    """The goal of a threshold as a phrase.

    Example:
        >>> in_words(Target(kind="fmr", value=0.001)), in_words(Target())
        ('FMR at most 0.1 %', 'best F1')
    """
    if target.value is None:
        return target.goal.name
    most = "at most" if target.goal.falls else "at least"
    return f"{target.goal.name} {most} {percent(target.value)}"
