"""The folder of a long job: what it is bound to, and the parts of it that are finished.

    manifest.json        release, digests of the data, parameters; a job of other ones is refused
    rows/000012.npy      finished parts of the embeddings, until all are in
    rows-<key>.npy       all embeddings
    candidates.npy       pairs that keys propose, if they do; proposal.json: which keys
    pairs/000012.parquet finished blocks of pairs

A file gets its name after its content is on disk, so whatever stops a job, a part is there whole
or not at all, and the job goes on behind it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gemel.arrays import Float32, canonical_json
from gemel.errors import DataError
from gemel.files import Held, Lock, whole
from gemel.tasks.pairs import Pairs, joined

MANIFEST = "manifest.json"
LOCK = ".lock"
ROWS = "rows"
PAIRS = "pairs"
CANDIDATES = "candidates.npy"
PROPOSAL = "proposal.json"
COLUMNS = ("left", "right", "score")
FULL = b"records with more partners"

Tick = Callable[[int, int], None]
T = TypeVar("T")


@contextlib.contextmanager
def opened(folder: Path, manifest: dict[str, Any]) -> Iterator[Job]:
    """The job of a folder, new or to be continued, held for this process.

    Args:
        folder: made if it is not there.
        manifest: JSON values of everything that decides the result.
    Raises:
        DataError: the folder belongs to another job or to something else, cannot be written, or
            another process works in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(folder / LOCK)
    except Held as e:
        raise DataError(
            "another process works on this job",
            where=str(folder),
            hint="wait for it, or end it; a job that is killed goes on when started again",
        ) from e
    except OSError as e:
        raise DataError(f"cannot write here: {e.strerror}", where=str(folder), hint=_PLACE) from e
    with lock:
        _bind(folder, manifest)
        yield Job(folder)


def _bind(folder: Path, manifest: dict[str, Any]) -> None:
    path = folder / MANIFEST
    wanted = json.loads(canonical_json(manifest))
    if not path.exists():
        strange = [p.name for p in folder.iterdir() if p.name != LOCK and ".tmp" not in p.name]
        if strange:
            raise DataError(
                f"the folder holds {strange[0]} but no job",
                where=str(folder),
                hint="name a new folder for the job",
            )
        write(path, json.dumps(wanted, indent=1).encode() + b"\n")
        return
    try:
        stated = json.loads(path.read_bytes())
    except (OSError, ValueError) as e:
        raise DataError(f"no readable job: {e}", where=str(path), hint=_OTHER) from e
    if stated != wanted:
        keys = [k for k in wanted if not isinstance(stated, dict) or stated.get(k) != wanted[k]]
        raise DataError(
            f"the folder holds a job with other {', '.join(keys) or 'settings'}",
            where=str(folder),
            hint=_OTHER,
        )


