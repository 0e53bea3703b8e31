"""Sketches before exact embeddings against exact embeddings alone, in a gallery of 200,000.

    python bench/bench_stages.py [--rows 200000] [--queries 2000]

A world of identities with lookalikes (identities in families), embeddings of 128 dimensions. The
first stage and the threshold are chosen on identities of their own (dev); the gallery and the
probes, half of them of people who are not enrolled, are others. Compared at the same threshold:
misses of enrolled people (FNIR), wrong matches of strangers (FPIR), CPU time of a query. Writes
results/stages.json. What must hold: at most 0.4 x the CPU time at equal errors.
"""

from __future__ import annotations

import argparse
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
from gemel.calibrate.goals.choose import choose as choose_threshold
from gemel.calibrate.goals.stages import StageGoal, choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.intervals import wilson
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.decide.bands import Band
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.sketch import Sketch
from gemel.gallery.candidates import Near
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing

DIM, BITS, PER_IDENTITY, FAMILY = 128, 256, 3, 5
ENROLLED = 2
RESULTS = Path(__file__).parent / "results" / "stages.json"
GOAL = StageGoal(bits=BITS, max_loss=0.005)


def identities(n: int, seed: int) -> Float32:
    """Embeddings of n identities: (n, PER_IDENTITY, DIM)."""
    rng = np.random.default_rng(seed)
    families = rng.standard_normal((n // FAMILY + 1, DIM), dtype=np.float32)
    centres = families[np.arange(n) // FAMILY] + 0.5 * rng.standard_normal((n, DIM), np.float32)
    noise = rng.standard_normal((n, PER_IDENTITY, DIM), dtype=np.float32)
    rows = centres[:, None] + 0.9 * noise
    return unit_rows(rows.reshape(-1, DIM)).reshape(n, PER_IDENTITY, DIM)


def dev() -> tuple[Near, float, dict[str, Any]]:
    """The first stage and the threshold that 1,500 identities choose."""
    n = 1500
    rows, codes = identities(n, 1).reshape(-1, DIM), np.repeat(np.arange(n), PER_IDENTITY)
    exact, sketch = all_pairs(rows, codes, Cosine()), all_pairs(rows, codes, Sketch(BITS))
    at = choose_threshold(exact, Target(kind="fmr", value=1e-4)).threshold
    band = Band(threshold=at, review_low=at, review_high=at)
    chosen = choose(sketch, exact, band, GOAL)
    near = Near(bits=chosen.first.bits, max_distance=chosen.first.max_distance)
    return near, at, {"threshold": at, "max_distance": near.max_distance, "cost": chosen.cost}


def run(gallery: LocalGallery, probes: Float32, first: Near | None) -> tuple[list[Any], float]:
    """Best hit of each probe, one query at a time, and milliseconds of CPU time of a query."""
    for probe in probes[:20]:
        gallery.search(probe, 1, first=first)
    start = time.process_time()
    hits = [gallery.search(probe, 1, first=first) for probe in probes]
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
    near, threshold, chosen = dev()
    n = asked.rows // ENROLLED
    people, strangers = identities(n, 2), identities(asked.queries // 2, 3)
    rows = people[:, :ENROLLED].reshape(-1, DIM)
    owner = np.repeat(np.arange(n), ENROLLED)
    known = np.random.default_rng(0).choice(n, asked.queries // 2, replace=False)
    probes = np.concatenate([people[known, -1], strangers[:, 0]])
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        scan_all = Indexing(engine="flat", exact_rows=asked.rows + 1)
        with LocalGallery.open(folder, space_id="bench", dim=DIM, indexing=scan_all) as gallery:
            for i in range(0, len(rows), 20_000):
                ids = [f"{owner[j]}/{j}" for j in range(i, min(i + 20_000, len(rows)))]
                gallery.enroll(ids, rows[i : i + 20_000])
            spent: dict[str, list[float]] = {"single": [], "staged": []}
            for _ in range(3):
                for name, first in (("single", None), ("staged", near)):
                    hits, ms = run(gallery, probes, first)
                    spent[name].append(ms)
                    right = [
                        h.id.split("/")[0] == str(i) for h, i in zip(hits, known, strict=False)
                    ]
                    match = [h.score >= threshold for h in hits]
                    found[name] = {
                        "cpu_ms_per_query": sorted(spent[name])[len(spent[name]) // 2],
                        "fnir": share([not (r and m) for r, m in zip(right, match, strict=False)]),
                        "fpir": share(match[len(known) :]),
                    }
    ratio = found["staged"]["cpu_ms_per_query"] / found["single"]["cpu_ms_per_query"]
    result = {
        "what": "sketches, then exact embeddings, against exact embeddings alone",
        "rows": len(rows),
        "dim": DIM,
        "bits": BITS,
        "dev": chosen,
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
