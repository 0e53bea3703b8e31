"""Every engine finds what an exact scan finds, and refuses what it must refuse."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gemel.arrays import Float32, Int64, unit_rows
from gemel.errors import DuplicateRecord, GalleryError
from gemel.gallery.engines import Engine, names, open_engine
from gemel.gallery.engines.faiss import Flat, Hnsw


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
    _expect(
        engine.remove(np.array([*ids[:700], -5, ids[0]])) == 700, "remove counts what was there"
    )
    _expect(engine.remove(ids[:700]) == 0, "what is removed cannot be removed again")
    _check_found(engine, ids[700:], rows[700:], queries, min_recall)
    engine.add(ids[:10], rows[10:20])
    ids, rows = np.r_[ids[:10], ids[700:]], np.r_[rows[10:20], rows[700:]]
    _check_found(engine, ids, rows, queries, min_recall)
    _check_files(engine, make, folder, queries)


def _check_empty(engine: Engine, queries: Float32) -> None:
    found, scores = engine.search(queries, 3)
    shapes = {found.shape, scores.shape}
    _expect(engine.count() == 0 and shapes == {(len(queries), 0)}, "an empty engine finds nothing")
    _expect(engine.remove(np.array([1, 2])) == 0, "nothing can be removed from an empty engine")


def _check_found(
    engine: Engine, ids: Int64, rows: Float32, queries: Float32, min_recall: float
) -> None:
    n, k = len(ids), 10
    _expect(engine.count() == n, f"count is {engine.count()}, {n} rows are there")
    exact = queries @ rows.T
    found, scores = engine.search(queries, k)
    _expect(
        found.shape == scores.shape == (len(queries), k), "a search gives (q, k) ids and scores"
    )
    _expect(found.dtype == np.int64 and scores.dtype == np.float32, "ids int64, scores float32")
    _expect(bool(np.isin(found, ids).all()), "a search finds only ids that are there")
    _expect(all(len(set(row)) == k for row in found.tolist()), "a search finds an id once")
    _expect(
        bool((np.diff(scores, axis=1) <= 0).all()), "hits come best first, higher is more alike"
    )
    place = {int(i): at for at, i in enumerate(ids)}
    true = np.array([[exact[q, place[i]] for i in row] for q, row in enumerate(found.tolist())])
    _expect(bool(np.allclose(true, scores, atol=1e-4)), "a score is the inner product with its row")
    floor = np.sort(exact, axis=1)[:, -k]
    recall = float((scores >= floor[:, None] - 1e-5).mean())
    _expect(recall >= min_recall, f"index recall at {k} is {recall:.3f}, expected {min_recall}")
    everything, _ = engine.search(queries[:3], n + 100)
    complete = all(set(row) == set(ids.tolist()) for row in everything.tolist())
    _expect(complete and everything.shape[1] == n, "k beyond the count gives every row once")


def _check_ids_used_twice(engine: Engine, ids: Int64, rows: Float32) -> None:
    before = engine.count()
    for again in (ids[:1], np.array([20_000, 20_000])):
        try:
            engine.add(again, rows[: len(again)])
        except DuplicateRecord:
            continue
        _expect(False, "an id that stands twice is refused")
    _expect(engine.count() == before, "a refused add changes nothing")


def _check_files(
    engine: Engine, make: Callable[[int], Engine], folder: Path, queries: Float32
) -> None:
    path = folder / "engine.index"
    engine.save(path)
    _expect([file.name for file in folder.iterdir()] == [path.name], "save leaves one file")
    copy = make(24)
    copy.load(path)
    same = all(
        bool(np.array_equal(a, b))
        for a, b in zip(engine.search(queries, 5), copy.search(queries, 5), strict=True)
    )
    _expect(same and copy.count() == engine.count(), "a loaded engine finds what the saved one did")
    data = path.read_bytes()
    middle = len(data) // 2
    changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    damaged = {"truncated": data[:-7], "halved": data[:middle], "empty": b"", "changed": changed}
    for what, content in damaged.items():
        path.write_bytes(content)
        _expect(_is_refused(make(24), path), f"a file that was {what} is refused")
    path.write_bytes(data)
    _expect(_is_refused(make(16), path), "a file of another dimension is refused")
    path.unlink()
    _expect(_is_refused(make(24), path), "a missing file is refused")


def _is_refused(engine: Engine, path: Path) -> bool:
    try:
        engine.load(path)
    except GalleryError:
        return True
    return False


def _expect(is_so: bool, what: str) -> None:
    if not is_so:
        raise AssertionError(what)


@pytest.mark.parametrize("name", names())
def test_engine_conforms(name, tmp_path):
    check_engine(lambda dim: open_engine(name, dim), tmp_path)


def test_flat_is_exact(tmp_path):
    check_engine(Flat, tmp_path, min_recall=1.0)


class Distances(Flat):
    """Scores that fall as rows become more alike."""

    def search(self, queries, k):
        ids, scores = super().search(queries, k)
        return ids, 2 - 2 * scores


class Renumbers(Flat):
    """Forgets a removal, as a flat index without an id map does."""

    def remove(self, ids):
        super().remove(ids[:1])
        return len(ids)


class TooFew(Hnsw):
    """Skips removed rows and does not look further."""

    def search(self, queries, k):
        nodes, scores = self._nodes(queries, min(k, len(self._ids)), False)
        return self._ids[nodes[:, : self.count()]], scores[:, : self.count()]


class InPlace(Flat):
    """Reads whatever is in the file."""

    def load(self, path):
        if path.is_file() and path.stat().st_size > 100:
            self.add(np.arange(3), unit_rows(np.ones((3, self.dim))))


@pytest.mark.parametrize("broken", [Distances, Renumbers, TooFew, InPlace])
def test_the_suite_catches_a_broken_engine(broken, tmp_path):
    with pytest.raises(AssertionError):
        check_engine(broken, tmp_path)


def test_an_unknown_engine_is_refused_with_the_names_there_are():
    with pytest.raises(GalleryError, match="unknown engine 'annoy'") as caught:
        open_engine("annoy", 4)
    assert "flat, hnsw" in caught.value.hint


def test_a_file_of_another_engine_is_refused(tmp_path):
    engine = Flat(4)
    engine.add(np.array([1]), unit_rows(np.ones((1, 4))))
    engine.save(tmp_path / "flat")
    with pytest.raises(GalleryError, match="holds flat of dimension 4, expected hnsw"):
        Hnsw(4).load(tmp_path / "flat")


def test_a_search_behind_many_removals_still_finds_the_nearest():
    rng = np.random.default_rng(0)
    rows = unit_rows(rng.standard_normal((4000, 16)))
    engine = Hnsw(16)
    engine.add(np.arange(4000), rows)
    near = np.argsort(-(rows @ rows[0]))
    engine.remove(near[:1000].astype(np.int64))
    found, _ = engine.search(rows[:1], 5)
    assert set(found[0]) == set(near[1000:1005])
