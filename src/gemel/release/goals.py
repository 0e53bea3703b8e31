"""What a user asks of the decisions of a release: one struct, kept in its evidence."""

from __future__ import annotations

import msgspec

from gemel.calibrate.thresholds import Target


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """What the decisions of a release have to reach.

    Args:
        verify: goal of the threshold for one comparison.
        search: goal for a candidate of a search; None = the same threshold.
        alpha: share of items of known classes that may be called unknown.
        shots: supports of a class that unknown items are calibrated for.
    """

    verify: Target = Target()
    search: Target | None = None
    alpha: float = 0.05
    shots: tuple[int, ...] = (1, 5)
