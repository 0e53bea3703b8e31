"""What a rollout is going to do, and how far it has come: JSON in the store, one row.

Whoever changes it changes the row as a whole, in one step that no other process comes between.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from gemel.serve.rollout.evalues import Falls, Share

Mode = Literal["shadow", "canary", "experiment"]
Status = Literal["running", "paused", "promoted", "rolled_back", "aborted"]
ACTIVE: tuple[Status, ...] = ("running", "paused")
Ratio = Annotated[float, Meta(gt=0, lt=1)]

MAX_ERRORS = 0.01
MAX_SLOW = 0.1
EVEN = 0.5
"""Both are asked the same, so a difference falls on either as often."""


class Plan(Struct, frozen=True, kw_only=True):
    """A rollout as it was started.

    Attributes:
        id: of the rollout; salts which subjects the candidate gets.
        release: the candidate, its full id.
        stable: what it is compared with, and what is gone back to.
        mode: shadow answers nobody, canary a share of the subjects that rises, experiment one that
            does not.
        steps: share of the subjects at each step, rising; one step of an experiment.
        alpha: probability, at most, that a candidate that is not worse is rolled back.
        max_flips: of the requests where one of them finds something, the share that they may decide
            differently.
        max_errors: share of the candidate's answers that may be errors of the service.
        max_slow: share of them that may take longer than `slow_ms`.
        slow_ms: from which on an answer is slow.
        least: subjects that the candidate has to have answered at each step.
        actor: who started it.
        time: when, ISO 8601.
    """

    id: str
    release: str
    stable: str
    mode: Mode
    steps: tuple[float, ...]
    alpha: float
    max_flips: float
    max_errors: float = MAX_ERRORS
    max_slow: float = MAX_SLOW
    slow_ms: float
    least: int
    actor: str
    time: str

    def share(self, step: int) -> float:
        """Of the subjects that the candidate answers at a step."""
        return 0.0 if self.mode == "shadow" else self.steps[step]


class Arm(Struct):
    """What was seen of the subjects of one release; each counts once, by its first answer.

    Attributes:
        n: subjects.
        errors: whose answer was an error of the service.
        slow: whose answer took long.
        n_decided: that were given a decision.
        matches: decisions that are a match.
        reviews: decisions for a person.
        judged: decisions, not for review, that people answered.
        wrong: of them, those that people called wrong.
    """

    n: int = 0
    errors: int = 0
    slow: int = 0
    n_decided: int = 0
    matches: int = 0
    reviews: int = 0
    judged: int = 0
    wrong: int = 0


class Tally(Struct):
    """What one process saw of a rollout; a subject counts once for each of these.

    Attributes:
        flips: whether the two decide the same pair differently.
        finds: whether they decide the same search differently.
        misses: of these, on whom it fell to find nothing, or of the candidate another record.
        errors: whether an answer of the candidate was an error of the service.
        slow: whether one took long.
        answers: subjects that the candidate answered, by step.
        error_falls: on whom errors fell, by step.
        slow_falls: on whom slow answers fell, by step.
        wrong_falls: whose decisions people called wrong, by step.
        overlap: sum over searches of the share of hits that both have.
        n_overlap: searches.
        shift: sum of differences of the two scores, candidate minus stable.
        n_shift: pairs of scores.
        dropped: requests that were not compared, since too many waited.
        ours: of the subjects of the candidate.
        theirs: of those of stable.
    """

    flips: Share
    errors: Share
    slow: Share
    answers: list[int]
    error_falls: list[Falls] = field(default_factory=list)
    slow_falls: list[Falls] = field(default_factory=list)
    wrong_falls: list[Falls] = field(default_factory=list)
    finds: Share = field(default_factory=lambda: Share(EVEN, EVEN))  # of a row of before
    misses: Falls = field(default_factory=lambda: Falls(EVEN))
    overlap: float = 0.0
    n_overlap: int = 0
    shift: float = 0.0
    n_shift: int = 0
    dropped: int = 0
    ours: Arm = field(default_factory=Arm)
    theirs: Arm = field(default_factory=Arm)

    @classmethod
    def empty(cls, plan: Plan, alpha: float) -> Tally:
        """Nothing seen yet.

        Args:
            plan: of the rollout.
            alpha: that each question may err with.
        """
        n_steps = max(1, len(plan.steps))
        errors, slow, wrong = ([Falls(share) for share in plan.steps] for _ in "123")
        return cls(
            flips=Share(plan.max_flips, alpha),
            finds=Share(plan.max_flips, alpha),
            errors=Share(plan.max_errors, alpha),
            slow=Share(plan.max_slow, alpha),
            answers=[0] * n_steps,
            error_falls=errors,
            slow_falls=slow,
            wrong_falls=wrong,
        )


class State(Struct, frozen=True, kw_only=True):
    """How far a rollout has come.

    Attributes:
        plan: as it was started.
        status: running and paused take traffic; a paused one takes no further step.
        step: position in the plan's steps.
        reason: why it stands as it does.
        moved: when the status or the step last changed, ISO 8601.
        tallies: what each process saw.
        positions: of the galleries that both search in an experiment, by space.
    """

    plan: Plan
    status: Status = "running"
    step: int = 0
    reason: str = ""
    moved: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """It still takes traffic."""
        return self.status in ACTIVE

    @property
    def share(self) -> float:
        """Of the subjects that the candidate answers now."""
        return self.plan.share(self.step) if self.is_active else 0.0


def of_row(row: str | None) -> State | None:
    """The rollout that a row of the store holds; None where there never was one."""
    return None if row is None else msgspec.json.decode(row, type=State)
