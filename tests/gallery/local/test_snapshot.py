"""A snapshot finds what a gallery would that was left alone, whatever is changed meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemel.arrays import unit_rows
from gemel.errors import InvalidInput, UnknownRecord
from gemel.gallery.gallery import Dated
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing

SPACE, DIM, N = "s" * 64, 8, 400
ROWS = unit_rows(np.random.default_rng(0).normal(size=(3 * N, DIM)))
COLOURS = ("red", "blue", None)


def opened(folder: Path, exact_rows: int) -> LocalGallery:
    indexing = Indexing(engine="hnsw", exact_rows=exact_rows, background=False)
    return LocalGallery.open(folder, space_id=SPACE, dim=DIM, indexing=indexing)


def colour(i: int) -> dict[str, Any]:
    return {"colour": COLOURS[i % 3], "n": i}


def put(gallery: LocalGallery, which: list[int], *, moved: int = 0) -> None:
    gallery.enroll([f"r{i}" for i in which], ROWS[which] if not moved else ROWS[moved:][which],
                   [colour(i) for i in which])  # fmt: skip


@pytest.mark.parametrize("exact_rows", [10**6, 50])
def test_it_is_the_gallery_as_it_was_without_what_changed(tmp_path: Path, exact_rows: int) -> None:
    with opened(tmp_path / "whole", exact_rows) as whole, opened(tmp_path / "left", 10**6) as left:
        assert isinstance(whole, Dated)
        put(whole, list(range(N)))
        seen = whole.as_of(whole.position())
        put(whole, list(range(N, 2 * N)))
        whole.build_index()  # which knows of later rows as well
        put(whole, list(range(50)), moved=N)
        whole.delete([f"r{i}" for i in range(50, 90)])
        for i in range(90, 300, 10):  # until the memory is made compact
            whole.delete([f"r{j}" for j in range(N + i, N + i + 10)])
        put(left, list(range(90, N)))
        assert (seen.count(), whole.count()) == (N - 90, 2 * N - 40 - 210)
        queries = ROWS[:5]
        for where in (None, {"colour": "red"}, {"colour": ["blue", None]}):
            assert seen.count(where) == left.count(where)
            mine, theirs = seen.search(queries, 7, where), left.search(queries, 7, where)
            assert [[h.id for h in hits] for hits in mine] == [
                [h.id for h in hits] for hits in theirs
            ]
        assert seen.get("r95").attributes == colour(95)
        for gone in ("r10", "r60", f"r{N + 5}", "never"):
            with pytest.raises(UnknownRecord):
                seen.get(gone)
        mine, theirs = seen.groups("colour"), left.groups("colour")
        assert sorted(mine.records) == sorted(theirs.records) and mine.rows.shape == (
            len(mine),
            DIM,
        )
        groups = seen.groups("n")
        assert seen.is_at(groups.state)
        whole.enroll(["later"], ROWS[-2:-1], [{"shade": "dark"}])
        assert seen.count({"shade": "dark"}) == 0, "it is not seen, and no mistake of who asks"
        for one in (seen, whole):
            with pytest.raises(InvalidInput):
                one.count({"shape": "round"})
        seen.delete(["r95"])
        assert not seen.is_at(groups.state)
        assert seen.count() == N - 91, "what is erased is gone in the snapshot too"
        seen.enroll(["new"], ROWS[-1:])
        assert whole.get("new").id == "new" and seen.count() == N - 91
