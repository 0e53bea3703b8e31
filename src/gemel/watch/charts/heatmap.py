"""How the regions of an explained pair are tinted: for a match, or against it.

How strong a tint is, is relative to the strongest region of the pair; a modality draws it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Literal

from gemel.encode.modality import Modality, Payload, Tint
from gemel.tasks.explain import Part

SIDE = 256
GAP = 8

Side = Literal["left", "right"]


def pictures(
    kind: Modality, pair: tuple[Payload, Payload], parts: Sequence[Part], size: int = SIDE
) -> tuple[bytes, bytes] | None:
    """Both payloads with their regions tinted, as PNG files; None for what has no picture.

    Args:
        kind: draws them.
        pair: the two payloads.
        parts: of their explanation.
        size: pixels of the longer side.
    Raises:
        InvalidInput: one cannot be drawn.
    """
    left = kind.picture(pair[0], tints(parts, "left"), size)
    right = kind.picture(pair[1], tints(parts, "right"), size)
    return None if left is None or right is None else (left, right)


def tints(parts: Sequence[Part], side: Side) -> list[Tint]:
    """The regions of one side, and how strongly each speaks for a match, in [-1, 1]."""
    largest = max((abs(part.lost) for part, _ in _leaves(parts)), default=0.0)
    if largest == 0:
        return []
    shown = ((part, box) for part, box in _leaves(parts) if getattr(part, side) is not None)
    return [(box, part.lost / largest) for part, box in shown]


def sheet(pictures: tuple[bytes, bytes]) -> bytes:
    """Two pictures side by side as one PNG file."""
    from PIL import Image

    images = [Image.open(io.BytesIO(picture)) for picture in pictures]
    size = (sum(i.width for i in images) + GAP, max(image.height for image in images))
    both = Image.new("RGBA", size, (0, 0, 0, 0))
    both.paste(images[0], (0, 0))
    both.paste(images[1], (images[0].width + GAP, 0))
    file = io.BytesIO()
    both.save(file, "PNG", optimize=True)
    return file.getvalue()


def _leaves(parts: Sequence[Part]) -> Iterator[tuple[Part, tuple[float, float, float, float]]]:
    """Regions that were not taken apart further, and where they are."""
    for part in parts:
        if part.parts:
            yield from _leaves(part.parts)
        elif part.box is not None:
            yield part, part.box
