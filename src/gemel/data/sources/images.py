"""Folders of images: the first sub-folder is the identity, the path inside the folder is the id.

Every file is opened and decoded once, as training and serving decode it, so that a broken or
oversized image is reported here and not in the middle of training. The bytes are read again when
they are needed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
from gemel.data.dataset import (
    UNKNOWN,
    BadRecord,
    Dataset,
    codes,
    digest_of,
    fault_of_id,
    printable,
)
from gemel.data.sources.rows import Columns, plain
from gemel.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
UNREAD = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".nef")
"""Images by their name, of formats that are not read: each file is refused by name."""


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
        from gemel.data.sources import thumbnails

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
    return read_folder(path, depth=said.depth)


def read_folder(folder: Path, *, depth: int = 1) -> Dataset:
    """Every image below a folder, refused ones reported.

    A folder without sub-folders gives images of unknown identity.

    Args:
        folder: is searched with its sub-folders; links to folders are not followed.
        depth: sub-folders that name the identity together: 1, the first; 0, all of them.
    Raises:
        DataError: the folder holds no image, or cannot be read.
    """
    files, linked = _files(folder)
    images = [p for p in files if _is_image(p)]
    if not images:
        raise DataError("no images", where=str(folder), hint=f"known: {' '.join(SUFFIXES)}")
    levels = {p: len(p.relative_to(folder).parts) - 1 for p in images}
    least = max(depth, 1) if any(levels.values()) else 0
    stray = [p for p in images if levels[p] < least]
    lost = [BadRecord(printable(str(p)), None, None, _stray(least)) for p in stray]
    named = [(p.relative_to(folder).as_posix(), p) for p in images if levels[p] >= least]
    dataset = _checked(named, str(folder))
    names = [_class_of(i, depth) if least else None for i in dataset.ids.tolist()]
    code, identity_names = codes(names)
    dataset = replace(
        dataset,
        identities=code,
        identity_names=identity_names,
        bad=(*lost, *dataset.bad),
        n_read=len(images),
    )
    shape = _deeper(dataset.ids.tolist(), depth) if least else ()
    others = _others(folder, [p for p in files if not _is_image(p)], linked)
    return replace(dataset, notes=(*others, *shape, *_in_two_classes(dataset)))


def read_files(folder: Path, names: Sequence[str]) -> Dataset:
    """The images of these paths relative to a folder, refused ones reported; id = path as given."""
    return _checked([(n, folder / n) for n in names], str(folder))


def _checked(named: Sequence[tuple[str, Path]], source: str) -> Dataset:
    """A dataset of those images that can be decoded; identities unknown."""
    fine: list[tuple[str, ImageFile]] = []
    bad: list[BadRecord] = []
    for name, path in named:
        sha256, reason = check(path)
        wrong = fault_of_id(name)
        reason = f"its name {wrong}: rename it" if wrong else reason
        if reason:
            bad.append(BadRecord(printable(str(path)), None, None, reason))
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
    if path.suffix.lower() in UNREAD:
        return "", f"{path.suffix[1:].upper()} is not read: save it as JPEG or PNG"
    try:
        data = path.read_bytes()
    except OSError as e:
        return "", f"cannot read the file: {e.strerror}"
    return hashlib.sha256(data).hexdigest(), fault(data)


def fault(data: bytes) -> str:
    """Why the bytes are no usable image: broken, unknown or too large; empty if they are."""
    from gemel.data.sources import pixels

    try:
        pixels.SEEN(pixels.opened(data, 64))
    except pixels.Unusable as e:
        return str(e)
    return ""


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise DataError(f"cannot read the image: {e.strerror}", where=str(path)) from e


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """What is below a folder, without what is hidden: files, and links to folders."""

    def refuse(e: OSError) -> None:
        raise DataError(f"cannot read the folder: {e.strerror}", where=str(e.filename)) from e

    files, linked = [], []
    for place, folders, names in os.walk(folder, onerror=refuse):
        here = Path(place)
        folders[:] = [n for n in folders if not n.startswith(".")]
        linked += [here / n for n in folders if (here / n).is_symlink()]
        files += [here / n for n in names if not n.startswith(".") and (here / n).is_file()]
    return sorted(files), sorted(linked)


def _is_image(path: Path) -> bool:
    """By its name; where that says nothing, by its first bytes."""
    if path.suffix:
        return path.suffix.lower() in (*SUFFIXES, *UNREAD)
    from gemel.data.sources.pixels import starts_an_image

    try:
        with path.open("rb") as file:
            return starts_an_image(file.read(16))
    except OSError:
        return False


def _class_of(name: str, depth: int) -> str:
    """The sub-folders of a path that name the identity."""
    folders = name.split("/")[:-1]
    return "/".join(folders[:depth] if depth else folders)


def _stray(least: int) -> str:
    if least == 1:
        return "not in the sub-folder of an identity"
    return f"not in {least} sub-folders, which data.depth asks for"


def _deeper(names: Sequence[str], depth: int) -> tuple[str, ...]:
    """A note where classes have sub-folders that say nothing."""
    deep = next((n for n in names if n.count("/") > depth), None) if depth else None
    if deep is None:
        return ()
    here, below = _class_of(deep, depth), _class_of(deep, depth + 1)
    return (f"{deep} is of class {here!r}: data.depth = {depth + 1} makes it {below!r}",)


def _in_two_classes(dataset: Dataset) -> tuple[str, ...]:
    """A note on files that are in more than one class: one of them is wrong."""
    contents = dataset.contents
    if not isinstance(contents, ImageFiles):
        return ()
    first: dict[str, int] = {}
    twice = [
        (first[file.sha256], i)
        for i, file in enumerate(contents.files)
        if dataset.identities[first.setdefault(file.sha256, i)] != dataset.identities[i]
    ]
    if not twice:
        return ()
    some = "; ".join(f"{dataset.ids[a]} and {dataset.ids[b]}" for a, b in twice[:3])
    more = f"; {len(twice) - 3:,} more" if len(twice) > 3 else ""
    return (f"the same file is in two classes, one of which is wrong: {some}{more}",)


def _others(folder: Path, others: Sequence[Path], linked: Sequence[Path]) -> tuple[str, ...]:
    """Notes on what was not looked at."""
    notes = []
    for what, paths in (("no image by its name", others), ("a link to a folder", linked)):
        names = ", ".join(printable(p.relative_to(folder).as_posix()) for p in paths[:3])
        more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
        notes += [f"not read, {what}: {names}{more}"] if paths else []
    return tuple(notes)
