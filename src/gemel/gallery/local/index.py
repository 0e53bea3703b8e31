"""The index file of a gallery: built from a view, saved beside the rows, rebuilt when in doubt.

The database names the one file that is valid by its digest and the change it reaches to. A file
that is missing, truncated, from another history or of another engine is ignored, never trusted
and never an error: the gallery scans until a new one is built.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from gemel.arrays import Int64, unit_rows
from gemel.errors import GalleryError
from gemel.files import draft_of
from gemel.gallery.candidates import TIE
from gemel.gallery.engines import open_engine, sealed
from gemel.gallery.local.memory import View
from gemel.gallery.local.search import COSINE, Index, Search

PREFIX = "index-"
SUFFIX = ".gemelix"
META_KEY = "index"
CHUNK = 2048
MAX_GONE = 0.25
SAMPLE = 128
SAMPLE_K = 10
NOISE = 0.3
WIDTHS = (16, 32, 64, 128, 256, 512)
TARGET_RECALL = 0.99


class Abandoned(Exception):
    """The gallery closes; an index that is half built is dropped."""


@dataclass(frozen=True)
class IndexNote:
    """What the database says about the valid index file."""

    file: str
    engine: str
    last_seq: int
    seal: str
    recall: float


def load(folder: Path, note: str | None, name: str, dim: int) -> Index | None:
    """The saved index that the note of the database names, or None if there is no usable one."""
    if not note:
        return None
    try:
        said = msgspec.json.decode(note, type=IndexNote)
        path = folder / said.file
        if said.engine != name or sealed.seal(path) != said.seal:
            return None
        engine = open_engine(name, dim)
        engine.load(path)
    except (GalleryError, msgspec.MsgspecError):
        return None
    return Index(engine, name, said.last_seq, said.recall)


def named(note: str | None) -> str | None:
    """The file that the note of the database names."""
    try:
        return msgspec.json.decode(note, type=IndexNote).file if note else None
    except msgspec.MsgspecError:
        return None


def save(index: Index, folder: Path) -> IndexNote:
    """Write the index to a file of its own; it counts once the note is in the database.

    Raises:
        GalleryError: the file cannot be written.
    """
    path = folder / f"{PREFIX}{index.last_seq}{SUFFIX}"
    try:
        index.engine.save(path)
    except OSError as e:
        raise GalleryError(
            f"cannot save the index: {e.strerror}",
            where=str(path),
            hint="searches go on without it; free some space or make the directory writable",
        ) from e
    return IndexNote(path.name, index.name, index.last_seq, sealed.seal(path), index.recall)


def encoded(note: IndexNote) -> dict[str, str]:
    """The note as the database stores it."""
    return {META_KEY: msgspec.json.encode(note).decode()}


def remove_others(folder: Path, keep: str | None) -> None:
    """Delete index files, also half written ones, that the database does not name."""
    drafts = folder.glob(draft_of(folder / f"{PREFIX}*").name)
    for path in (*folder.glob(f"{PREFIX}*"), *drafts):
        if path.name != keep:
            remove(path)


def remove(path: Path) -> None:
    """Delete a file if that is possible; a file that stays costs space only."""
    with contextlib.suppress(OSError):
        path.unlink()


def build(
    view: View,
    previous: Index | None,
    *,
    name: str,
    folder: Path,
    note: str | None,
    stopping: Callable[[], bool],
) -> Index:
    """An index of all rows of a view.

    Starts from the saved previous one unless too much of it is gone. Never touches an engine that
    others search.

    Args:
        view: the rows.
        previous: the index in use.
        name: engine to build.
        folder: where the previous one was saved.
        note: what the database says about it.
        stopping: asked between chunks.
    Raises:
        Abandoned: `stopping` said so.
    """
    dim = view.matrix.shape[1]
    copy = load(folder, note, name, dim) if previous is not None else None
    tail = 0
    if copy is not None:
        tail = int(np.searchsorted(view.seqs, copy.last_seq, side="right"))
        if copy.engine.count() - int(view.live[:tail].sum()) > MAX_GONE * copy.engine.count():
            copy, tail = None, 0
    engine = copy.engine if copy is not None else open_engine(name, dim)
    if copy is not None:
        engine.remove(_gone(view, tail, copy))
    slots = tail + np.flatnonzero(view.live[tail:])
    for start in range(0, len(slots), CHUNK):
        if stopping():
            raise Abandoned
        chunk = slots[start : start + CHUNK]
        engine.add(view.seqs[chunk], view.matrix[chunk])
    return _tuned(Index(engine, name, view.last_seq, 1.0), view)


def _gone(view: View, tail: int, copy: Index) -> Int64:
    """Every seq up to the index that is not live any more (unknown ones do no harm)."""
    live = view.seqs[:tail][view.live[:tail]]
    return np.setdiff1d(np.arange(1, copy.last_seq + 1), live, assume_unique=True)


def _tuned(index: Index, view: View) -> Index:
    """The index with the smallest search width that finds what an exact scan finds.

    Queries are rows of the gallery moved aside a little, since real queries are not enrolled.
    """
    rng = np.random.default_rng(0)
    slots = np.flatnonzero(view.live)
    if not len(slots):
        return index
    rows = view.matrix[rng.choice(slots, min(SAMPLE, len(slots)), replace=False)]
    aside = unit_rows(rng.standard_normal(rows.shape, dtype=np.float32))
    queries = unit_rows(rows + np.float32(NOISE) * aside)
    floor = Search.over(view, COSINE, {}).floor(queries, SAMPLE_K)
    recall = 0.0
    for width in WIDTHS:
        index.engine.width = width
        _, scores = index.engine.search(queries, SAMPLE_K)
        recall = float((scores >= floor[:, None] - TIE).mean())
        if recall >= TARGET_RECALL:
            break
    return Index(index.engine, index.name, index.last_seq, recall)
