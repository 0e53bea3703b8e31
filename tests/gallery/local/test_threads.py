"""Many threads search while one writes."""

import threading

import numpy as np

from gemel.arrays import unit_rows
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing

DIM = 16
N = 400


def test_every_search_sees_one_state(folder):
    """Each round rewrites all records; embedding, attribute and score must be of one round."""
    rng = np.random.default_rng(0)
    rounds = [unit_rows(rng.standard_normal((N, DIM))) for _ in range(12)]
    names = [f"r{i}" for i in range(N)]
    where_of = {
        row.tobytes(): (r, i) for r, rows in enumerate(rounds) for i, row in enumerate(rows)
    }
    queries = np.concatenate(rounds)
    wrong: list[object] = []
    done = threading.Event()
    how = Indexing(exact_rows=50)

    with LocalGallery.open(folder, space_id="s", dim=DIM, indexing=how) as gallery:
        gallery.enroll(names, rounds[0], [{"round": 0}] * N)

        def read(seed: int) -> None:
            own = np.random.default_rng(seed)
            while not done.is_set():
                query = queries[own.integers(len(queries))]
                hits = gallery.search(query, 60)[0]
                seen = {hit.attributes["round"] for hit in hits}
                turn, place = where_of[query.tobytes()]
                found = hits[0].score > 0.9999
                if len(hits) != 60 or len(seen) != 1 or found != (seen == {turn}):
                    wrong.append((len(hits), seen, turn))
                if found and hits[0].id != names[place]:
                    wrong.append((hits[0], place))

        readers = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for reader in readers:
            reader.start()
        for turn, rows in enumerate(rounds[1:], 1):
            gallery.enroll(names, rows, [{"round": turn}] * N)
        done.set()
        for reader in readers:
            reader.join()
    assert wrong == []


def test_two_threads_may_enroll(folder):
    rows = unit_rows(np.random.default_rng(0).standard_normal((200, DIM)))
    with LocalGallery.open(folder, space_id="s", dim=DIM) as gallery:

        def enroll(start: int) -> None:
            for i in range(start, start + 100, 20):
                gallery.enroll([f"r{j}" for j in range(i, i + 20)], rows[i : i + 20])

        writers = [threading.Thread(target=enroll, args=(start,)) for start in (0, 100)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert gallery.count() == 200
        assert [gallery.search(row, 1)[0][0].id for row in rows] == [f"r{i}" for i in range(200)]
