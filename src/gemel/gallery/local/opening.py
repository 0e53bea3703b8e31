"""From a directory to an open database of the right space, and the right to change it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gemel.errors import GalleryError, SpaceMismatch
from gemel.files import Held, Lock
from gemel.gallery.local import rows as truth
from gemel.gallery.local.rows import Rows

LOCK = "writer.lock"


@dataclass(frozen=True)
class Opened:
    """A gallery directory in use; `lock` is None if it is open read-only."""

    folder: Path
    rows: Rows
    lock: Lock | None
    space_id: str
    dim: int

    def close(self) -> None:
        """Close the database, then let others write."""
        self.rows.close()
        if self.lock is not None:
            self.lock.release()


def open_folder(folder: Path, *, space_id: str | None, dim: int | None, write: bool) -> Opened:
    """The directory, opened; made if it is to be written, is new, and the space is known.

    Raises:
        GalleryError: there is no gallery, it is being written, or it cannot be read.
        SpaceMismatch: it belongs to another space.
    """
    if not (folder / truth.FILE).exists():
        if not write or space_id is None or dim is None:
            raise GalleryError(
                "there is no gallery here",
                where=str(folder),
                hint="make one with: gemel gallery enroll",
            )
        make_folder(folder)
    lock = writer_lock(folder) if write else None
    rows = None
    try:
        rows = Rows(folder, write=write)
        meta = rows.meta()
        if not meta and write and space_id is not None and dim is not None:
            rows.note({"format": truth.FORMAT, "space_id": space_id, "dim": str(dim)})
            rows.seal()
            meta = rows.meta()
        check_meta(meta, folder, space_id, dim)
    except BaseException:
        if rows is not None:
            rows.close()
        if lock is not None:
            lock.release()
        raise
    return Opened(folder, rows, lock, meta["space_id"], int(meta["dim"]))


def writer_lock(folder: Path) -> Lock:
    """The right to change the gallery in a directory.

    Raises:
        GalleryError: somebody else holds it, or the lock file cannot be written.
    """
    try:
        return Lock(folder / LOCK)
    except Held as e:
        raise GalleryError(
            f"{e.holder} is writing to this gallery",
            where=str(folder),
            hint="a gallery has one writer: stop that one, or let it do the work (gemel serve "
            "takes POST and DELETE /v1/records); gemel serve --read-only answers beside it",
        ) from e
    except OSError as e:
        raise GalleryError(
            f"cannot write here: {e.strerror}",
            where=str(folder),
            hint="make the directory writable",
        ) from e


def make_folder(folder: Path) -> None:
    """Make the directory and those above it.

    Raises:
        GalleryError: that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise GalleryError(
            f"cannot make the directory: {e.strerror}",
            where=str(folder),
            hint="choose another place, or make the one above writable",
        ) from e


def check_meta(meta: dict[str, str], folder: Path, space_id: str | None, dim: int | None) -> None:
    """Raise unless the gallery is of this format, space and dimension."""
    if not {"format", "space_id", "dim"} <= meta.keys():
        raise GalleryError("the database is not that of a gallery", where=str(folder / truth.FILE))
    if meta["format"] != truth.FORMAT:
        raise GalleryError(
            f"gallery format {meta['format']!r}, this version reads {truth.FORMAT!r}",
            where=str(folder / truth.FILE),
            hint="open it with the version of gemel that wrote it",
        )
    hint = "embeddings of different spaces cannot be compared: enroll into a new gallery"
    if space_id not in (None, meta["space_id"]):
        raise SpaceMismatch(
            f"the gallery is of space {meta['space_id'][:12]}, not {str(space_id)[:12]}",
            where=str(folder),
            hint=hint,
        )
    if dim not in (None, int(meta["dim"])):
        raise SpaceMismatch(
            f"the gallery has dimension {meta['dim']}, not {dim}", where=str(folder), hint=hint
        )


@dataclass(frozen=True)
class RecordIds(Collection[str]):
    """Ids of the records in the gallery of a directory, without opening it; none if there is none.

    They are read whenever they are asked for, in order; `GalleryError` if that is not possible.
    """

    folder: Path

    def __len__(self) -> int:
        with self._rows() as rows:
            return 0 if rows is None else rows.counts()[0]

    def __iter__(self) -> Iterator[str]:
        with self._rows() as rows:
            yield from () if rows is None else rows.ids()

    def __contains__(self, record: object) -> bool:
        with self._rows() as rows:
            return rows is not None and bool(rows.present([str(record)]))

    @contextmanager
    def _rows(self) -> Iterator[Rows | None]:
        if not (self.folder / truth.FILE).is_file():
            yield None
            return
        rows = Rows(self.folder, write=False)
        try:
            yield rows
        finally:
            rows.close()
