"""Folders of images: the first sub-folder is the identity, the path inside the folder is the id.

Every file is opened and decoded once, so that a broken or oversized image is reported here and not
in the middle of training. The bytes are read again when they are needed.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
from gemel.data.dataset import UNKNOWN, BadRecord, Dataset, codes, digest_of
from gemel.data.sources import thumbnails
from gemel.data.sources.rows import Columns, plain
from gemel.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
MAX_PIXELS = 64_000_000
"""Images with more pixels are refused before they are decoded."""


@dataclass(frozen=True)
class ImageFile:
    """An image on disk and the SHA-256 of its bytes when it was read and checked."""

    path: Path
    sha256: str


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images on disk, one a record."""

    files: tuple[ImageFile, ...]
    frame: None = None

    def payloads(self, idx: Int64) -> list[bytes]:
        """The bytes of each file.

        Raises:
            DataError: a file is gone or unreadable.
        """
        return [_bytes_of(self.files[i].path) for i in idx.tolist()]

    def take(self, idx: Int64) -> ImageFiles:
        """The files at these positions."""
        return ImageFiles(tuple(self.files[i] for i in idx.tolist()))

    def digest(self, dataset: Dataset) -> str:
        """Of the sorted ids with identity and SHA-256."""
        return digest_of(dataset, [file.sha256 for file in self.files])

    def alike(self, side: Int64, *, near: bool) -> tuple[NDArray[np.integer[Any]], Int64]:
        """Equal pixels are the same, see `thumbnails.near` for near; each is decoded once."""
        digests, rows = thumbnails.thumbnails(_bytes_of(file.path) for file in self.files)
        close = thumbnails.near(rows, side)[0] if near else np.zeros((0, 2), np.int64)
        return np.unique(digests, return_inverse=True)[1], close

    def shown(self, i: int) -> str:
        """Nothing: the id of an image is its path."""
        return ""


def read(path: Path, said: Columns) -> Dataset:
    """The images of a folder, of which no column can be said.

    Raises:
        DataError: as `read_folder`, or a category or groups were named.
    """
    plain(said, path)
    return read_folder(path)


def read_folder(folder: Path) -> Dataset:
    """Every image below a folder, refused ones reported; identity = first sub-folder.

    A folder without sub-folders gives images of unknown identity.

    Raises:
        DataError: the folder holds no image.
    """
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not _hidden(p, folder)]
    images = [p for p in files if p.suffix.lower() in SUFFIXES]
    if not images:
        raise DataError("no images", where=str(folder), hint=f"known: {' '.join(SUFFIXES)}")
    nested = any(p.parent != folder for p in images)
    stray = {p for p in images if nested and p.parent == folder}
    lost = [
        BadRecord(str(p), None, None, "not in the sub-folder of an identity") for p in sorted(stray)
    ]
    named = [(p.relative_to(folder).as_posix(), p) for p in images if p not in stray]
    dataset = _checked(named, str(folder))
    names = [i.split("/")[0] if nested else None for i in dataset.ids.tolist()]
    code, identity_names = codes(names)
    return replace(
        dataset,
        identities=code,
        identity_names=identity_names,
        bad=(*lost, *dataset.bad),
        n_read=len(images),
        notes=_notes(folder, [p for p in files if p.suffix.lower() not in SUFFIXES]),
    )


def read_files(folder: Path, names: Sequence[str]) -> Dataset:
    """The images of these paths relative to a folder, refused ones reported; id = path as given."""
    return _checked([(n, folder / n) for n in names], str(folder))


def _checked(named: Sequence[tuple[str, Path]], source: str) -> Dataset:
    """A dataset of those images that can be decoded; identities unknown."""
    fine: list[tuple[str, ImageFile]] = []
    bad: list[BadRecord] = []
    for name, path in named:
        sha256, reason = check(path)
        if reason:
            bad.append(BadRecord(str(path), None, None, reason))
        else:
            fine.append((name, ImageFile(path, sha256)))
    return Dataset(
        modality="image",
        contents=ImageFiles(tuple(file for _, file in fine)),
        fields=(),
        ids=np.array([name for name, _ in fine], dtype=np.str_),
        identities=np.full(len(fine), UNKNOWN, dtype=np.int64),
        identity_names=(),
        bad=tuple(bad),
        source=source,
        n_read=len(named),
    )


def check(path: Path) -> tuple[str, str]:
    """SHA-256 of the file, and why it is no usable image (empty if it is)."""
    try:
        data = path.read_bytes()
    except OSError as e:
        return "", f"cannot read the file: {e.strerror}"
    return hashlib.sha256(data).hexdigest(), fault(data)


def fault(data: bytes) -> str:
    """Why the bytes are no usable image: broken, unknown or too large; empty if they are."""
    from PIL import Image, UnidentifiedImageError

    if not data:
        return "the file is empty"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    return f"{width} x {height} pixels, at most {MAX_PIXELS:,} are read"
                image.draft("RGB", (64, 64))
                image.load()
    except UnidentifiedImageError:
        return "not an image"
    except Image.DecompressionBombError:
        return f"more than {MAX_PIXELS:,} pixels"
    except (OSError, ValueError, SyntaxError, IndexError, KeyError, EOFError, OverflowError) as e:
        # Pillow's decoders raise all of these on damaged files.
        return f"broken image: {e}"
    return ""


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise DataError(f"cannot read the image: {e.strerror}", where=str(path)) from e


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _notes(folder: Path, others: Sequence[Path]) -> tuple[str, ...]:
    if not others:
        return ()
    names = ", ".join(p.relative_to(folder).as_posix() for p in others[:3])
    more = f" and {len(others) - 3:,} more" if len(others) > 3 else ""
    return (f"not read, no image by its name: {names}{more}",)
