"""A first stage in a gallery finds what a scan finds above its limit, while rows come and go."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gemel.arrays import Float32, unit_rows
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.sketch import Sketch
from gemel.gallery.candidates import COMPARED_ROWS, Near
from gemel.gallery.local.gallery import LocalGallery

DIM, N = 32, COMPARED_ROWS + 1500
FIRST = Near(bits=256, max_distance=70)


def rows(n: int, seed: int = 0) -> Float32:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((n // 4, DIM))
    return unit_rows(centres[np.arange(n) % (n // 4)] + 0.4 * rng.standard_normal((n, DIM)))


def test_every_row_near_enough_is_compared_exactly(tmp_path: Path) -> None:
    x = rows(N)
    ids = [f"r{i}" for i in range(N)]
    sketch = Sketch(FIRST.bits)
    with LocalGallery.open(tmp_path, space_id="s", dim=DIM) as gallery:
        gallery.enroll(ids[:-500], x[:-500], [{"even": i % 2 == 0} for i in range(N - 500)])
        gallery.search(x[0], 5, first=FIRST)
        gallery.enroll(ids[-500:], x[-500:], [{"even": i % 2 == 0} for i in range(N - 500, N)])
        gallery.delete(["r3", "r9"])
        live = np.array([i for i in range(N) if i not in (3, 9)])
        for at in (0, 17, N - 1):
            distance = sketch.distance(sketch.of(x[at][None])[:, 0], sketch.of(x[live]))
            exact = Cosine().matrix(x[at][None], x[live])[0]
            near = np.where(distance <= FIRST.max_distance, exact, -2)
            expected = np.sort(near[near > -2])[::-1][:5]
            (hits,) = gallery.search(x[at][None], 5, first=FIRST)
            found = np.array([h.score for h in hits[: len(expected)]])
            assert (found >= expected - 1e-6).all()
            assert hits[0].id == ids[at]
            assert len(hits) == 5  # the nearest sketches fill up what is missing
            (filtered,) = gallery.search(x[at][None], 5, {"even": True}, first=FIRST)
            assert all(h.attributes["even"] for h in filtered)


def test_a_small_gallery_is_compared_as_ever(tmp_path: Path) -> None:
    x = rows(400)
    with LocalGallery.open(tmp_path, space_id="s", dim=DIM) as gallery:
        gallery.enroll([f"r{i}" for i in range(400)], x)
        strict = Near(bits=64, max_distance=0)
        assert gallery.search(x[:5], 3, first=strict) == gallery.search(x[:5], 3)
