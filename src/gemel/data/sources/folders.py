"""Folders of files, one a record: the first sub-folder is the identity, the path in it the id.

Every file is opened and decoded once, as training and serving decode it, so that a broken or
oversized one is reported here and not in the middle of training. The bytes are read again when they
are needed. What a kind of file is, its modality says.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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

SHOWN = 3
"""Names that a note has."""


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
        remark: what a user should know of the bytes of a usable file, in words that many files
            share; empty if nothing.
    """

    modality: str
    suffixes: tuple[str, ...]
    nouns: tuple[str, str]
    fault: Callable[[bytes], str]
    is_one: Callable[[Path], bool] = lambda path: False
    unread: tuple[tuple[str, ...], str] = ((), "")
    contents: Callable[[tuple[FileOnDisk, ...]], Contents] = Files
    remark: Callable[[bytes], str] = lambda data: ""


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
    files, unseen = _files(folder)
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
    used = {at for p in found for at in p.parents}
    others = {
        f"no {kind.nouns[0]} by its name": [p for p in files if not _is(kind, p)],
        "hidden": [p for p in unseen.hidden if _is(kind, p)],
        "a link to a folder": unseen.linked,
        "a link to nothing": unseen.dangling,
        f"a folder without {kind.nouns[1]}": [p for p in unseen.folders if p not in used],
    }
    notes = [_listed(f"not read, {what}", folder, paths) for what, paths in others.items() if paths]
    return replace(dataset, notes=(*notes, *shape, *dataset.notes, *_in_two_classes(dataset)))


def below(folder: Path, kind: Kind) -> list[tuple[str, Path]]:
    """The files of a kind below a folder, with their paths in it; see `read`."""
    return [(p.relative_to(folder).as_posix(), p) for p in _files(folder)[0] if _is(kind, p)]


def checked(named: Sequence[tuple[str, Path]], source: str, kind: Kind) -> Dataset:
    """A dataset of those files, by the names that become ids, that can be decoded.

    Identities are unknown.
    """
    fine: list[tuple[str, FileOnDisk]] = []
    bad: list[BadRecord] = []
    remarks: dict[str, list[str]] = {}
    for name, path in named:
        sha256, reason, remark = _check(path, kind)
        wrong = fault_of_id(name)
        reason = f"its name {wrong}: rename it" if wrong else reason
        if reason:
            bad.append(BadRecord(printable(str(path)), None, None, reason))
        else:
            fine.append((name, FileOnDisk(path, sha256)))
            if remark:
                remarks.setdefault(remark, []).append(name)
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
        notes=tuple(f"{what}: {some(names)}" for what, names in sorted(remarks.items())),
    )


def _check(path: Path, kind: Kind) -> tuple[str, str, str]:
    """SHA-256 of the file, why it is not usable (empty if it is), and what is said of it."""
    unread, instead = kind.unread
    if path.suffix.lower() in unread:
        return "", f"{path.suffix[1:].upper()} is not read: {instead}", ""
    try:
        data = path.read_bytes()
    except OSError as e:
        return "", f"cannot read the file: {e.strerror}", ""
    fault = kind.fault(data)
    return hashlib.sha256(data).hexdigest(), fault, "" if fault else kind.remark(data)


def _is(kind: Kind, path: Path) -> bool:
    """By its name; where that says nothing, by its first bytes."""
    if path.suffix:
        return path.suffix.lower() in (*kind.suffixes, *kind.unread[0])
    return kind.is_one(path)


@dataclass
class _Unseen:
    """What is below a folder and is no file to look at.

    Attributes:
        hidden: files.
        linked: links to folders.
        dangling: links to what is not there.
        folders: all of them, with and without files.
    """

    hidden: list[Path] = field(default_factory=list)
    linked: list[Path] = field(default_factory=list)
    dangling: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)


def _files(folder: Path) -> tuple[list[Path], _Unseen]:
    """The files below a folder, in order, without those in hidden folders; and what else is."""

    def refuse(e: OSError) -> None:
        raise DataError(f"cannot read the folder: {e.strerror}", where=str(e.filename)) from e

    files, unseen = [], _Unseen()
    for place, folders, names in os.walk(folder, onerror=refuse):
        here = Path(place)
        folders[:] = sorted(n for n in folders if not n.startswith("."))
        for path in (here / n for n in folders):
            (unseen.linked if path.is_symlink() else unseen.folders).append(path)
        for path in (here / n for n in sorted(names)):
            if path.name.startswith("."):
                unseen.hidden.append(path)
            elif path.is_file():
                files.append(path)
            elif path.is_symlink():
                unseen.dangling.append(path)
    return sorted(files), unseen


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
    """A note on files that are in more than one class."""
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
    return (
        "equal files are in two classes: one is wrong, unless two things look just so "
        f"(blank, mirrored): {some}{more}",
    )


def _listed(what: str, folder: Path, paths: Sequence[Path]) -> str:
    return f"{what}: {some([p.relative_to(folder).as_posix() for p in paths])}"


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"{', '.join(map(printable, names[:SHOWN]))}{more}"
