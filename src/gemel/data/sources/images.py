"""Folders of image files as records, each decoded when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
from gemel.data.dataset import Dataset
from gemel.data.sources import folders
from gemel.data.sources.columns import Columns

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
UNREAD = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".nef")
"""Images by their name, of formats that are not read: each file is refused by name."""


@dataclass(frozen=True, eq=False)
class ImageFiles(folders.Files):
    """Images on disk, one a record."""

    def alike(self, side: Int64, *, near: bool) -> tuple[NDArray[np.integer[Any]], Int64]:
        """Equal pixels are the same, see `thumbnails.near` for near; each is decoded once."""
        from gemel.data.sources import thumbnails

        digests, rows = thumbnails.thumbnails(file.read() for file in self.files)
        close = thumbnails.near(rows, side)[0] if near else np.zeros((0, 2), np.int64)
        return np.unique(digests, return_inverse=True)[1], close


def read(path: Path, said: Columns) -> Dataset:
    """The images below a folder; see `folders.read`."""
    return folders.read(path, said, KIND)


def read_files(folder: Path, names: Sequence[str]) -> Dataset:
    """The images of these paths relative to a folder, refused ones reported; id = path as given."""
    return folders.checked([(n, folder / n) for n in names], str(folder), KIND)


def fault(data: bytes) -> str:
    """Why the bytes are no usable image: broken, unknown or too large; empty if they are."""
    from gemel.data.sources import pixels

    try:
        pixels.SEEN(pixels.opened(data, 64))
    except pixels.Unusable as e:
        return str(e)
    return ""


def _remark(data: bytes) -> str:
    from gemel.data.sources import pixels

    return pixels.remark(data)


def _starts_as_one(path: Path) -> bool:
    from gemel.data.sources.pixels import starts_an_image

    try:
        with path.open("rb") as file:
            return starts_an_image(file.read(16))
    except OSError:
        return False


KIND = folders.Kind(
    "image",
    SUFFIXES,
    ("image", "images"),
    fault,
    _starts_as_one,
    (UNREAD, "save it as JPEG or PNG"),
    ImageFiles,
    _remark,
)
