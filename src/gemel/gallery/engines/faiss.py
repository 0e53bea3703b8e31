"""FAISS in this process: `flat` scans every row, `sketch` few bits of each, `hnsw` walks a graph.

FAISS renumbers the rows of a flat index when one is removed and cannot remove from a graph at
all; here ids are the caller's and stay, and removed nodes of a graph are skipped. Files are sealed
(see `sealed`), never written by `faiss.write_index`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import faiss as untyped
import numpy as np

from gemel.arrays import Bool, Float32, Int64
from gemel.errors import DuplicateRecord, GalleryError
from gemel.gallery.engines import sealed

# Some releases ship annotations, which do not describe what the wheels do at run time.
faiss: Any = untyped

NEIGHBOURS = 16
BUILD_WIDTH = 128
SEARCH_WIDTH = 64
SKETCH_BITS = 512
RERANKED = 4
"""Rows whose sketches are nearest that are scored exactly, for each that a search looks at: with
512 bits, 512 of 200,000 rows of 128 dimensions hold 99 % of the ten best."""


class Flat:
    """Exact scan by inner product.

    Args:
        dim: length of a row.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.width = 0
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))

    def add(self, ids: Int64, rows: Float32) -> None:
        """Add (n, d) unit rows under n new ids."""
        refuse_known(ids, faiss.vector_to_array(self._index.id_map))
        self._index.add_with_ids(rows, ids)

    def remove(self, ids: Int64) -> int:
        """Take ids out; how many were there."""
        return int(self._index.remove_ids(np.ascontiguousarray(ids, np.int64)))

    def search(self, queries: Float32, k: int) -> tuple[Int64, Float32]:
        """Ids and scores of the k rows most like each query, best first."""
        k = min(k, self.count())
        if k == 0:
            return nothing(len(queries))
        scores, ids = self._index.search(queries, k)
        return ids, scores

    def save(self, path: Path) -> None:
        """Write the sealed file."""
        block = faiss.serialize_index(self._index)
        sealed.write(path, {"engine": "flat", "dim": self.dim}, [block])

    def load(self, path: Path) -> None:
        """Become what was saved."""
        _, (block,) = read_kind(path, "flat", self.dim)
        self._index = faiss.deserialize_index(block)

    def count(self) -> int:
        """Rows that a search can return."""
        return int(self._index.ntotal)


