"""What a smaller encoder was chosen from: each candidate, what it costs, what it loses."""

from __future__ import annotations

import msgspec

from gemel.calibrate.rates.difference import Difference


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What an encoder costs, on the machine that it was shrunk on, one thread.

    Attributes:
        encoder_bytes: of the network.
        vector_bytes: of an embedding in a gallery.
        p50_ms: median time of encoding one record.
        p99_ms: 99th percentile.
    """

    encoder_bytes: int
    vector_bytes: int
    p50_ms: float
    p99_ms: float

    def share_of(self, other: Cost) -> float:
        """The mean of network, embedding and median time, each as a share of another's."""
        ratios = (
            self.encoder_bytes / other.encoder_bytes,
            self.vector_bytes / other.vector_bytes,
            self.p50_ms / other.p50_ms,
        )
        return sum(ratios) / len(ratios)


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate, with its own threshold for the goals of the release it comes from.

    Attributes:
        name: such as `pca-96+int8`.
        how: one sentence.
        cost: of its encoder.
        share: of the cost of the release it comes from.
        quality: on eval, paired with that release; None if it cannot support the goals.
        kept: whether the interval of the difference rules out that it keeps too little.
        reason: why it cannot be a release; empty if it can.
    """

    name: str
    how: str
    cost: Cost
    share: float
    quality: Difference | None
    kept: bool
    reason: str = ""


class Shrunk(msgspec.Struct, frozen=True, kw_only=True):
    """Where a smaller release comes from.

    Attributes:
        parent: `release_id` of the release that was shrunk.
        keep: least share of its quality that a candidate had to keep.
        measure: that the quality is.
        confidence: of all intervals together.
        before: what the release that was shrunk costs.
        tried: the cheapest first.
        chosen: name of the candidate that this release is.
    """

    parent: str
    keep: float
    measure: str
    confidence: float
    before: Cost
    tried: tuple[Tried, ...]
    chosen: str = ""
