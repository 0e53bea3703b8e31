"""New identities for a batch, made by joining images of two old ones along a straight cut.

With a handful of training identities a network learns what tells those few apart, and forgets the
rest. Spliced identities are many: which two, which way round each, where the cut runs. All images
of one spliced identity share these choices and differ in the records that they are made of.

Source: Yun et al. 2019, CutMix, for joining images; here the join is a new label, not a mixed one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Bool, Float32, Int64
from gemel.train.arrays import Arrays

REACH = 0.3
"""Largest distance of a cut from the centre, as a share of half the side."""


@dataclass(frozen=True)
class Splice:
    """Batches of few identities become batches of spliced ones; others stay as they are.

    Args:
        few: batches of fewer identities than this are spliced.
        k: images of each spliced identity.
    """

    few: int = 12
    k: int = 8

    def __call__(
        self, arrays: Arrays, labels: Int64, rng: np.random.Generator
    ) -> tuple[Arrays, Int64]:
        """As many images as before, `image` (b, c, h, h) float32, with labels of their own."""
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        n_new = len(labels) // self.k
        if len(members) >= self.few or n_new < 2:
            return arrays, labels
        image: Float32 = arrays["image"]
        joined = [self._one(image, members, rng) for _ in range(n_new)]
        return {"image": np.concatenate(joined)}, np.repeat(np.arange(n_new), self.k)

    def _one(self, image: Float32, members: list[Int64], rng: np.random.Generator) -> Float32:
        """(k, c, h, h): images of one spliced identity."""
        first, second = (
            _turned(image[rng.choice(members[int(rng.integers(len(members)))], self.k)], rng)
            for _ in range(2)
        )
        return np.where(_side(image.shape[-1], rng), first, second)


def _turned(image: Float32, rng: np.random.Generator) -> Float32:
    """All images in the same one of the eight positions of a square."""
    position = int(rng.integers(8))
    mirrored = image[..., ::-1] if position >= 4 else image
    return np.rot90(mirrored, position % 4, (-2, -1))


def _side(size: int, rng: np.random.Generator) -> Bool:
    """Which pixels lie on one side of a random line near the centre, (size, size)."""
    at = np.linspace(-1, 1, size)
    angle = rng.uniform(0, 2 * np.pi)
    along: Bool = at[:, None] * np.sin(angle) + at[None, :] * np.cos(angle) > rng.uniform(
        -REACH, REACH
    )
    return along
