"""Bodies and replies of reviews, and what a service tells of itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gemel.serve.wire.items import Body

MAX_WAITING = 1000


class VerdictBody(Body):
    """A person's answer to a decision: are the two really the same?"""

    decision_id: Annotated[str, Meta(min_length=32, max_length=32, pattern="^[0-9a-f]*$")]
    genuine: bool
    reviewer: Annotated[
        str, Meta(max_length=64, description="Who says so; a second answer replaces the first")
    ] = ""


class VerdictReply(Struct):
    """An answer that is on disk; `counts` for a proposal unless the note says why not."""

    decision_id: str
    verdict_id: str
    counts: bool
    note: str | None


class ReviewBody(Body):
    """Which decisions wait for an answer?"""

    limit: Annotated[int, Meta(ge=1, le=MAX_WAITING)] = 100
    reviewer: str | None = None


class WaitingReply(Struct):
    """A decision that nobody has answered yet, or that the reviewer should answer too."""

    decision_id: str
    outcome: str
    score: float
    release: str
    time: str


class ReviewReply(Struct):
    """What people are asked about, the oldest first."""

    waiting: list[WaitingReply]


class ProposalBody(Body):
    """What do the answers say about the threshold?"""


class CardBody(Body):
    """Which card?"""


class FieldReply(Struct):
    """A field of a row."""

    name: str
    kind: str


class ReleaseReply(Struct):
    """What is live."""

    release: str
    space: str
    name: str
    created: str
    modality: str
    fields: list[FieldReply]
    records: int | None
    policy: Any
    operating_points: Any


class HealthReply(Struct, omit_defaults=True):
    """Whether requests are taken."""

    status: Literal["alive", "ready"]
    release: str | None = None
    space: str | None = None
    warning: str | None = None


class V2Reply(Struct, omit_defaults=True):
    """Whether requests are taken, in the Open Inference Protocol."""

    live: bool = False
    ready: bool = False
    name: str = ""
