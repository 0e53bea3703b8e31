"""What a decision can be."""

from __future__ import annotations

from typing import Literal

Outcome = Literal["match", "no_match", "review"]
ClassOutcome = Literal["class", "review", "unknown"]
