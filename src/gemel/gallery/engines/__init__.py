"""The plug point for nearest-neighbour engines: what one is, and which there are.

An engine proposes candidates by inner product and knows neither record ids nor comparators nor
files other than its own. It can miss a candidate; it can never make a match. Whatever is
registered under the entry point group `gemel.engines` passes `gemel.testing.check_engine`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gemel.arrays import Float32, Int64
from gemel.errors import GalleryError
from gemel.registry import Registry

REGISTRY = Registry(
    "engine",
    "gemel.engines",
    {
        "flat": "gemel.gallery.engines.faiss:Flat",
        "hnsw": "gemel.gallery.engines.faiss:Hnsw",
        "sketch": "gemel.gallery.engines.faiss:Sketch",
    },
    error=GalleryError,
)


class Engine(Protocol):
    """An index over unit rows. Searches may run at the same time, changes may not.

    `width` is the effort of a search (candidates looked at); an exact engine ignores it.
    """

    width: int

    def add(self, ids: Int64, rows: Float32) -> None:
        """Add (n, d) unit rows under n ids that are not there yet, else raise DuplicateRecord."""

    def remove(self, ids: Int64) -> int:
        """Take ids out, unknown ones without complaint; how many were there."""

    def search(self, queries: Float32, k: int) -> tuple[Int64, Float32]:
        """Ids and scores of the rows most like each query: (q, min(k, count)), best first.

        A score is the inner product: higher is more alike.
        """

    def save(self, path: Path) -> None:
        """Write everything to one file; after a crash it is there whole or not at all."""

    def load(self, path: Path) -> None:
        """Become what was saved.

        Raises:
            GalleryError: the file is missing, truncated, changed or of another kind.
        """

    def count(self) -> int:
        """Rows that a search can return."""


def open_engine(name: str, dim: int) -> Engine:
    """An empty engine of the named kind.

    Args:
        name: a built-in one or an entry point of the group `gemel.engines`.
        dim: length of a row.
    Raises:
        GalleryError: nobody registered that name.
    """
    engine: Engine = REGISTRY.load(name)(dim)
    return engine
