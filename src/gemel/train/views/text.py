"""Texts as they might have been written: with some of their n-grams and words left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.train.arrays import Arrays


@dataclass(frozen=True)
class TextViews:
    """Random variants of prepared texts.

    Args:
        most: largest share of n-grams that a view lacks.
    """

    most: float = 0.4

    def __call__(self, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """The batch `gram`, `count` (b, width), each text thinned by a share of its own."""
        gram = arrays["gram"]
        share = rng.uniform(0, self.most, (len(gram), 1)).astype(np.float32)
        kept = rng.random(gram.shape, np.float32) >= share
        return {"gram": np.where(kept, gram, 0), "count": np.where(kept, arrays["count"], 0)}
