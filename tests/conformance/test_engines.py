"""Every engine finds what an exact scan finds, and refuses what it must refuse."""

import numpy as np
import pytest

from gemel.arrays import unit_rows
from gemel.errors import GalleryError
from gemel.gallery.engines import REGISTRY, open_engine
from gemel.gallery.engines.faiss import Flat, Hnsw
from gemel.testing import check_engine


@pytest.mark.parametrize("name", REGISTRY.names())
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
    assert "flat, hnsw, sketch" in caught.value.hint


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