class Sketch(Flat):
    """A scan of a few hundred bits of each row; those nearest are scored exactly.

    A bit is the side of a plane on which a row lies, so that the bits in which two rows differ
    grow with the angle between them. Built and changed as quickly as rows are written.

    Args:
        dim: length of a row.

    Source: Charikar 2002, Similarity estimation techniques from rounding algorithms.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.width = SEARCH_WIDTH
        self._sketches = faiss.IndexIDMap2(faiss.IndexLSH(dim, SKETCH_BITS, True))

    def add(self, ids: Int64, rows: Float32) -> None:
        """Add (n, d) unit rows under n new ids."""
        super().add(ids, rows)
        self._sketches.add_with_ids(rows, ids)

    def remove(self, ids: Int64) -> int:
        """Take ids out; how many were there."""
        self._sketches.remove_ids(np.ascontiguousarray(ids, np.int64))
        return super().remove(ids)

    def search(self, queries: Float32, k: int) -> tuple[Int64, Float32]:
        """Ids and scores of the k rows most like each query, best first."""
        k = min(k, self.count())
        if k == 0:
            return nothing(len(queries))
        _, ids = self._sketches.search(queries, min(RERANKED * max(self.width, k), self.count()))
        rows = (self._index.reconstruct_batch(near) for near in ids)
        scores = np.stack([near @ query for near, query in zip(rows, queries, strict=True)])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(ids, best, axis=1), np.take_along_axis(scores, best, axis=1)

    def save(self, path: Path) -> None:
        """Write the sealed file."""
        header = {"engine": "sketch", "dim": self.dim, "width": self.width}
        sealed.write(path, header, list(map(faiss.serialize_index, (self._sketches, self._index))))

    def load(self, path: Path) -> None:
        """Become what was saved."""
        header, blocks = read_kind(path, "sketch", self.dim)
        self._sketches, self._index = map(faiss.deserialize_index, blocks)
        self.width = int(header["width"])


class Hnsw:
    """A navigable small-world graph by inner product.

    A search never returns too few rows because some were removed: it looks further, and scans all
    rows once looking further costs as much.

    Args:
        dim: length of a row.

    Source: Malkov and Yashunin 2018, Efficient and robust approximate nearest neighbor search
    using hierarchical navigable small world graphs.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.width = SEARCH_WIDTH
        self._index = faiss.IndexHNSWFlat(dim, NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        self._index.hnsw.efConstruction = BUILD_WIDTH
        self._ids: Int64 = np.empty(0, np.int64)
        self._live: Bool = np.empty(0, np.bool_)
        self._count = 0

    def add(self, ids: Int64, rows: Float32) -> None:
        """Add (n, d) unit rows under n new ids."""
        refuse_known(ids, self._ids[self._live])
        self._index.add(rows)
        self._ids = np.concatenate([self._ids, ids])
        self._live = np.concatenate([self._live, np.ones(len(ids), np.bool_)])
        self._count += len(ids)

    def remove(self, ids: Int64) -> int:
        """Take ids out; how many were there."""
        found = self._live & np.isin(self._ids, ids)
        self._live = self._live & ~found
        removed = int(found.sum())
        self._count -= removed
        return removed

    def search(self, queries: Float32, k: int) -> tuple[Int64, Float32]:
        """Ids and scores of the k rows most like each query, best first."""
        k = min(k, self.count())
        if k == 0:
            return nothing(len(queries))
        total = len(self._ids)
        fetch = -(-k * total // self.count())
        while True:
            exact = fetch * 4 >= total
            nodes, scores = self._nodes(queries, total if exact else fetch, exact)
            usable = (nodes >= 0) & self._live[nodes]
            if exact or bool((usable.sum(axis=1) >= k).all()):
                break
            fetch *= 2
        if usable[:, :k].all():
            return self._ids[nodes[:, :k]], scores[:, :k]
        # A stable sort of "not usable" moves the usable ones to the front in their order.
        front = np.argsort(~usable, axis=1, kind="stable")[:, :k]
        return (
            self._ids[np.take_along_axis(nodes, front, axis=1)],
            np.take_along_axis(scores, front, axis=1),
        )

    def _nodes(self, queries: Float32, fetch: int, exact: bool) -> tuple[Int64, Float32]:
        if exact:
            scores, nodes = self._index.storage.search(queries, fetch)
        else:
            scores, nodes = self._index.search(
                queries, fetch, params=_effort(max(self.width, fetch))
            )
        return nodes, scores

    def save(self, path: Path) -> None:
        """Write the sealed file."""
        header = {"engine": "hnsw", "dim": self.dim, "width": self.width}
        graph = faiss.serialize_index(self._index)
        sealed.write(path, header, [graph, self._ids, self._live])

    def load(self, path: Path) -> None:
        """Become what was saved."""
        header, (graph, ids, live) = read_kind(path, "hnsw", self.dim)
        self._index = faiss.deserialize_index(graph)
        self._ids, self._live, self.width = ids.copy(), live.copy(), int(header["width"])
        self._count = int(live.sum())

    def count(self) -> int:
        """Rows that a search can return."""
        return self._count


@lru_cache(maxsize=64)
def _effort(width: int) -> Any:
    return faiss.SearchParametersHNSW(efSearch=width)


def refuse_known(ids: Int64, known: Int64) -> None:
    """Raise DuplicateRecord if an id stands twice or is there already."""
    if len(np.unique(ids)) < len(ids):
        raise DuplicateRecord("an id stands twice among the rows to add")
    known_already = ids[np.isin(ids, known)]
    if known_already.size:
        raise DuplicateRecord(f"id {known_already[0]} is in the index already")


def read_kind(path: Path, kind: str, dim: int) -> tuple[dict[str, Any], list[sealed.Block]]:
    """What a sealed file holds, if it is of this kind of engine and this dimension."""
    header, blocks = sealed.read(path)
    if (header.get("engine"), header.get("dim")) != (kind, dim):
        raise GalleryError(
            f"the file holds {header.get('engine')} of dimension {header.get('dim')}, "
            f"expected {kind} of dimension {dim}",
            where=str(path),
        )
    return header, blocks


def nothing(n_queries: int) -> tuple[Int64, Float32]:
    """The result of searching an empty index."""
    return np.empty((n_queries, 0), np.int64), np.empty((n_queries, 0), np.float32)
