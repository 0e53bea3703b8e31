"""Bodies and replies of rollouts."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gemel.serve.rollout.desk import TINY
from gemel.serve.rollout.guard import Reading, Word
from gemel.serve.rollout.hooks import Hook
from gemel.serve.rollout.plan import Status
from gemel.serve.rollout.readout import ArmShare, SideBySide
from gemel.serve.rollout.usual import ALPHA, LEAST, SLOW_MS, STEPS
from gemel.serve.wire.items import Body

Action = Literal["start", "pause", "resume", "abort", "promote"]
Per = Annotated[float, Meta(gt=0, lt=100)]


class RolloutBody(Body):
    """What to do with a rollout; all but the reason are for `start`."""

    action: Action
    release: Annotated[
        str | None, Meta(description="The candidate: id, unique start of one, or pointer")
    ] = None
    shadow: Annotated[
        bool, Meta(description="Ask it after the reply only, instead of answering with it")
    ] = False
    steps: Annotated[
        tuple[Per, ...], Meta(description="Per cent of the subjects at each step of a canary")
    ] = STEPS
    max_flips: Annotated[
        Annotated[float, Meta(ge=TINY, lt=1)] | None,
        Meta(description="Share of decisions that may differ; null: what the gold sets predict"),
    ] = None
    slow_ms: Annotated[float, Meta(gt=0, description="From which on an answer is slow")] = SLOW_MS
    least: Annotated[int, Meta(ge=1, description="Subjects answered at each step")] = LEAST
    alpha: Annotated[
        float, Meta(ge=TINY, lt=1, description="Risk of rolling back what is not worse")
    ] = ALPHA
    reason: str = ""
    experiment: Annotated[
        Per | None,
        Meta(description="Per cent of the subjects of an experiment, which ends by hand"),
    ] = None


class HookMeta(Struct):
    """What a webhook is configured with; further keys do not count."""

    hook: Annotated[Hook, Meta(description="Which hook it is: its type")]
    release: Annotated[
        str, Meta(description="Start of the candidate's id, for hooks of that one alone")
    ] = ""


class HookBody(Struct):
    """A webhook as Flagger sends it; further keys do not count."""

    metadata: HookMeta
    name: Annotated[str, Meta(description="Of the canary there")] = ""
    namespace: str = ""
    phase: Annotated[str, Meta(description="Of the canary there, such as Progressing")] = ""


class RolloutQuery(Body):
    """How is the rollout?"""


class Seen(Struct):
    """What pairs of replies to the same requests say besides: all of the candidate against stable.

    `overlap` is the mean share of stable's hits that the candidate has as well, `shift` the mean
    difference of scores, `dropped` how many requests were not compared since too many waited.
    """

    overlap: float | None
    shift: float | None
    dropped: int


class RolloutReply(Struct):
    """The rollout that is under way, or the last one.

    `differ` is of the requests that both were asked and one of both finds something for: the share
    that they decide differently. `share` is what the candidate answers now, `step` counts from 1,
    `needs` is about how many more subjects are wanted for a verdict, null where that cannot be
    told.
    """

    rollout: str
    status: Status
    release: str
    stable: str
    mode: str
    step: int
    steps: int
    share: float
    verdict: Word
    needs: int | None
    reasons: list[str]
    readings: list[Reading]
    readout: list[SideBySide]
    differ: ArmShare
    seen: Seen
    reason: str
    started: str
    moved: str
    actor: str
