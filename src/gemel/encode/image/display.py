"""How people see an image: a small copy, and one in grey with regions tinted."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from gemel.arrays import Float32
from gemel.encode.image.prepare import decode
from gemel.encode.modality import Tint

THUMBNAIL = 96
FOR = (38, 110, 214)
AGAINST = (230, 110, 20)
STRONGEST = 0.75
"""Share of the tint in the strongest region."""


def thumbnail(payload: bytes, size: int = THUMBNAIL) -> bytes:
    """A PNG file of at most 96 x 96 pixels, or of another size.

    Raises:
        InvalidInput: it cannot be decoded.
    """
    small = decode(payload, size)
    small.thumbnail((size, size))
    return _png(small)


def tinted(payload: bytes, tints: Sequence[Tint], size: int) -> bytes:
    """A PNG file of the image in grey: blue speaks for a match, orange against it.

    Args:
        payload: bytes of the image file.
        tints: regions and how strongly they are tinted, in [-1, 1].
        size: pixels of the longer side.
    Raises:
        InvalidInput: it cannot be decoded.
    """
    image = decode(payload, size)
    scale = size / max(image.size)
    sides = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BICUBIC
    grey = np.asarray(image.convert("L").resize(sides, way), np.float32)
    canvas = np.repeat(grey[:, :, None], 3, axis=2)
    for box, strength in tints:
        _tint(canvas, box, strength)
    return _png(Image.fromarray(canvas.round().astype(np.uint8)))


def _tint(pixels: Float32, box: tuple[float, float, float, float], strength: float) -> None:
    """Mix a colour into a region; strength lies in [-1, 1]."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box
    region = pixels[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]
    share = STRONGEST * abs(strength)
    region *= 1 - share
    region += share * np.array(FOR if strength > 0 else AGAINST, np.float32)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
