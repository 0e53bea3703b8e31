"""What a decision can be: words and a struct, which a client imports without any numbers."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["match", "no_match", "review"]
ClassOutcome = Literal["class", "review", "unknown"]
Pair = tuple[str | None, str | None]
"""Categories of the left and the right record; None = unknown."""


class Decision(msgspec.Struct, frozen=True):
    """What a score means, and by which threshold.

    Args:
        outcome: `match`, `no_match` or `review`.
        threshold: the one that was applied.
        probability: of a match, at the policy's prior; None without a calibrated likelihood.
        category: of the left and the right record, None where the policy does not know it; None
            if it does not decide by category.
        interval: limits of that probability (Venn-Abers); None if the policy holds none.
        rule: that took a match away; None if none did.
    """

    outcome: Outcome
    threshold: float
    probability: float | None
    category: Pair | None = None
    interval: tuple[float, float] | None = None
    rule: str | None = None
