"""Bodies and replies about records: enrolled, taken out, and duplicates among them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from gemel.decide.outcomes import Outcome
from gemel.serve.wire.items import MAX_ITEMS, Body, Item, Mark, Outside, Unfit, Value
from gemel.settings.service import Method
from gemel.settings.shapes import Prior


class NewRecord(Body):
    """A record to enroll; without attributes a row's own values are its attributes."""

    id: Annotated[str, Meta(min_length=1, max_length=1024)]
    payload: Item
    attributes: dict[str, Value | None] | None = None


class RecordsBody(Body):
    """Records to enroll, all of them or none."""

    records: Annotated[list[NewRecord], Meta(min_length=1, max_length=MAX_ITEMS)]


class EnrollReply(Struct):
    """What an enroll did, in records."""

    added: int
    updated: int
    unchanged: int
    count: int
    decision_id: str | None
    unfit: Unfit = UNSET


class IdsBody(Body):
    """Records to delete."""

    ids: Annotated[list[str], Meta(min_length=1, max_length=MAX_ITEMS)]


class DeleteReply(Struct):
    """How many records were there and are gone.

    `undone` says which galleries of other spaces could not be reached, and why: each follows when
    it is opened next.
    """

    deleted: int
    count: int
    decision_id: str | None
    undone: list[str] | UnsetType = UNSET


class IdBody(Body):
    """The record to look at."""

    id: str


class RecordReply(Struct):
    """A record of the gallery."""

    id: str
    attributes: dict[str, Any]


class CountBody(Body):
    """How many are there?"""


class CountReply(Struct):
    """How many records there are."""

    count: int


class RecordItem(Body):
    """A record, the id to speak of it, and its category where the release decides by one."""

    id: Annotated[str, Meta(min_length=1, max_length=1024)]
    payload: Item
    category: str | None = None


class DuplicatesBody(Body):
    """Which of these records are the same?"""

    records: Annotated[list[RecordItem], Meta(min_length=2, max_length=MAX_ITEMS)]
    method: Annotated[
        Method,
        Meta(description="How matches become clusters"),
    ] = "average"
    max_risk: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="Probability of a false link that no cluster may exceed"),
    ] = None
    prior: Annotated[
        Prior | None,
        Meta(description="Share of genuine pairs among them, if known; it moves the threshold"),
    ] = None


class ClusterReply(Struct):
    """Records that are the same; risk is the probability that a link they hang on is false."""

    records: list[str]
    canonical: str
    weakest_link: float | None
    risk: float | None


class PairReply(Struct):
    """Two records that match or are for review; probability at the prior of the reply.

    `probability_is` says what it is: `estimated`, `at least` where so few comparisons can show no
    more, `unproven` or `of no chance` where nothing was measured; null where there is none.
    """

    left: str
    right: str
    score: float
    probability: float | None
    outcome: Outcome
    probability_is: str | None


class DuplicatesReply(Struct):
    """Clusters of two records or more, and the pairs that match or are for review."""

    clusters: list[ClusterReply]
    pairs: list[PairReply]
    threshold: float
    prior: float
    release: str
    space: str
    decision_id: str | None
    unproven: Mark = UNSET
    outside: Outside = UNSET
    unfit: Unfit = UNSET
