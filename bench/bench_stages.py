"""Sketches before exact embeddings against exact embeddings alone, in a gallery of 200,000.

    python bench/bench_stages.py [--rows 200000] [--queries 2000]

A world of identities with lookalikes (identities in families), embeddings of 128 dimensions. The
threshold is chosen on identities of their own (dev); the gallery and the probes, half of them of
people who are not enrolled, are others. The engine `sketch` against a scan at the same threshold:
misses of enrolled people (FNIR), wrong matches of strangers (FPIR), CPU time of a query. Writes
results/stages.json. What must hold: at most 0.4 x the CPU time at equal errors.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import Float32, unit_rows
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.intervals import wilson
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.encode.comparators.cosine import Cosine
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing

DIM, PER_IDENTITY, FAMILY = 128, 3, 5
ENROLLED = 2
HOW = {
    "scan": Indexing(exact_rows=1 << 40, background=False),
    "sketch": Indexing(engine="sketch", background=False),
}
RESULTS = Path(__file__).parent / "results" / "stages.json"


def identities(n: int, seed: int) -> Float32:
    """Embeddings of n identities: (n, PER_IDENTITY, DIM)."""
    rng = np.random.default_rng(seed)
    families = rng.standard_normal((n // FAMILY + 1, DIM), dtype=np.float32)
    centres = families[np.arange(n) // FAMILY] + 0.5 * rng.standard_normal((n, DIM), np.float32)
    noise = rng.standard_normal((n, PER_IDENTITY, DIM), dtype=np.float32)
    rows = centres[:, None] + 0.9 * noise
    return unit_rows(rows.reshape(-1, DIM)).reshape(n, PER_IDENTITY, DIM)


def dev() -> float:
    """The threshold that 1,500 identities choose."""
    n = 1500
    rows, codes = identities(n, 1).reshape(-1, DIM), np.repeat(np.arange(n), PER_IDENTITY)
    return choose(all_pairs(rows, codes, Cosine()), Target(kind="fmr", value=1e-4)).threshold


def run(gallery: LocalGallery, probes: Float32) -> tuple[list[Any], float]:
    """Best hit of each probe, one query at a time, and milliseconds of CPU time of a query."""
    for probe in probes[:20]:
        gallery.search(probe, 1)
    start = time.process_time()
    hits = [gallery.search(probe, 1) for probe in probes]
    spent = time.process_time() - start
    return [found[0][0] for found in hits], 1e3 * spent / len(probes)


def share(hits: list[bool]) -> dict[str, Any]:
    value = sum(hits) / len(hits)
    return {"value": value, "interval": wilson(value, len(hits), 1.96)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=2000)
    asked = parser.parse_args()
    threshold = dev()
    n = asked.rows // ENROLLED
    people, strangers = identities(n, 2), identities(asked.queries // 2, 3)
    rows = people[:, :ENROLLED].reshape(-1, DIM)
    owner = np.repeat(np.arange(n), ENROLLED)
    known = np.random.default_rng(0).choice(n, asked.queries // 2, replace=False)
    probes = np.concatenate([people[known, -1], strangers[:, 0]])
    found: dict[str, Any] = {}
    ids = [f"{identity}/{i}" for i, identity in enumerate(owner)]
    with contextlib.ExitStack() as opened:
        galleries = {}
        for name, how in HOW.items():
            folder = opened.enter_context(tempfile.TemporaryDirectory())
            gallery = LocalGallery.open(folder, space_id="bench", dim=DIM, indexing=how)
            galleries[name] = opened.enter_context(gallery)
            for i in range(0, len(rows), 20_000):
                gallery.enroll(ids[i : i + 20_000], rows[i : i + 20_000])
            gallery.build_index()
        recall = galleries["sketch"].stats().index_recall
        spent: dict[str, list[float]] = {name: [] for name in HOW}
        for _ in range(3):
            for name, gallery in galleries.items():
                hits, ms = run(gallery, probes)
                spent[name].append(ms)
                right = [h.id.split("/")[0] == str(i) for h, i in zip(hits, known, strict=False)]
                match = [h.score >= threshold for h in hits]
                found[name] = {
                    "cpu_ms_per_query": sorted(spent[name])[len(spent[name]) // 2],
                    "fnir": share([not (r and m) for r, m in zip(right, match, strict=False)]),
                    "fpir": share(match[len(known) :]),
                }
    ratio = found["sketch"]["cpu_ms_per_query"] / found["scan"]["cpu_ms_per_query"]
    result = {
        "what": "sketches, then exact embeddings, against exact embeddings alone",
        "rows": len(rows),
        "dim": DIM,
        "threshold": threshold,
        "index_recall": recall,
        **found,
        "cpu_ratio": ratio,
        "target": 0.4,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "load": [round(x, 1) for x in os.getloadavg()],
        "date": datetime.now(UTC).date().isoformat(),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
