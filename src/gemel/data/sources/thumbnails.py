"""Images as small thumbnails: which images show the same picture, without opening all pairs.

A thumbnail is 16 x 16 of lightness and 4 x 4 of two colours, without the mean lightness and scaled
to length one; a copy that was re-encoded, resized or evenly brightened has nearly the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, Int64, digest
from gemel.data.sources.pixels import SEEN, opened

if TYPE_CHECKING:
    from PIL import Image

NEAR = 0.985
_SIDE = 16
_COLOUR_SIDE = 4
_BLOCK = 512
_BLANK = 1.0


def thumbnails(images: Iterable[bytes]) -> tuple[list[str], Float32]:
    """Digest of the pixels of each image, and its thumbnail.

    Args:
        images: n image files that can be decoded.
    Returns:
        n digests, equal for equal pictures whatever their files; and (n, 288) float32 rows of
        length one, or zero for a blank image.
    """
    digests, rows = [], []
    for data in images:
        key, row = _thumbnail(data)
        digests.append(key)
        rows.append(row)
    return digests, np.stack(rows) if rows else np.zeros((0, 288), np.float32)


def near(rows: Float32, side: Int64) -> tuple[Int64, Float32]:
    """Images with nearly the same thumbnail on an earlier side.

    Near means a correlation of at least 0.985. On 64 x 64 drawings, portraits and 8 x 8 digits,
    copies stored as JPEG of quality 50, halved in size or with 20 % more contrast stay above it;
    digits of different classes reach 0.966 and portraits of different people 0.93.

    The search is exact: two thumbnails that near differ by at most 0.18 along any direction, so
    sorting along the widest one leaves a window of images to compare.

    Args:
        rows: (n, d) thumbnails.
        side: (n,) int64; images with -1 are left out.
    Returns:
        (m, 2) int64: an image and the most alike one on an earlier side; (m,) their correlation.
    """
    usable = np.flatnonzero((side >= 0) & (np.abs(rows).max(axis=1, initial=0) > 0))
    if len(usable) < 2:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
    along = rows[usable] @ _widest(rows[usable])
    pairs, alike = [], []
    reach = float(np.sqrt(2 - 2 * NEAR)) + 1e-5
    for later in range(1, int(side.max()) + 1):
        queries, known = (
            usable[chosen][np.argsort(along[chosen], kind="stable")]
            for chosen in (side[usable] == later, side[usable] < later)
        )
        at = np.sort(along[side[usable] == later]), np.sort(along[side[usable] < later])
        for start in range(0, len(queries), _BLOCK):
            block = queries[start : start + _BLOCK]
            span = at[0][start], at[0][start + len(block) - 1]
            low, high = np.searchsorted(at[1], [span[0] - reach, span[1] + reach])
            if low == high:
                continue
            scores = rows[block] @ rows[known[low:high]].T
            best = scores.argmax(axis=1)
            score = scores[np.arange(len(block)), best]
            hit = np.flatnonzero(score >= NEAR)
            pairs.append(np.stack([block[hit], known[low + best[hit]]], axis=1))
            alike.append(score[hit])
    if not pairs:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
    return np.concatenate(pairs), np.concatenate(alike)


def _widest(rows: Float32) -> Float32:
    """(d,) direction of unit length along which the rows differ most."""
    centred = rows - rows.mean(axis=0)
    vectors: NDArray[np.float32] = np.linalg.eigh(centred.T @ centred)[1]
    return vectors[:, -1]


def _thumbnail(data: bytes) -> tuple[str, Float32]:
    image = SEEN(opened(data)).convert("RGB")
    key = digest(repr(image.size).encode(), image.tobytes())
    colours = image.convert("YCbCr")
    light = _shrunk(colours, _SIDE)[..., 0].ravel()
    tint = _shrunk(colours, _COLOUR_SIDE)[..., 1:].ravel() - 128
    # One colour value covers 4 x 4 of lightness: weight 4 keeps its share of the squared length.
    row = np.concatenate([light - light.mean(), tint * (_SIDE / _COLOUR_SIDE)])
    length = float(np.linalg.norm(row))
    return key, (row / length if length > _BLANK * _SIDE else row * 0).astype(np.float32)


def _shrunk(image: Image.Image, side: int) -> Float32:
    """(side, side, 3) float32 means over the areas of a grid."""
    from PIL import Image

    enlarging = min(image.size) < side
    how = Image.Resampling.BILINEAR if enlarging else Image.Resampling.BOX
    return np.asarray(image.resize((side, side), how), dtype=np.float32)
