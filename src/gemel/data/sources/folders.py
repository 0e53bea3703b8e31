"""Folders of files, one a record: the first sub-folder is the identity, the path in it the id.

Every file is opened and decoded once, as training and serving decode it, so that a broken or
oversized one is reported here and not in the middle of training. The bytes are read again when they
are needed. What a kind of file is, its modality says.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
from gemel.data.dataset import (
    UNKNOWN,
    BadRecord,
    Contents,
    Dataset,
    codes,
    digest_of,
    fault_of_id,
    printable,
)
from gemel.data.sources.columns import Columns, of_folder
from gemel.errors import DataError


@dataclass(frozen=True)
class FileOnDisk:
    """A file and the SHA-256 of its bytes when it was read and checked."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """Its bytes, read now.

        Raises:
            DataError: it is gone or unreadable.
        """
        try:
            return self.path.read_bytes()
        except OSError as e:
            raise DataError(f"cannot read the file: {e.strerror}", where=str(self.path)) from e


@dataclass(frozen=True, eq=False)
class Files:
    """Files on disk, one a record; two with the same bytes are the same."""

    files: tuple[FileOnDisk, ...]
    frame: None = None

    def payloads(self, idx: Int64) -> list[bytes]:
        """The bytes of each file.

        Raises:
            DataError: a file is gone or unreadable.
        """
        return [self.files[i].read() for i in idx.tolist()]

    def take(self, idx: Int64) -> Self:
        """The files at these positions."""
        return replace(self, files=tuple(self.files[i] for i in idx.tolist()))

    def digest(self, dataset: Dataset) -> str:
        """Of the ids with identity and SHA-256."""
        return digest_of(dataset, [file.sha256 for file in self.files])

    def alike(self, side: Int64, *, near: bool) -> tuple[NDArray[np.integer[Any]], Int64]:
        """Equal bytes are the same; none is near."""
        keys = np.unique([file.sha256 for file in self.files], return_inverse=True)[1]
        return keys, np.zeros((0, 2), np.int64)

    def shown(self, i: int) -> str:
        """Nothing: the id of a file is its path."""
        return ""


@dataclass(frozen=True)
class Kind:
    """What a folder is looked through for.

    Args:
        modality: of the records.
        suffixes: that such files have.
        nouns: what people call one and several.
        is_one: whether a file is such a one, by its name or first bytes.
        fault: why its bytes are not usable; empty if they are.
        unread: suffixes of such files that are not read, and what to do with them.
        contents: that files become.
    """

    modality: str
    suffixes: tuple[str, ...]
    nouns: tuple[str, str]
    fault: Callable[[bytes], str]
    is_one: Callable[[Path], bool] = lambda path: False
    unread: tuple[tuple[str, ...], str] = ((), "")
    contents: Callable[[tuple[FileOnDisk, ...]], Contents] = Files


def read(folder: Path, said: Columns, kind: Kind) -> Dataset:
    """Every file of a kind below a folder, refused ones reported.

    A folder without sub-folders gives records of unknown identity.

    Args:
        folder: is searched with its sub-folders; links to folders are not followed.
        said: `depth` sub-folders name the identity together: 1, the first; 0, all of them.
        kind: what is looked for.
    Raises:
        DataError: the folder holds no such file, or cannot be read; or columns were named.
    """
    of_folder(said, folder)
    depth = said.depth
    files, linked = _files(folder)
    found = [p for p in files if _is(kind, p)]
    if not found:
        known = f"known: {' '.join(kind.suffixes)}"
        raise DataError(f"no {kind.nouns[1]}", where=str(folder), hint=known)
    levels = {p: len(p.relative_to(folder).parts) - 1 for p in found}
    least = max(depth, 1) if any(levels.values()) else 0
    stray = [p for p in found if levels[p] < least]
    lost = [BadRecord(printable(str(p)), None, None, _stray(least)) for p in stray]
    named = [(p.relative_to(folder).as_posix(), p) for p in found if levels[p] >= least]
    dataset = checked(named, str(folder), kind)
    names = [_class_of(i, depth) if least else None for i in dataset.ids.tolist()]
    code, identity_names = codes(names)
    dataset = replace(
        dataset,
        identities=code,
        identity_names=identity_names,
        bad=(*lost, *dataset.bad),
        n_read=len(found),
    )
    shape = _deeper(dataset.ids.tolist(), depth) if least else ()
    others = _others(folder, kind, [p for p in files if not _is(kind, p)], linked)
    return replace(dataset, notes=(*others, *shape, *_in_two_classes(dataset)))


def below(folder: Path, kind: Kind) -> list[tuple[str, Path]]:
    """The files of a kind below a folder, with their paths in it; see `read`."""
    return [(p.relative_to(folder).as_posix(), p) for p in _files(folder)[0] if _is(kind, p)]


def checked(named: Sequence[tuple[str, Path]], source: str, kind: Kind) -> Dataset:
    """A dataset of those files, by the names that become ids, that can be decoded.

    Identities are unknown.
    """
    fine: list[tuple[str, FileOnDisk]] = []
    bad: list[BadRecord] = []
    for name, path in named:
        sha256, reason = _check(path, kind)
        wrong = fault_of_id(name)
        reason = f"its name {wrong}: rename it" if wrong else reason
        if reason:
            bad.append(BadRecord(printable(str(path)), None, None, reason))
        else:
            fine.append((name, FileOnDisk(path, sha256)))
    return Dataset(
        modality=kind.modality,
        contents=kind.contents(tuple(file for _, file in fine)),
        fields=(),
        ids=np.array([name for name, _ in fine], dtype=np.str_),
        identities=np.full(len(fine), UNKNOWN, dtype=np.int64),
        identity_names=(),
        bad=tuple(bad),
        source=source,
        n_read=len(named),
    )


def _check(path: Path, kind: Kind) -> tuple[str, str]:
    """SHA-256 of the file, and why it is not usable (empty if it is)."""
    unread, instead = kind.unread
    if path.suffix.lower() in unread:
        return "", f"{path.suffix[1:].upper()} is not read: {instead}"
    try:
        data = path.read_bytes()
    except OSError as e:
        return "", f"cannot read the file: {e.strerror}"
    return hashlib.sha256(data).hexdigest(), kind.fault(data)


def _is(kind: Kind, path: Path) -> bool:
    """By its name; where that says nothing, by its first bytes."""
    if path.suffix:
        return path.suffix.lower() in (*kind.suffixes, *kind.unread[0])
    return kind.is_one(path)


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
    if not isinstance(contents, Files):
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


def _others(
    folder: Path, kind: Kind, others: Sequence[Path], linked: Sequence[Path]
) -> tuple[str, ...]:
    """Notes on what was not looked at."""
    notes = []
    for what, paths in (
        (f"no {kind.nouns[0]} by its name", others),
        ("a link to a folder", linked),
    ):
        names = ", ".join(printable(p.relative_to(folder).as_posix()) for p in paths[:3])
        more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
        notes += [f"not read, {what}: {names}{more}"] if paths else []
    return tuple(notes)
