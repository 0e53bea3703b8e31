"""What an engine has to hold for a gallery to trust it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gemel.arrays import Float32, Int64, unit_rows
from gemel.errors import DuplicateRecord, GalleryError
from gemel.testing.must import must

if TYPE_CHECKING:
    from gemel.gallery.engines import Engine


def check_engine(make: Callable[[int], Engine], folder: Path, *, min_recall: float = 0.9) -> None:
    """Raise AssertionError, saying what is wrong, unless this is an engine a gallery can trust.

    Checks it against an exact scan: what it finds, score direction, removal, ids used twice, k
    beyond the count, emptiness, and files, also damaged ones.

    Args:
        make: gives an empty engine for rows of a length.
        folder: an empty directory to save in.
        min_recall: index recall at 10 that must be reached on 2,000 random rows.
    """
    rng = np.random.default_rng(5)
    rows = unit_rows(rng.standard_normal((2000, 24)))
    ids = rng.permutation(10_000)[: len(rows)].astype(np.int64)
    queries = unit_rows(rows[:50] + 0.05 * rng.standard_normal((50, 24)))
    engine = make(24)
    _check_empty(engine, queries)
    engine.add(ids[:1200], rows[:1200])
    engine.add(ids[1200:], rows[1200:])
    _check_found(engine, ids, rows, queries, min_recall)
    _check_ids_used_twice(engine, ids, rows)
    must(
        engine.remove(np.array([*ids[:700], -5, ids[0]])) == 700,
        "remove does not count what was there",
    )
    must(engine.remove(ids[:700]) == 0, "what is removed can be removed again")
    _check_found(engine, ids[700:], rows[700:], queries, min_recall)
    engine.add(ids[:10], rows[10:20])
    ids, rows = np.r_[ids[:10], ids[700:]], np.r_[rows[10:20], rows[700:]]
    _check_found(engine, ids, rows, queries, min_recall)
    _check_files(engine, make, folder, queries)


def _check_empty(engine: Engine, queries: Float32) -> None:
    found, scores = engine.search(queries, 3)
    shapes = {found.shape, scores.shape}
    must(engine.count() == 0 and shapes == {(len(queries), 0)}, "an empty engine finds something")
    must(engine.remove(np.array([1, 2])) == 0, "something can be removed from an empty engine")


def _check_found(
    engine: Engine, ids: Int64, rows: Float32, queries: Float32, min_recall: float
) -> None:
    n, k = len(ids), 10
    must(engine.count() == n, f"count is {engine.count()}, {n} rows are there")
    exact = queries @ rows.T
    found, scores = engine.search(queries, k)
    must(
        found.shape == scores.shape == (len(queries), k),
        "a search does not give (q, k) ids and scores",
    )
    must(
        found.dtype == np.int64 and scores.dtype == np.float32,
        "ids are not int64, or scores not float32",
    )
    must(bool(np.isin(found, ids).all()), "a search finds ids that are not there")
    must(all(len(set(row)) == k for row in found.tolist()), "a search finds an id more than once")
    must(
        bool((np.diff(scores, axis=1) <= 0).all()),
        "hits are not best first, higher being more alike",
    )
    place = {int(i): at for at, i in enumerate(ids)}
    true = np.array([[exact[q, place[i]] for i in row] for q, row in enumerate(found.tolist())])
    must(
        bool(np.allclose(true, scores, atol=1e-4)), "a score is not the inner product with its row"
    )
    floor = np.sort(exact, axis=1)[:, -k]
    recall = float((scores >= floor[:, None] - 1e-5).mean())
    must(recall >= min_recall, f"index recall at {k} is {recall:.3f}, expected {min_recall}")
    everything, _ = engine.search(queries[:3], n + 100)
    complete = all(set(row) == set(ids.tolist()) for row in everything.tolist())
    must(complete and everything.shape[1] == n, "k beyond the count does not give every row once")


def _check_ids_used_twice(engine: Engine, ids: Int64, rows: Float32) -> None:
    before = engine.count()
    for again in (ids[:1], np.array([20_000, 20_000])):
        try:
            engine.add(again, rows[: len(again)])
        except DuplicateRecord:
            continue
        raise AssertionError("an id that stands twice is not refused")
    must(engine.count() == before, "a refused add changes something")


def _check_files(
    engine: Engine, make: Callable[[int], Engine], folder: Path, queries: Float32
) -> None:
    path = folder / "engine.index"
    engine.save(path)
    must(
        [file.name for file in folder.iterdir()] == [path.name],
        "save leaves other files than the one named",
    )
    copy = make(24)
    copy.load(path)
    (ids, scores), (found, found_scores) = engine.search(queries, 5), copy.search(queries, 5)
    same = np.array_equal(ids, found) and np.array_equal(scores, found_scores)
    must(
        same and copy.count() == engine.count(),
        "a loaded engine finds other rows than the saved one did",
    )
    data = path.read_bytes()
    middle = len(data) // 2
    changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    damaged = {"truncated": data[:-7], "halved": data[:middle], "empty": b"", "changed": changed}
    for what, content in damaged.items():
        path.write_bytes(content)
        must(_is_refused(make(24), path), f"a file that was {what} is not refused")
    path.write_bytes(data)
    must(_is_refused(make(16), path), "a file of another dimension is not refused")
    path.unlink()
    must(_is_refused(make(24), path), "a missing file is not refused")


def _is_refused(engine: Engine, path: Path) -> bool:
    try:
        engine.load(path)
    except GalleryError:
        return True
    return False