class Job:
    """Finished parts of one job.

    Args:
        folder: bound to the job, see `opened`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in (ROWS, PAIRS):
            (folder / name).mkdir(exist_ok=True)

    def rows(
        self, key: str, n: int, size: int, encode: Callable[[range], Float32], tick: Tick
    ) -> Float32:
        """All embeddings, (n, d) float32, mapped from disk; parts that are missing are encoded.

        Args:
            key: digest of space and data.
            n: number of records.
            size: records of a part.
            encode: embeddings of some positions.
            tick: called with records done and records in all.
        """
        path = self.folder / f"{ROWS}-{key[:12]}.npy"
        if not path.exists():
            parts = [range(start, min(start + size, n)) for start in range(0, n, size)]

            def finish(number: int) -> None:
                file = self.folder / ROWS / f"{number:06}.npy"
                if not file.exists():
                    write(file, _npy(encode(parts[number])))

            on_all_cores(finish, len(parts), lambda done, _: tick(parts[done - 1].stop, n))
            self._join(path, n, len(parts))
        for file in (self.folder / ROWS).iterdir():
            file.unlink()
        return _load(path, mapped=True)

    def _join(self, path: Path, n: int, n_parts: int) -> None:
        """One file of all parts, written without holding more than one of them."""
        with _whole(path) as file:
            for number in range(n_parts):
                part = _load(self.folder / ROWS / f"{number:06}.npy")
                if number == 0:
                    shape = (n, part.shape[1])
                    head = {"descr": "<f4", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, head)
                file.write(part.astype("<f4").tobytes())

    def pairs(self, number: int, find: Callable[[], Pairs]) -> Pairs:
        """The pairs of one block: read if it is finished, else found and kept.

        Raises:
            DataError: the file of the block is damaged.
        """
        path = self.block(number)
        if not path.exists():
            found = find()
            frame = pl.DataFrame({c: getattr(found, c) for c in COLUMNS})
            # Arrow would import pandas, where there is one, to look at arrays of numpy.
            table = frame.to_arrow().replace_schema_metadata({FULL: str(found.n_full)})
            sink = io.BytesIO()
            pq.write_table(table, sink, write_page_checksum=True)
            write(path, sink.getvalue())
            return found
        try:
            table = pq.read_table(path, page_checksum_verification=True)
            left, right, score = (table[c].to_numpy() for c in COLUMNS)
            return Pairs(left, right, score, int(table.schema.metadata[FULL]))
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as e:
            raise DataError(
                f"a finished block cannot be read: {e}",
                where=str(path),
                hint="delete the file; the block is then compared again",
            ) from e

    def block(self, number: int) -> Path:
        """Where the pairs of a block are, once it is finished."""
        return self.folder / PAIRS / f"{number:06}.parquet"

    def all_pairs(self, n_blocks: int, find: Callable[[int], Pairs], tick: Tick) -> Pairs:
        """The pairs of all blocks, finished ones read and the others found, on all cores."""
        parts = on_all_cores(lambda i: self.pairs(i, partial(find, i)), n_blocks, tick)
        return joined(parts)

    def candidates(
        self, propose: Callable[[], tuple[NDArray[np.int32], bytes]]
    ) -> tuple[NDArray[np.int32], bytes]:
        """Proposed pairs, (2, m) int32, and what is said of them: read, or proposed and kept."""
        path, said = self.folder / CANDIDATES, self.folder / PROPOSAL
        if not said.exists():
            pairs, words = propose()
            write(path, _npy(pairs))
            write(said, words)
        return _load(path), said.read_bytes()


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux knows
        return os.cpu_count() or 1


def on_all_cores(work: Callable[[int], T], n: int, tick: Tick) -> list[T]:
    """Results of `work(0)` to `work(n - 1)`; when something stops it, no further one begins.

    Args:
        work: gives the GIL back most of the time, as numpy and ONNX Runtime do.
        n: how often.
        tick: called with the number done and n, in order.
    """
    found: list[T] = []
    pool = ThreadPoolExecutor(min(cores(), max(n, 1)))
    try:
        for result in pool.map(work, range(n)):
            found.append(result)
            tick(len(found), n)
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def write(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all.

    Raises:
        DataError: it cannot be written there.
    """
    with _whole(path) as file:
        file.write(content)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that is there whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    try:
        with whole(path) as file:
            yield file
    except OSError as e:
        raise DataError(f"cannot be written: {e.strerror}", where=str(path), hint=_PLACE) from e


def _load(path: Path, *, mapped: bool = False) -> NDArray[Any]:
    try:
        rows: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None)
    except (OSError, ValueError, EOFError) as e:
        raise DataError(
            f"a finished part cannot be read: {e}",
            where=str(path),
            hint="delete the file; what it held is then made again",
        ) from e
    return rows


def _npy(rows: NDArray[Any]) -> bytes:
    sink = io.BytesIO()
    np.save(sink, rows, allow_pickle=False)
    return sink.getvalue()


_PLACE = "make it writable, or name another place"
_OTHER = "name another folder, or delete this one to start again"
