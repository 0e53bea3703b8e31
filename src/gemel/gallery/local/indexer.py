"""Keeps the index of an open gallery behind its rows by not too much, in the background.

Builds a new index beside the one in use and swaps it when it is saved. A failure costs speed,
never an answer: the gallery scans what the index does not hold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gemel.errors import GalleryError
from gemel.gallery.engines import REGISTRY
from gemel.gallery.local import index as files
from gemel.gallery.local.memory import View
from gemel.gallery.local.rows import Rows
from gemel.gallery.local.search import Index

AUTO = "auto"
AUTO_ENGINE = "hnsw"
EXACT_ROWS = 50_000


@dataclass(frozen=True)
class Indexing:
    """How a gallery is indexed.

    Args:
        engine: a registered engine, or auto.
        exact_rows: a scan answers up to so many rows: it is exact and about as quick.
        background: build when due; else only `LocalGallery.build_index` builds.
    """

    engine: str = AUTO
    exact_rows: int = EXACT_ROWS
    background: bool = True

    @property
    def name(self) -> str:
        """The engine that is meant.

        Raises:
            GalleryError: nobody registered that name.
        """
        name = AUTO_ENGINE if self.engine == AUTO else self.engine
        if name not in REGISTRY.names():
            raise GalleryError(
                f"unknown engine {name!r}", hint=f"one of: {', '.join((AUTO, *REGISTRY.names()))}"
            )
        return name


class Indexer:
    """The index in use, and the one thread that may be building the next.

    Args:
        folder: the directory of the gallery.
        rows: its database.
        how: engine and limits.
        view: gives the rows as they are now.
        write: may build; else only the saved index is used.
    """

    def __init__(
        self, folder: Path, rows: Rows, how: Indexing, view: Callable[[], View], *, write: bool
    ) -> None:
        self.index: Index | None = None
        self.problem: str | None = None
        self._folder, self._rows, self._how, self._view = folder, rows, how, view
        self._write = write
        self._note: str | None = None
        self._name = how.name
        self._busy = threading.Lock()
        self._closing = threading.Event()

    def load(self) -> None:
        """Use the saved index, if there is a valid one that is worth it."""
        note = self._rows.meta().get(files.META_KEY)
        view = self._view()
        if self._write:
            files.remove_others(self._folder, files.named(note))
        self._note = note
        if view.n_live > self._how.exact_rows:
            self.index = files.load(self._folder, note, self._name, view.matrix.shape[1])

    def follow(self) -> None:
        """Where another process builds, use what it has saved since."""
        if self._write or self._view().n_live <= self._how.exact_rows:
            return
        if self._rows.meta().get(files.META_KEY) != self._note:
            self.load()

    def wake(self) -> None:
        """Start building in the background if that is due and nobody does."""
        if not (self._write and self._how.background and self._is_due()):
            return
        if self._busy.acquire(blocking=False):
            threading.Thread(target=self._work, name="gemel-indexer", daemon=True).start()

    def build(self) -> None:
        """Bring the index up to date before returning.

        Raises:
            GalleryError: it cannot be built or saved.
        """
        with self._busy:
            view = self._view()
            if view.n_live <= self._how.exact_rows:
                return
            if self.index is None or view.n_behind(self.index.last_seq):
                self._build_once()

    def close(self) -> None:
        """Stop building; what is half done is dropped."""
        self._closing.set()
        with self._busy:
            self.index = None

    def _is_due(self) -> bool:
        view = self._view()
        if view.n_live <= self._how.exact_rows or self._closing.is_set():
            return False
        if self.index is None:
            return True
        behind = view.n_behind(self.index.last_seq)
        held = self.index.engine.count()
        gone = held - (view.n_live - behind)
        return behind > self._how.exact_rows // 2 or gone > files.MAX_GONE * held

    def _work(self) -> None:
        try:
            while self._is_due():
                self._build_once()
        except files.Abandoned:
            pass
        except (GalleryError, OSError, RuntimeError, MemoryError) as e:
            self.problem = str(e)
        finally:
            self._busy.release()

    def _build_once(self) -> None:
        note = self._rows.meta().get(files.META_KEY)
        index = files.build(
            self._view(),
            self.index,
            name=self._name,
            folder=self._folder,
            note=note,
            stopping=self._closing.is_set,
        )
        said = files.save(index, self._folder)
        self._rows.note(files.encoded(said))
        self.index, self.problem = index, None
        files.remove_others(self._folder, said.file)
