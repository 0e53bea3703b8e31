"""Images with the regions tinted that speak for a match (blue) and against it (orange).

Draws an explanation's parts and nothing else; how strong a tint is, is relative to the strongest
region of the pair.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from PIL import Image

from gemel.arrays import Float32
from gemel.encode.prepare_image import decode
from gemel.tasks.explain import Part

SIDE = 256
GAP = 8
FOR = (38, 110, 214)
AGAINST = (230, 110, 20)
STRONGEST = 0.75
"""Share of the tint in the strongest region."""

Side = Literal["left", "right"]


def pair(left: bytes, right: bytes, parts: Sequence[Part]) -> bytes:
    """Both images, tinted, side by side as a PNG file.

    Args:
        left: bytes of the image file.
        right: of the other one.
        parts: of their explanation.
    Raises:
        InvalidInput: one cannot be decoded.
    """
    images = [tinted(left, parts, "left"), tinted(right, parts, "right")]
    height = max(image.height for image in images)
    sheet = Image.new("RGBA", (sum(i.width for i in images) + GAP, height), (0, 0, 0, 0))
    sheet.paste(images[0], (0, 0))
    sheet.paste(images[1], (images[0].width + GAP, 0))
    return png(sheet)


def tinted(payload: bytes, parts: Sequence[Part], side: Side, pixels: int = SIDE) -> Image.Image:
    """One image in grey with its regions tinted.

    Args:
        payload: bytes of the image file.
        parts: of the explanation of its pair.
        side: which of the two it is.
        pixels: of the longer side.
    Raises:
        InvalidInput: it cannot be decoded.
    """
    image = decode(payload, pixels)
    scale = pixels / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BICUBIC
    grey = np.asarray(image.convert("L").resize(size, way), np.float32)
    canvas = np.repeat(grey[:, :, None], 3, axis=2)
    largest = max((abs(part.lost) for part in _leaves(parts)), default=0.0)
    for part in _leaves(parts):
        if getattr(part, side) is not None and largest > 0:
            _tint(canvas, part, part.lost / largest)
    return Image.fromarray(canvas.round().astype(np.uint8))


def png(image: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _leaves(parts: Sequence[Part]) -> Iterator[Part]:
    """Regions that were not taken apart further."""
    for part in parts:
        if part.parts:
            yield from _leaves(part.parts)
        elif part.box is not None:
            yield part


def _tint(pixels: Float32, part: Part, strength: float) -> None:
    """Mix a colour into a region; strength lies in [-1, 1]."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = part.box or (0.0, 0.0, 0.0, 0.0)
    region = pixels[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]
    share = STRONGEST * abs(strength)
    region *= 1 - share
    region += share * np.array(FOR if strength > 0 else AGAINST, np.float32)
