"""Certified FMR thresholds in simulated worlds where the FMR is known: is the promise kept?

    OMP_NUM_THREADS=1 python bench/bench_worlds.py [--worlds 1000]

Impostor scores are standard normal and depend on nothing, on the pair of identities, on who the two
are (a share of the variance), or on a few wolves that resemble everybody. Genuine scores are six
higher. Says how often the certified threshold's true FMR was within the limit; 95 % is promised.
Where scores depend much on who it is, it is less: see docs/explanation/thresholds.md. Nothing must
hold but the first two. Writes results/worlds.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from gemel.calibrate.goals.certificates import fmr_threshold
from gemel.calibrate.scores.scores import Scores
from gemel.errors import TargetRefused

RESULT = Path(__file__).parent / "results" / "worlds.json"
CONFIDENCE = 0.95
WOLVES, HEIGHT = 0.03, 3.0

Effects = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""What the scores of two identities have in common: (n, n), symmetric, of a world of n."""


@dataclass(frozen=True)
class Case:
    """A kind of world, its size, and the FMR that is asked for."""

    what: str
    effects: Effects
    noise: float
    n_identities: int
    n_records: int
    limit: float

    def true_fmr(self, threshold: float) -> float:
        """Of all identities that there could be."""
        if self.effects is not wolves:
            return float(norm.sf(threshold))
        counts = ((1 - WOLVES) ** 2, 2 * WOLVES * (1 - WOLVES), WOLVES**2)
        return sum(c * float(norm.sf(threshold - k * HEIGHT)) for k, c in enumerate(counts))


def nothing(_: np.random.Generator, n: int) -> NDArray[np.float64]:
    return np.zeros((n, n))


def pairs(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    upper = np.triu(rng.standard_normal((n, n)), 1)
    return math.sqrt(0.8) * (upper + upper.T)


def identities(share: float) -> Effects:
    def effects(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        own = rng.standard_normal(n) * math.sqrt(share / 2)
        both: NDArray[np.float64] = own[:, None] + own[None]
        return both

    return effects


def wolves(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    own = np.where(rng.random(n) < WOLVES, HEIGHT, 0.0)
    both: NDArray[np.float64] = own[:, None] + own[None]
    return both


CASES = (
    Case("nothing", nothing, 1.0, 100, 2, 0.003),
    Case("the pair of identities, 80 % of the variance", pairs, 0.2, 60, 5, 0.01),
    Case("who it is, 25 % of the variance", identities(0.25), 0.75, 60, 4, 0.01),
    Case("3 wolves in 100", wolves, 1.0, 100, 2, 0.01),
    Case("who it is, 50 % of the variance", identities(0.5), 0.5, 30, 4, 0.05),
    Case("who it is, 50 % of the variance", identities(0.5), 0.5, 60, 4, 0.01),
    Case("who it is, 50 % of the variance", identities(0.5), 0.5, 150, 2, 0.003),
)


def world(case: Case, rng: np.random.Generator) -> Scores:
    """All comparisons of one world."""
    who = np.repeat(np.arange(case.n_identities), case.n_records).astype(np.int32)
    i, j = np.triu_indices(len(who), 1)
    left, right = who[i], who[j]
    score = math.sqrt(case.noise) * rng.standard_normal(len(i))
    score += case.effects(rng, case.n_identities)[left, right]
    genuine = left == right
    return Scores((score + 6 * genuine).astype(np.float32), genuine, left, right)


def run(case: Case, n_worlds: int) -> dict[str, object]:
    """How often the promise was kept."""
    rng = np.random.default_rng(0)
    true: list[float] = []
    for _ in range(n_worlds):
        try:
            found = fmr_threshold(world(case, rng), case.limit, CONFIDENCE)
        except TargetRefused:
            continue
        true.append(case.true_fmr(found.threshold))
    kept = sum(fmr <= case.limit for fmr in true)
    row = {
        "scores depend on": case.what,
        "identities": case.n_identities,
        "records": case.n_records,
        "limit": case.limit,
        "certified": len(true),
        "kept": kept,
        "mean_fmr_over_limit": round(float(np.mean(true)) / case.limit, 3),
    }
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--worlds", type=int, default=1000)
    asked = parser.parse_args()
    rows = [run(case, asked.worlds) for case in CASES]
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "confidence": CONFIDENCE,
        "worlds": asked.worlds,
        "rows": rows,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    held = all(int(str(r["kept"])) >= CONFIDENCE * int(str(r["certified"])) for r in rows[:2])
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
