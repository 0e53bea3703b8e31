"""What a payload is made of: its parts, and the payload without one of them.

A payload with a part taken away is a payload like any other, so that whatever encodes and scores
payloads can tell what the part was worth. Parts come coarse first (fields, large regions), and a
part can be taken apart again (words, smaller regions). A new modality is explained by one more
class here; nothing is known of scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from gemel.encode.encoder import Payload, Prepare
from gemel.encode.prepare_image import ImagePrepare, border, decode
from gemel.encode.prepare_tabular import Row, RowPrepare, folded
from gemel.errors import InvalidInput

MAX_FIELDS = 32
"""Fields that are taken away one by one; more are first taken away in groups."""
MAX_WORDS = 12
"""Different words of a field that are taken away one by one; more go in runs of words."""
MAX_TEXT = 2048
"""Characters of a field in which words are looked for, far more than are encoded."""
GRID = 4
"""Large regions along each side of an image; taken apart, each is four."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as shares of an image's width and height."""


@dataclass(frozen=True)
class Cut:
    """A part, and what is left without it.

    Attributes:
        name: of the part; on rows, the same part of another row has the same name.
        without: the payload without it.
        key: where it is, for taking it apart; empty if it cannot be.
        box: where it is in an image, None elsewhere.
    """

    name: str
    without: Payload
    key: tuple[Any, ...]
    box: Box | None = None


class Parts(Protocol):
    """The parts of one payload."""

    payload: Payload

    def coarse(self) -> list[Cut]:
        """Few parts that make up the payload."""

    def finer(self, cut: Cut) -> list[Cut]:
        """The parts of a part; none if it has no parts."""

    def borrowed(self, cut: Cut, other: Payload) -> Payload | None:
        """The payload with a part as the other one has it; None where that is the same, or moot."""

    def nothing(self) -> Payload:
        """The payload with everything taken away."""


def parts(prepare: Prepare, payload: Payload) -> Parts:
    """The parts of a checked payload.

    Raises:
        InvalidInput: this version cannot take apart what the preprocessing takes.
    """
    if isinstance(prepare, RowPrepare) and isinstance(payload, dict):
        return RowParts(prepare, payload)
    if isinstance(prepare, ImagePrepare):
        return ImageParts(prepare, payload)
    raise InvalidInput(f"a payload of modality {prepare.modality!r} cannot be taken apart")


class RowParts:
    """Fields of a row, and words of a text field; taken away, they are missing.

    Args:
        prepare: says which fields there are.
        payload: the row.
    """

    def __init__(self, prepare: RowPrepare, payload: dict[str, Any]) -> None:
        self.payload: Payload = payload
        self._row: Row = payload
        self._names = [f.name for f in prepare.fields]
        self._texts = {f.name for f in prepare.fields if f.kind == "text"}

    def coarse(self) -> list[Cut]:
        """Each field that has a value; neighbouring fields together if there are very many."""
        return self._fields(_groups(self._names, MAX_FIELDS))

    def finer(self, cut: Cut) -> list[Cut]:
        """The fields of a group, the words of a text field."""
        if len(cut.key) == 1:
            return self._words(cut.key[0]) if cut.key[0] in self._texts else []
        return self._fields([[name] for name in cut.key])

    def borrowed(self, cut: Cut, other: Payload) -> Payload | None:
        """The row with a field's value taken from the other row, if that has another one."""
        if not isinstance(other, dict):
            return None
        values = {name: other.get(name) for name in cut.key}
        there = any(value not in (None, "") for value in values.values())
        if not there or all(_same(self._row.get(name), v) for name, v in values.items()):
            return None
        return {**self._row, **values}

    def nothing(self) -> Payload:
        """A row without any value."""
        return {}

    def _fields(self, groups: Sequence[Sequence[str]]) -> list[Cut]:
        cuts = []
        for names in groups:
            if any(self._row.get(name) not in (None, "") for name in names):
                rest = {k: v for k, v in self._row.items() if k not in names}
                cuts.append(Cut(", ".join(names), rest, tuple(names)))
        return cuts

    def _words(self, field: str) -> list[Cut]:
        words = (self._row.get(field) or "")[:MAX_TEXT].split()
        kinds = [folded(word) for word in words]
        different = list(dict.fromkeys(kinds))
        if len(different) < 2:
            return []
        if len(different) <= MAX_WORDS:
            runs = [[i for i, k in enumerate(kinds) if k == kind] for kind in different]
            names = different
        else:
            runs = _groups(range(len(words)), MAX_WORDS)
            names = [" ".join(kinds[i] for i in run) for run in runs]
        cuts: dict[str, Cut] = {}
        for name, run in zip(names, runs, strict=True):
            rest = " ".join(word for i, word in enumerate(words) if i not in run)
            row = {**self._row, field: rest or None}
            cuts.setdefault(name, Cut(f"{field}: {name}", row, ()))
        return list(cuts.values())


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
        image = decode(payload, prepare.size)
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


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a field are prepared alike."""
    if isinstance(one, str) and isinstance(other, str):
        return folded(one) == folded(other)
    return bool(one == other)


def _groups(items: Sequence[Any], n: int) -> list[list[Any]]:
    """At most n runs of neighbouring items, about equally long."""
    n = max(1, min(n, len(items)))
    edge = [len(items) * i // n for i in range(n + 1)]
    return [list(items[start:stop]) for start, stop in pairwise(edge)]
