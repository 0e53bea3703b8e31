"""A gallery that nobody has open: its ids, and records that go, without reading the others.

To take somebody out of a gallery that is not served, its embeddings need not be in memory. Whoever
opens it later finds what was done here as it finds any change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np

from gemel.errors import GalleryError
from gemel.gallery.local import rows as truth
from gemel.gallery.local.opening import Opened, open_folder

ERASED = "erased"
"""Key in the meta table: head of the ledger at the last delete that was carried out here."""


class Shut:
    """A gallery in a directory, to take records out; use it in a `with`.

    Args:
        folder: of the gallery.
        write: be its one writer; else only what is there is told.

    Raises:
        GalleryError: there is none, somebody else writes to it, or it cannot be read.
    """

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        self._opened: Opened = open_folder(folder, space_id=None, dim=None, write=write)
        self.path, self.space_id = folder, self._opened.space_id

    def ids(self) -> Iterator[str]:
        """Every record, by its id."""
        return self._opened.rows.ids()

    def delete(self, ids: Iterable[str]) -> int:
        """Take records out, as `Gallery.delete` does; how many were there."""
        rows = self._opened.rows
        present = rows.present(ids)
        if present:
            rows.delete(rows.last_seq() + 1 + np.arange(len(present), dtype=np.int64), present)
        return len(present)

    def erased(self) -> str:
        """Up to which delete of the ledger this was done here; empty for none."""
        return self._opened.rows.meta().get(ERASED, "")

    def note_erased(self, head: str) -> None:
        """Note that everything up to a delete of the ledger was done here."""
        self._opened.rows.note({ERASED: head})

    def close(self) -> None:
        """Let others write."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def folders(beside: Path) -> list[Path]:
    """The directories of galleries in a folder, in order; none if there is no such folder."""
    try:
        return sorted(file.parent for file in beside.glob(f"*/{truth.FILE}"))
    except OSError as e:
        raise GalleryError(f"cannot be read: {e.strerror}", where=str(beside)) from e
