"""The gallery in a directory of this machine.

Rows in SQLite are the truth and what a call acknowledged is committed; memory and index follow.
Any number of threads may search while one writes: a search reads one immutable state. A directory
has one writer at a time; other processes open it read-only and see changes on `refresh`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gemel.arguments import path_of
from gemel.arrays import Bool, Float32, Int64, check_embeddings
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError, GalleryError, InvalidInput, ReadOnly, UnknownRecord, quoted
from gemel.figures import number_of
from gemel.gallery.attributes import (
    MAX_NAMES,
    Attributes,
    Scalar,
    Where,
    check_attributes,
    check_where,
    same_attributes,
)
from gemel.gallery.candidates import Hit
from gemel.gallery.groups import Groups
from gemel.gallery.local.indexer import Indexer, Indexing
from gemel.gallery.local.memory import Memory, View, grouped, ids_of, passing
from gemel.gallery.local.opening import Opened, open_folder
from gemel.gallery.local.rows import DAMAGED
from gemel.gallery.local.search import Search
from gemel.gallery.local.shut import ERASED
from gemel.gallery.local.snapshot import Snapshot
from gemel.gallery.record import Checked, Enrolled, Record, Stats, check_ids

SAME_EMBEDDING = 1e-6


class LocalGallery:
    """The `Gallery` in a directory; see there for what each method promises."""

    def __init__(self, opened: Opened, comparator: Comparator, how: Indexing) -> None:
        self._opened = opened
        self._rows = opened.rows
        self._comparator = comparator
        self._exact_rows = how.exact_rows
        self._writing = threading.Lock()
        self._closed = False
        self.path, self.space_id, self.dim = opened.folder, opened.space_id, opened.dim
        self._memory = Memory(self.dim, self._rows.counts()[0])
        self._view = self._memory.view()
        self._is_behind = True
        self._catch_up()
        self._indexer = Indexer(
            self.path, self._rows, how, lambda: self._view, write=opened.lock is not None
        )
        self._indexer.load()
        self._indexer.wake()

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        space_id: str | None = None,
        dim: int | None = None,
        comparator: Comparator | None = None,
        write: bool = True,
        indexing: Indexing | None = None,
    ) -> Self:
        """The gallery in a directory; a new one is made if space_id and dim are given.

        Args:
            where: the directory.
            space_id: the space that the gallery must belong to; None takes the one it has.
            dim: length of an embedding, likewise.
            comparator: scores candidates; cosine if not given.
            write: be the one writer of the directory; else read-only.
            indexing: engine and limits, if not the measured defaults.
        Raises:
            GalleryError: there is none, somebody else writes to it, or it cannot be read.
            SpaceMismatch: it holds embeddings of another space or dimension.
        """
        opened = open_folder(path_of(where, "a gallery"), space_id=space_id, dim=dim, write=write)
        try:
            return cls(opened, comparator or Cosine(), indexing or Indexing())
        except BaseException:
            opened.close()
            raise

    def enroll(
        self,
        ids: Sequence[str],
        embeddings: NDArray[Any],
        attributes: Sequence[Mapping[str, Scalar] | None] | None = None,
    ) -> Enrolled:
        """Add records, or change those whose id is known; committed to disk on return."""
        ids = check_ids(ids)
        rows = check_embeddings(embeddings, dim=self.dim, where="enroll")
        given = [None] * len(ids) if attributes is None else attributes
        if not len(ids) == len(rows) == len(given):
            raise DataError(
                f"{number_of(len(ids), 'id')}, {number_of(len(rows), 'embedding')} and "
                f"{number_of(len(given), 'attribute')} do not match"
            )
        with self._changing() as memory:
            names = {name for row in given for name in row or ()}
            if len(names | memory.attribute_names()) > MAX_NAMES:
                memory.forget_attributes()
            checked = check_attributes(given, ids, memory.attribute_names())
            slots = np.array([memory.slots.get(i, -1) for i in ids], np.int64)
            change = np.flatnonzero(~self._are_same(slots, rows, checked))
            written = self._put(change, ids, rows, checked) if change.size else {}
        n_known = int((slots[change] >= 0).sum())
        return Enrolled(len(change) - n_known, n_known, len(ids) - len(change), written)

    def delete(self, ids: Iterable[str]) -> int:
        """Take records out; ids that are not there are no error.

        Embedding and attributes are gone from the database on return; a mark with the id stays,
        and an index file keeps the row, which no search returns, until it is next built anew.

        Returns:
            How many were there.
        Raises:
            GalleryError: opened read-only, or the disk does not take it.
        """
        wanted = dict.fromkeys([ids] if isinstance(ids, str) else ids)
        with self._changing() as memory:
            present = [i for i in wanted if i in memory.slots]
            if present:
                seqs = memory.last_seq + 1 + np.arange(len(present), dtype=np.int64)
                self._rows.delete(seqs, present)
                memory.remove(present, int(seqs[-1]))
        return len(present)

    def search(
        self,
        query: NDArray[Any],
        k: int = 10,
        where: Where | None = None,
        *,
        comparator: Comparator | None = None,
        view: View | None = None,
    ) -> list[list[Hit]]:
        """The k records most like each query, best first, ties in the order of their ids.

        Args:
            query: as for every gallery, and so are k, where and comparator.
            k: see query.
            where: see query.
            comparator: see query.
            view: of this gallery, to search in; None for all there is.
        """
        self._check_open()
        if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
            raise InvalidInput(f"k is {k!r}, expected a whole number from 1 up", where="k")
        queries = np.asarray(query)
        queries = check_embeddings(np.atleast_2d(queries), dim=self.dim, where="query")
        # The index is read before the view: an index may be older than a view, never newer.
        index = self._indexer.index
        seen = view or self._view
        search = Search.over(seen, comparator or self._comparator, check_where(where))
        return search.hits(queries, int(k), index, self._exact_rows)

    def get(self, record: str) -> Record:
        """What is enrolled under an id, read from disk."""
        self._check_open()
        found = self._rows.get(record, self.dim)
        if found is None and record in self._memory.slots:
            with self._writing:  # a delete is on disk before it is in memory
                found, is_known = self._rows.get(record, self.dim), record in self._memory.slots
            if found is None and is_known:
                what = f"record {quoted(record)} is not found on disk any more"
                raise GalleryError(what, where=str(self.path), hint=DAMAGED)
        if found is None:
            hint = "an id as it was enrolled; a search shows those of its hits"
            raise UnknownRecord(f"no record {quoted(record, 80)}", where=str(self.path), hint=hint)
        return Record(record, *found)

    def count(self, where: Where | None = None, *, view: View | None = None) -> int:
        """How many records there are, or match a filter."""
        self._check_open()
        return Search.over(view or self._view, self._comparator, check_where(where)).n_allowed

    def groups(self, name: str, where: Where | None = None, *, view: View | None = None) -> Groups:
        """The records by the value of an attribute."""
        self._check_open()
        return grouped(view or self._view, name, check_where(where))

    def ids(self) -> list[str]:
        """Every record, by its id, as they are now."""
        return ids_of(self._view)

    def listed(self, where: Where | None = None) -> Iterator[tuple[str, Attributes]]:
        """Id and attributes of every record, or of those that pass a filter, by their ids."""
        self._check_open()
        view, checked = self._view, check_where(where)
        slots = np.flatnonzero(passing(view, checked) if checked else view.live).tolist()
        slots.sort(key=view.ids.__getitem__)
        return ((view.ids[slot], view.attributes.of(slot)) for slot in slots)

    def erased(self) -> str:
        """Up to which delete of the ledger this was done here; empty for none."""
        return self._rows.meta().get(ERASED, "")

    def note_erased(self, head: str) -> None:
        """Note that everything up to a delete of the ledger was done here."""
        self._check_writer()
        self._rows.note({ERASED: head})

    def view(self) -> View:
        """The rows as they are now, which never changes."""
        return self._view

    def position(self) -> int:
        """Number of the last change; see `Dated`."""
        return self._view.last_seq

    def as_of(self, position: int) -> Snapshot:
        """This gallery up to a change; see `Dated`."""
        return Snapshot(self, position)

    def is_within(self, record: str, position: int) -> bool:
        """Whether a record is there as that change, or one before, has written it."""
        with self._writing:
            slot = self._memory.slots.get(record)
            return slot is not None and bool(self._view.seqs[slot] <= position)

    def is_at(self, state: object) -> bool:
        """Whether nothing changed since somebody read this state."""
        return self._view is state

    def stats(self) -> Stats:
        """The gallery in figures."""
        self._check_open()
        index, view = self._indexer.index, self._view
        return Stats(
            space_id=self.space_id,
            dim=self.dim,
            rows=view.n_live,
            deleted=self._rows.counts()[1],
            bytes=sum(file.stat().st_size for file in self.path.iterdir() if file.is_file()),
            attributes=tuple(view.attributes.names(view.live)),
            engine=index.name if index else "scan",
            index_behind=view.n_behind(index.last_seq) if index else 0,
            index_recall=index.recall if index else None,
            index_problem=self._indexer.problem,
        )

    def check(self) -> Checked:
        """Read every row from disk and compare it with its digest.

        A writer gives rows a digest that were written before there were any.

        Raises:
            GalleryError: a row is not as it was written.
        """
        self._check_open()
        with self._writing:
            n_sealed = self._rows.seal() if self._opened.lock is not None else 0
        digests = dict(self._rows.digests())
        n_without = sum(digest is None for digest in digests.values())
        return Checked({i: d for i, d in digests.items() if d is not None}, n_sealed, n_without)

    def refresh(self) -> int:
        """Read what another process changed; how many changes there were."""
        self._check_open()
        with self._writing:
            before = self._memory.last_seq
            if self._rows.last_seq() > before:  # what knows this state goes on knowing it
                self._is_behind = True
                self._catch_up()
        self._indexer.follow()
        return self._memory.last_seq - before

    def build_index(self) -> None:
        """Bring the index up to date now; a gallery small enough to scan needs none.

        Raises:
            GalleryError: opened read-only, or the index cannot be saved.
        """
        self._check_writer()
        self._indexer.build()

    def close(self) -> None:
        """Stop background work and give up the right to write. Closing twice is no error."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
        self._indexer.close()
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _changing(self) -> Iterator[Memory]:
        """The memory for one change; afterwards everybody sees it, or it is read again."""
        with self._writing:
            self._check_writer()
            self._catch_up()
            self._is_behind = True  # until the change is in memory as it is on disk
            yield self._memory
            self._publish()
        self._indexer.wake()

    def _put(
        self, change: Int64, ids: list[str], rows: Float32, attributes: list[Attributes]
    ) -> dict[str, bytes]:
        seqs = self._memory.last_seq + 1 + np.arange(len(change), dtype=np.int64)
        changed = [ids[i] for i in change], rows[change], [attributes[i] for i in change]
        digests = self._rows.put(seqs, *changed)
        self._memory.put(seqs, *changed)
        return dict(zip(changed[0], digests, strict=True))

    def _are_same(self, slots: Int64, rows: Float32, attributes: list[Attributes]) -> Bool:
        """Which records are stored just so already; embeddings are equal within rounding."""
        view, same = self._view, np.zeros(len(slots), np.bool_)
        known = np.flatnonzero(slots >= 0)
        away = np.abs(view.matrix[slots[known]] - rows[known]).max(axis=1, initial=0.0)
        for i in known[away <= SAME_EMBEDDING].tolist():
            same[i] = same_attributes(view.attributes.of(int(slots[i])), attributes[i])
        return same

    def _catch_up(self) -> None:
        if not self._is_behind:
            return
        for page in self._rows.changes(self._memory.last_seq, self.dim):
            self._memory.put(page.seqs, page.ids, page.embeddings, page.attributes)
            self._memory.remove(page.deleted, page.last_seq)
        self._publish()

    def _publish(self) -> None:
        if self._memory.is_sparse():
            self._memory = self._memory.compacted()
        self._view = self._memory.view()
        self._is_behind = False

    def _check_open(self) -> None:
        if self._closed:
            raise GalleryError("the gallery is closed", where=str(self.path))

    def _check_writer(self) -> None:
        self._check_open()
        if self._opened.lock is None:
            raise ReadOnly(
                "the gallery is open read-only",
                hint="ask the service without serve.read_only, or open it with write=True",
            )
