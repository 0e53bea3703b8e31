"""Thresholds of their own for 60 categories, where the true FMR of each is known.

Impostor scores of a category are normal, with a mean and spread of its own; 20 to 5,000 comparisons
each; every threshold is to have an FMR of 1 %. Three worlds: independent comparisons; all
comparisons of few identities (which share them); and tails that differ between categories, which
levelling cannot see. Compared: one threshold for all, the quantile of each category, levelled
scores with their pooled quantile, with the certified threshold (what gemel does), and with the one
certified on scores that were levelled by themselves. Must, in every world: the RMS of log10(FMR /
1 %) of levelled scores is the least at every size; with the certified threshold, less than half as
many categories below 100 comparisons have more than twice the FMR as with the quantile of each, and
the FMR over all comparisons is above 1 % in at most 5 % of the worlds. Writes
bench/results/categories.json.

    OMP_NUM_THREADS=1 python bench/bench_categories.py [n_worlds]
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from gemel.arrays import Float64, Int64
from gemel.calibrate.goals.certificates import fmr_threshold
from gemel.calibrate.goals.level_categories import fit
from gemel.calibrate.scores.categories import level_scores
from gemel.calibrate.scores.scores import Scores
from gemel.decide.categories import Categories

N_CATEGORIES = 60
TARGET, CONFIDENCE = 0.01, 0.95
MEAN_SD, LOG_SD_SD = 0.25, 0.15
"""How much categories differ, in spreads of a category."""
SHARED = 0.15
"""Share of the variance that each of the two identities has, in the world that shares them."""
SIZES = ((20, 100), (100, 1000), (1000, 5001))
WORLDS = ("independent", "shared identities", "other tails")
METHODS = ("one threshold", "quantile of each", "levelled", "certified", "certified, own scores")
RESULT = Path(__file__).with_name("results") / "categories.json"


@dataclass(frozen=True)
class World:
    """Impostor comparisons, and the FMR that each category truly has at a threshold of its own."""

    scores: Scores
    n: Int64
    fmr: Callable[[Float64], Float64]


def world(kind: str, seed: int) -> World:
    rng = np.random.default_rng(seed)
    n = np.exp(rng.uniform(np.log(20), np.log(5000), N_CATEGORIES)).round().astype(np.int64)
    mean = rng.normal(0, MEAN_SD, N_CATEGORIES)
    sd = np.exp(rng.normal(0, LOG_SD_SD, N_CATEGORIES))
    degrees = rng.uniform(5, 30, N_CATEGORIES) if kind == "other tails" else None
    score, left, right = [], [], []
    first = 0
    for g in range(N_CATEGORIES):
        if kind == "shared identities":
            k = max(4, round((1 + np.sqrt(1 + 8 * n[g])) / 2))
            i, j = np.triu_indices(k, 1)
            n[g] = len(i)
            own = np.sqrt(SHARED) * rng.normal(size=k)
            z = own[i] + own[j] + np.sqrt(1 - 2 * SHARED) * rng.normal(size=len(i))
        else:
            k, i = 2 * int(n[g]), np.arange(n[g])
            j = i + n[g]
            z = rng.normal(size=n[g])
            if degrees is not None:
                z = stats.t.ppf(stats.norm.cdf(z), degrees[g]) / np.sqrt(
                    degrees[g] / (degrees[g] - 2)
                )
        score.append(mean[g] + sd[g] * z)
        left.append(first + i)
        right.append(first + j)
        first += k
    category = np.repeat(np.arange(N_CATEGORIES), n).astype(np.int16)
    scores = Scores(
        np.concatenate(score).astype(np.float32),
        np.zeros(len(category), np.bool_),
        np.concatenate(left).astype(np.int32),
        np.concatenate(right).astype(np.int32),
        left_category=category,
        right_category=category,
        category_names=tuple(str(g) for g in range(N_CATEGORIES)),
    )

    def fmr(threshold: Float64) -> Float64:
        z = (threshold - mean) / sd
        if degrees is None:
            return np.asarray(stats.norm.sf(z))
        return np.asarray(stats.t.sf(z * np.sqrt(degrees / (degrees - 2)), degrees))

    return World(scores, n, fmr)


def thresholds(scores: Scores) -> dict[str, Float64]:
    """The threshold of each category, by method."""
    parts = np.split(scores.score, np.flatnonzero(np.diff(scores.left_category)) + 1)
    fitted = fit(scores, "category")
    categories, levelled = fitted.categories, fitted.scores
    own = level_scores(scores, categories)
    return {
        "one threshold": np.full(N_CATEGORIES, np.quantile(scores.score, 1 - TARGET)),
        "quantile of each": np.array([np.quantile(p, 1 - TARGET) for p in parts]),
        "levelled": of_each(categories, float(np.quantile(levelled.score, 1 - TARGET))),
        "certified": of_each(categories, fmr_threshold(levelled, TARGET, CONFIDENCE).threshold),
        "certified, own scores": of_each(
            categories, fmr_threshold(own, TARGET, CONFIDENCE).threshold
        ),
    }


def of_each(categories: Categories, levelled: float) -> Float64:
    return np.array([categories.threshold(levelled, (name, name)) for name in categories.lines])


Found = dict[str, dict[str, Any]]


def run(kind: str, n_worlds: int) -> Found:
    """By method, for each range of sizes: RMS of log10(FMR / target), share above twice it.

    And the share of worlds whose FMR over all comparisons is above the target.
    """
    n: list[Int64] = []
    found: dict[str, list[Float64]] = {method: [] for method in METHODS}
    for seed in range(n_worlds):
        here = world(kind, seed)
        n.append(here.n)
        for method, threshold in thresholds(here.scores).items():
            found[method].append(here.fmr(threshold))
    size = np.concatenate(n)
    out: Found = {}
    for method, rates in found.items():
        fmr = np.concatenate(rates)
        broken = [m @ rate / m.sum() > TARGET for m, rate in zip(n, rates, strict=True)]
        out[method] = {"worlds_above": round(float(np.mean(broken)), 3), "sizes": []}
        for low, high in SIZES:
            part = fmr[(size >= low) & (size < high)]
            off = np.log10(np.maximum(part, 1e-12) / TARGET)
            rms, above = np.sqrt(np.square(off).mean()), (part > 2 * TARGET).mean()
            out[method]["sizes"].append(
                {
                    "comparisons": f"{low}-{high - 1}",
                    "rms_log10": round(float(rms), 3),
                    "above_twice": round(float(above), 3),
                }
            )
    return out


def passes(found: Found) -> bool:
    one, each, ours, certified, _ = (found[method]["sizes"] for method in METHODS)
    closer = all(
        a["rms_log10"] < min(b["rms_log10"], c["rms_log10"])
        for a, b, c in zip(ours, one, each, strict=True)
    )
    rarer = certified[0]["above_twice"] < each[0]["above_twice"] / 2
    return closer and rarer and found["certified"]["worlds_above"] <= 1 - CONFIDENCE


def main(n_worlds: int) -> None:
    results = {}
    for kind in WORLDS:
        results[kind] = run(kind, n_worlds)
        for method, cells in results[kind].items():
            sizes = (f"{c['rms_log10']:.2f}/{c['above_twice']:.2f}" for c in cells["sizes"])
            shown = f"{'  '.join(sizes)}  {cells['worlds_above']:.2f}"
            print(f"{kind:<18} {method:<22} {shown}", flush=True)
    passed = all(passes(found) for found in results.values())
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "protocol": f"{n_worlds} worlds of {N_CATEGORIES} categories, target FMR {TARGET}",
        "passed": passed,
        "results": results,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    raise SystemExit(not passed)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
