"""What an image is made of: regions, and regions of regions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.encode.image.prepare import ImagePrepare, border
from gemel.encode.modality import Payload
from gemel.encode.parts import Box, Cut

GRID = 4
"""Large regions along each side of an image; taken apart, each is four."""


class ImageParts:
    """Regions of an image; taken away, they have the colour of its border, as padding has.

    The image is cut after it was brought to the network's size, which is where a region is as
    cheap as a few bytes, and exact: the uncut square encodes as the image does.

    Args:
        prepare: says what the network sees of an image.
        payload: bytes of the file.
    Raises:
        InvalidInput: it cannot be decoded.
    """

    def __init__(self, prepare: ImagePrepare, payload: Payload) -> None:
        self.payload = payload
        image = prepare.decode(payload)
        side = max(image.size)
        self._size = prepare.size
        self._share = (image.width / side, image.height / side)
        self._start = ((side - image.width) // 2 / side, (side - image.height) // 2 / side)
        square = prepare.square(image)
        self._pixels = np.asarray(square)
        self._fill = border(square)
        self._head = f"P{5 if prepare.channels == 1 else 6} {self._size} {self._size} 255\n"

    def coarse(self) -> list[Cut]:
        """A grid of regions, without those that are padding only."""
        n = min(GRID, self._size)
        return self._cells(n, [(row, column) for row in range(n) for column in range(n)])

    def finer(self, cut: Cut) -> list[Cut]:
        """The four quarters of a region."""
        n, row, column = cut.key
        if 2 * n > self._size:
            return []
        return self._cells(2 * n, [(2 * row + i, 2 * column + j) for i in (0, 1) for j in (0, 1)])

    def borrowed(self, cut: Cut, other: Payload) -> None:
        """None: what is where in two images need not correspond."""

    def nothing(self) -> Payload:
        """The colour of the border, everywhere."""
        return self._without(slice(None), slice(None))

    def _cells(self, n: int, cells: Sequence[tuple[int, int]]) -> list[Cut]:
        edge = np.round(np.linspace(0, self._size, n + 1)).astype(int).tolist()
        cuts = []
        for row, column in cells:
            box = self._box(edge[column : column + 2], edge[row : row + 2])
            if box[0] < box[2] and box[1] < box[3]:
                rest = self._without(slice(*edge[row : row + 2]), slice(*edge[column : column + 2]))
                name = f"row {row + 1}, column {column + 1} of {n}"
                cuts.append(Cut(name, rest, (n, row, column), box))
        return cuts

    def _without(self, rows: slice, columns: slice) -> bytes:
        """The square as a PPM or PGM file, with a region painted over."""
        pixels = self._pixels.copy()
        pixels[rows, columns] = self._fill
        return self._head.encode() + pixels.tobytes()

    def _box(self, across: Sequence[int], down: Sequence[int]) -> Box:
        """A region of the square as shares of the image in it."""
        x, y = (
            [min(max((at / self._size - start) / share, 0.0), 1.0) for at in ends]
            for ends, start, share in zip((across, down), self._start, self._share, strict=True)
        )
        return (x[0], y[0], x[1], y[1])
