"""Bodies of replies: what goes over the wire, and nothing of how it is made."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from gemel.serve.bodies import Pair, Scalar


class VerifyReply(Struct):
    """A decision about two payloads; score, threshold and release belong together.

    `category` is that of left and right as far as the release knows it, where it decides by it.
    `asked` says that a verdict on it is wanted: because it is for review, or as an audit.
    """

    outcome: Literal["match", "review", "no_match"]
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


class VerdictReply(Struct):
    """An answer that is on disk; `counts` for a proposal unless the note says why not."""

    decision_id: str
    verdict_id: str
    counts: bool
    note: str | None


class WaitingReply(Struct):
    """A decision that nobody has answered yet."""

    decision_id: str
    outcome: str
    score: float
    release: str
    time: str


class ReviewReply(Struct):
    """What people are asked about, the oldest first."""

    waiting: list[WaitingReply]


class HitReply(Struct):
    """A record of the gallery, and the decision about it."""

    id: str
    score: float
    probability: float | None
    decision: Literal["match", "review", "no_match"]
    threshold: float
    release: str
    rank: int
    attributes: dict[str, Any]
    category: Pair | None = None
    interval: tuple[float, float] | None = None
    rule: str | None = None


class SearchReply(Struct):
    """Hits, best first."""

    hits: list[HitReply]
    release: str
    space: str
    decision_id: str | None


class IdentifyReply(Struct):
    """Who it is; the record is null for `unknown`, the score for an empty gallery."""

    outcome: Literal["match", "review", "unknown"]
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


class ClassReply(Struct):
    """A class, and how likely it is.

    `probability` is among the classes there are; `p_value` says how usual such a score is for an
    item of this class. Both are null where the release has no policy of classes.
    """

    label: Scalar | bool
    score: float
    probability: float | None
    p_value: float | None
    supports: int
    support_id: str


class ClassifyReply(Struct):
    """A class, or none of them; classes best first.

    `anomaly` is the share of calibration items that are more usual than this one; null without a
    policy of classes. `alpha` is the share of items of known classes that may be called unknown.
    """

    outcome: Literal["class", "review", "unknown"]
    label: Scalar | bool
    classes: list[ClassReply]
    anomaly: float | None
    alpha: float | None
    method: str
    release: str
    space: str
    decision_id: str | None


class ClusterReply(Struct):
    """Records that are the same; risk is the probability that a link they hang on is false."""

    records: list[str]
    canonical: str
    weakest_link: float | None
    risk: float | None


class PairReply(Struct):
    """Two records that match or are for review; probability at the prior of the reply."""

    left: str
    right: str
    score: float
    probability: float | None
    outcome: Literal["match", "review", "no_match"]


class DuplicatesReply(Struct):
    """Clusters of two records or more, and the pairs that match or are for review."""

    clusters: list[ClusterReply]
    pairs: list[PairReply]
    threshold: float
    prior: float
    release: str
    space: str
    decision_id: str | None


class ClassCount(Struct):
    """A class and its supports."""

    label: Scalar | bool
    supports: int


class ClassesReply(Struct):
    """The classes of a gallery, larger ones first."""

    classes: list[ClassCount]
    supports: int
    label: str


class Embedding(Struct):
    """One embedding: d floats, or their little-endian float32 bytes in base64."""

    index: int
    embedding: list[float] | str
    object: str = "embedding"


class Usage(Struct):
    """Kept for clients of OpenAI's API: payloads are counted, not tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(Struct):
    """Embeddings in the order of the input."""

    data: list[Embedding]
    model: str
    usage: Usage
    object: str = "list"


class EnrollReply(Struct):
    """What an enroll did, in records."""

    added: int
    updated: int
    unchanged: int
    count: int
    decision_id: str | None


class DeleteReply(Struct):
    """How many records were there and are gone."""

    deleted: int
    count: int
    decision_id: str | None


class RecordReply(Struct):
    """A record of the gallery."""

    id: str
    attributes: dict[str, Any]


class CountReply(Struct):
    """How many records there are."""

    count: int


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


class Problem(Struct, omit_defaults=True):
    """An error (RFC 9457), with the code to program against and the id to ask about."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    where: str = ""
    hint: str = ""
