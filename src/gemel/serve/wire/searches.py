"""Bodies and replies about the gallery: search, identify, classify."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gemel.decide.outcomes import ClassOutcome, Outcome
from gemel.serve.wire.items import (
    MAX_ITEMS,
    MAX_K,
    Body,
    CategoryOfQuery,
    Filter,
    Item,
    Mark,
    Outside,
    Pair,
    Scalar,
    Unfit,
    Where,
)


class SearchBody(Body):
    """Who in the gallery is most like this one?"""

    query: Item
    k: Annotated[int, Meta(ge=1, le=MAX_K, description="Hits at most")] = 10
    where: Where = None
    category: CategoryOfQuery = None


class HitReply(Struct):
    """A record of the gallery, and the decision about it.

    `probability` is of the two as a pair, and `category` of both, as those of `/v1/verify`: how
    many there are to be found among does not change them.
    """

    id: str
    score: float
    probability: float | None
    decision: Outcome
    threshold: float
    release: str
    rank: int
    attributes: dict[str, Any]
    category: Pair | None = None
    interval: tuple[float, float] | None = None
    rule: str | None = None
    probability_is: str | None = None


class SearchReply(Struct):
    """Hits, best first, with probabilities for the share `prior` of genuine pairs.

    `not_compared` is as in `/v1/identify`, of the best hit, and so is `warning`.
    """

    hits: list[HitReply]
    release: str
    space: str
    decision_id: str | None
    unproven: Mark = UNSET
    prior: float | None = None
    outside: Outside = UNSET
    not_compared: list[str] | UnsetType = UNSET
    warning: str | UnsetType = UNSET
    unfit: Unfit = UNSET


class SearchBatchBody(Body):
    """Of each of these queries: who in the gallery is most like it?"""

    queries: Annotated[list[SearchBody], Meta(min_length=1, max_length=MAX_ITEMS)]


class SearchBatchReply(Struct):
    """Hits in the order of the queries."""

    results: list[SearchReply]


class IdentifyBody(Body):
    """Who in the gallery is this one, or nobody?"""

    query: Item
    where: Where = None
    category: CategoryOfQuery = None
    label: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="Attribute that says whose a record is; null: that of the service"),
    ] = None


class Candidate(Struct):
    """A record that it may be as well as another."""

    record: str
    score: float
    probability: float | None
    attributes: dict[str, Any]


class IdentifyReply(Struct, omit_defaults=True):
    """Who it is; the record is null for `unknown`, the score for an empty gallery.

    `ambiguous` where another identity is as good: then the record is null too, and `candidates`
    has the best record of each. `not_compared` names what the query leaves empty and a record that
    is answered, or is nearest to one that is unknown, has: thresholds were measured on records as
    full as those of the data.
    `probability` is of query and record as a pair, where the share `prior` of those compared are
    the same, whatever the size of the gallery; `probability_is` says what it is, and `category` is
    that of both, as in `/v1/verify`.
    `warning` says why a match may well be a stranger, or why nothing matches without a person.
    """

    outcome: Literal["match", "review", "unknown", "ambiguous"]
    record: str | None
    attributes: dict[str, Any] | None
    score: float | None
    threshold: float
    probability: float | None
    gallery_size: int
    largest_gallery: int | None
    release: str
    space: str
    decision_id: str | None
    candidates: list[Candidate] = []
    not_compared: list[str] = []
    unproven: bool = False
    warning: str = ""
    probability_is: str | None = None
    prior: float | None = None
    category: Pair | None = None
    outside: Outside = UNSET
    unfit: Unfit = UNSET


class ClassifyBody(Body):
    """Which of the enrolled classes is this one of, or none?"""

    query: Item
    k: Annotated[int, Meta(ge=1, le=MAX_K, description="Classes at most")] = 5
    label: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="Attribute whose values are the classes; null: that of the service"),
    ] = None
    where: Annotated[
        Filter | None, Meta(description="Only supports whose attributes have these values")
    ] = None


class ClassReply(Struct):
    """A class, and how likely it is.

    `probability` is among the classes there are; `p_value` says how usual such a score is for an
    item of this class. An item that reaches the score `least` of no class is unknown. All
    three are null where the release has no policy of classes.
    """

    label: Scalar | bool
    score: float
    probability: float | None
    p_value: float | None
    supports: int
    support_id: str
    least: float | None = None


class ClassifyReply(Struct):
    """A class, or none of them; classes best first.

    `anomaly` is the share of calibration items that are more usual than this one; null without a
    policy of classes. `alpha` is the share of items of known classes that may be called unknown.
    `warning` says why a class may well be named for an item of none, where that is so.
    `as_likely` are other classes, ten at most, that are more than a third as likely as the one that
    is named.
    """

    outcome: ClassOutcome
    label: Scalar | bool
    classes: list[ClassReply]
    anomaly: float | None
    alpha: float | None
    method: str
    release: str
    space: str
    decision_id: str | None
    warning: str | UnsetType = UNSET
    as_likely: list[Scalar | bool] | UnsetType = UNSET
    outside: Outside = UNSET
    unfit: Unfit = UNSET


class ClassesBody(Body):
    """Which classes are there?"""

    label: str | None = None


class ClassCount(Struct):
    """A class and its supports."""

    label: Scalar | bool
    supports: int


class ClassesReply(Struct):
    """The classes of a gallery, larger ones first."""

    classes: list[ClassCount]
    supports: int
    label: str
