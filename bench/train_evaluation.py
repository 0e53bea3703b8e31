"""The memory of evaluating all comparisons of many records: a process of its own, without torch.

It makes unit rows, ranks every record against all others, compares as many pairs as a release looks
at, and measures the threshold that is best for F1. It prints one line of JSON: `bench_train.py`.

    python bench/train_evaluation.py N_RECORDS
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np

from gemel.arrays import unit_rows
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.encode.comparators.cosine import Cosine
from gemel.release.evidence.part import Part
from gemel.tasks.retrieval import retrieve

DIM, OF_AN_IDENTITY = 128, 5


def main(n: int) -> None:
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(n // OF_AN_IDENTITY), OF_AN_IDENTITY)
    rows = rng.standard_normal((n // OF_AN_IDENTITY, DIM), dtype=np.float32)[identities]
    rows += 1.5 * rng.standard_normal(rows.shape, dtype=np.float32)
    rows = unit_rows(rows)
    begun = time.process_time()
    found = retrieve(rows, identities, Cosine())
    ranked, after_ranks = time.process_time() - begun, _mb()
    part = Part.of(rows, identities, Cosine())
    point = choose(part.scores, Target(kind="f1"))
    said = {
        "comparisons_ranked": found.n_queries * (found.n_records - 1),
        "comparisons_thresholded": len(part.scores.score),
        "recall_at_1": round(found.recall_at_k[1], 4),
        "map_at_r": round(found.map_at_r, 4),
        "f1_threshold": round(float(point.threshold), 4),
        "ranks_cpu_s": round(ranked, 1),
        "all_cpu_s": round(time.process_time() - begun, 1),
        "after_ranks_mb": after_ranks,
        "process_mb": _mb(),
    }
    print(json.dumps(said))


def _mb() -> int:
    """Peak resident memory of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (1e6 if sys.platform == "darwin" else 1e3))


if __name__ == "__main__":
    main(int(sys.argv[1]))
