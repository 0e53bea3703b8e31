"""Bodies and replies about pairs: verify, explain, many of them, and rerank."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gemel.decide.outcomes import Outcome
from gemel.serve.wire.items import (
    MAX_ITEMS,
    Body,
    Category,
    Item,
    Mark,
    Outside,
    Pair,
    Unfit,
    Views,
)


class VerifyBody(Body):
    """Are these two the same? A list on a side is of several views of one thing: all must match."""

    left: Item | Views
    right: Item | Views
    category: Annotated[
        Category,
        Meta(
            description="Of both records, or of the left and the right one; null = unknown; "
            "changes nothing where the release does not decide by it"
        ),
    ] = None


class VerifyReply(Struct):
    """A decision about two payloads; score, threshold and release belong together.

    `probability` is of such a pair where the share `prior` of those compared are the same;
    `probability_is` says what it is, as of pairs of `/v1/duplicates`.
    `category` is that of left and right as far as the release knows it; null where it does not
    decide by it, whatever was sent.
    `not_compared` names what one side leaves empty and the other has.
    `asked` says that a verdict on it is wanted: because it is for review, or as an audit.
    """

    outcome: Outcome
    score: float
    threshold: float
    probability: float | None
    release: str
    space: str
    decision_id: str | None
    category: Pair | None = None
    interval: tuple[float, float] | None = None
    rule: str | None = None
    asked: bool = False
    unproven: Mark = UNSET
    probability_is: str | None = None
    prior: float | None = None
    outside: Outside = UNSET
    not_compared: list[str] | UnsetType = UNSET
    unfit: Unfit = UNSET


class VerifyBatchBody(Body):
    """Of each of these pairs: are the two the same?"""

    pairs: Annotated[list[VerifyBody], Meta(min_length=1, max_length=MAX_ITEMS)]


class VerifyBatchReply(Struct):
    """Decisions in the order of the pairs."""

    results: list[VerifyReply]


class ExplainBody(Body):
    """Why is it decided as it is: left and right, or query and the id of a record?"""

    left: Item | None = None
    right: Item | None = None
    query: Item | None = None
    id: Annotated[str | None, Meta(description="A record of the gallery")] = None
    category: Annotated[
        Category, Meta(description="Of both, or of each; a record has its own as an attribute")
    ] = None
    parts: Annotated[
        Literal["auto", "none"],
        Meta(description="auto: what each field, word or region is worth; none: without that"),
    ] = "auto"


class RerankBody(Body):
    """A query and documents; `model` and `max_tokens_per_doc` change nothing."""

    query: Item
    documents: Annotated[list[Item], Meta(min_length=1, max_length=MAX_ITEMS)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    model: str | None = None
    max_tokens_per_doc: int | None = None


class Ranked(Struct):
    """A document by its place in the request.

    `relevance_score` is the probability that the two are the same where the release gives one, else
    the score; the other fields are those of `/v1/verify`.
    """

    index: int
    relevance_score: float
    score: float
    decision: Outcome
    threshold: float


class RerankReply(Struct):
    """Documents, best first."""

    id: str
    results: list[Ranked]
    meta: dict[str, Any]
