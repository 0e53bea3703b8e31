"""Recordings as they might have been made: begun later, with bands and moments missing, noisier.

Bands and moments that are taken out: SpecAugment (Park et al., 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Int64
from gemel.train.arrays import Arrays


@dataclass(frozen=True)
class AudioViews:
    """Random variants of prepared recordings.

    Args:
        bands: most bands in a row that are taken out.
        moments: largest share of the frames in a row that is.
        tilt: largest change of level from the lowest to the highest band, in decibels.
        noise: standard deviation of the noise of a level, in decibels.
    """

    bands: int = 6
    moments: float = 0.15
    tilt: float = 6.0
    noise: float = 1.5

    def __call__(self, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """The batch `mel` (b, frames, bands), each recording varied on its own."""
        mel = arrays["mel"]
        b, frames, bands = mel.shape
        there = mel.any(axis=2)
        length: Int64 = there.sum(axis=1).astype(np.int64)
        begun = (np.arange(frames) + rng.integers(0, frames, (b, 1))) % np.maximum(length, 1)[
            :, None
        ]
        heard = np.take_along_axis(mel, begun[:, :, None], axis=1).astype(np.float32)
        slope = rng.uniform(-self.tilt, self.tilt, (b, 1, 1)) * np.linspace(-0.5, 0.5, bands)
        noise = self.noise * rng.standard_normal(mel.shape, np.float32)
        out = np.clip(np.round(heard + 3 * (slope + noise)), 1, 255)
        out[_run(b, bands, self.bands, rng)[:, None, :].repeat(frames, 1)] = 1
        gone = there & ~_run(b, frames, int(self.moments * frames), rng)
        return {"mel": np.where(gone[:, :, None], out, 0).astype(np.uint8)}


def _run(b: int, n: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """(b, n): a run of at most so many in each row."""
    start, width = rng.integers(0, n, (b, 1)), rng.integers(0, most + 1, (b, 1))
    at = np.arange(n)
    return (at >= start) & (at < start + width)
