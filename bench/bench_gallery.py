"""LocalGallery: enrolling, opening and searching, beside FAISS's own flat index in the same run.

    python bench/bench_gallery.py [--rows 200000] [--dim 128] [--skip-index]

Embeddings are clustered (one class per ten rows); queries are held-out members. Prints medians in
milliseconds and ratios; writes nothing.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np

from gemel.arrays import Float32, unit_rows
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing
from gemel.ledger.ledger import Ledger


def clustered(n: int, dim: int, n_queries: int) -> tuple[Float32, Float32]:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(n // 10, 1), dim), dtype=np.float32)
    owner = rng.integers(0, len(centres), n + n_queries)
    noise = rng.standard_normal((n + n_queries, dim), dtype=np.float32)
    rows = unit_rows(centres[owner] + 0.6 * noise)
    return rows[:n], rows[n:]


def timed(call: Callable[[], object], repeats: int = 1) -> float:
    """Median seconds of a call."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def one_by_one(search: Callable[[Float32], object], queries: Float32) -> float:
    """Median milliseconds of a search for one query."""
    for query in queries[:5]:
        search(query)
    return 1e3 * statistics.median(timed(lambda q=query: search(q)) for query in queries)


def small(folder: Path, rows: Float32, queries: Float32, sizes: tuple[int, ...]) -> None:
    print("| rows | gallery, one query, ms | FAISS flat, ms | ratio | 10 % filter, ms |")
    print("|---|---|---|---|---|")
    for n in sizes:
        with LocalGallery.open(folder / f"n{n}", space_id="bench", dim=rows.shape[1]) as gallery:
            gallery.enroll(
                [f"r{i}" for i in range(n)], rows[:n], [{"tenth": i % 10} for i in range(n)]
            )
            flat = faiss.IndexFlatIP(rows.shape[1])
            flat.add(rows[:n])
            ours = one_by_one(lambda q, g=gallery: g.search(q, 10), queries)
            theirs = one_by_one(lambda q, f=flat: f.search(q[None], 10), queries)
            some = one_by_one(lambda q, g=gallery: g.search(q, 10, {"tenth": 3}), queries)
        print(f"| {n:,} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.1f} | {some:.2f} |")


def large(folder: Path, rows: Float32, queries: Float32, *, index: bool) -> None:
    n, dim = rows.shape
    ids = [f"r{i}" for i in range(n)]
    attributes = [{"tenth": i % 10, "name": f"name {i}"} for i in range(n)]
    by_hand = Indexing(background=False)
    with LocalGallery.open(
        folder / "large", space_id="bench", dim=dim, indexing=by_hand
    ) as gallery:
        half = min(100_000, n)
        first = timed(lambda: gallery.enroll(ids[:half], rows[:half], attributes[:half]))
        print(f"\nenroll {half:,} x {dim}, one batch: {first:.2f} s ({half / first:,.0f}/s)")
        again = timed(lambda: gallery.enroll(ids[:half], rows[:half], attributes[:half]))
        print(f"enroll the same again: {again:.2f} s")
        for start in range(half, n, 512):
            stop = start + 512
            gallery.enroll(ids[start:stop], rows[start:stop], attributes[start:stop])
    open_s = timed(lambda: LocalGallery.open(folder / "large", indexing=by_hand).close(), 3)
    print(f"open {n:,} rows without an index: {open_s:.2f} s")
    with LocalGallery.open(folder / "large", indexing=by_hand) as gallery:
        scan = one_by_one(lambda q: gallery.search(q, 10), queries)
        some = one_by_one(lambda q: gallery.search(q, 10, {"tenth": 3}), queries)
        print(f"scan, one query: {scan:.2f} ms; 10 % filter: {some:.2f} ms")
        if not index:
            return
        truth = gallery.search(queries, 10)
        build = timed(gallery.build_index)
        found = gallery.search(queries, 10)
        quick = one_by_one(lambda q: gallery.search(q, 10), queries)
        right = [
            len({h.id for h in a} & {h.id for h in b}) / 10
            for a, b in zip(truth, found, strict=True)
        ]
        stats = gallery.stats()
        print(
            f"index built in {build:.1f} s; one query {quick:.2f} ms ({scan / quick:.0f} x the "
            f"scan); index_recall@10 {np.mean(right):.4f}, estimated {stats.index_recall:.4f}"
        )
    open_s = timed(lambda: LocalGallery.open(folder / "large", indexing=by_hand).close(), 3)
    print(f"open {n:,} rows with their index: {open_s:.2f} s")


def ledger(folder: Path) -> None:
    body = {
        "outcome": "match",
        "score": 0.87,
        "threshold": 0.8,
        "left": "x" * 32,
        "right": "y" * 32,
    }
    with Ledger.open(folder / "ledger.db") as book:
        start = time.thread_time()
        for _ in range(15_000):
            book.append("verify", body)
        hot = (time.thread_time() - start) / 15_000
        flush = timed(lambda: book.flush(60))
        verify = timed(book.verify)
    print(
        f"\nledger: append {hot * 1e6:.1f} us of CPU in the caller; 15,000 entries on disk "
        f"{flush:.2f} s later; verified in {verify:.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--skip-index", action="store_true")
    chosen = parser.parse_args()
    faiss.omp_set_num_threads(1)
    print(f"{platform.machine()}, Python {platform.python_version()}, one thread\n")
    rows, queries = clustered(chosen.rows, chosen.dim, 200)
    with tempfile.TemporaryDirectory() as folder:
        small(Path(folder), rows, queries, (1_000, 10_000, 50_000))
        large(Path(folder), rows, queries, index=not chosen.skip_index)
        ledger(Path(folder))


if __name__ == "__main__":
    main()
