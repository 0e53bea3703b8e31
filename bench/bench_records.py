"""Record linkage: gemel beside TF-IDF, Jaro-Winkler, recordlinkage and Splink on the same pairs.

Identity-disjoint train, dev and eval. Each contestant's variant and threshold are the best on dev,
by pairwise F1 over all pairs of dev; reported is eval, over all its pairs. Prints tables and
writes results/records.json. Peers' scores are kept in .cache/bench-records and computed once; the
first run takes about an hour on two cores, `--seeds 0` a third of that. See README.md.

    python bench/bench_records.py [--sets NAME ...] [--seeds N ...] [--contestants NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from records_contestants import REQUIREMENTS, Outcome, contestants
from records_data import SETS, Table, load
from records_measure import MEASURES, N_BOOTSTRAP, Result, Truth, best_f1_threshold, resampled
from rich.console import Console
from rich.table import Table as Grid

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache"
RESULTS = Path(__file__).parent / "results" / "records.json"
OURS = "gemel"
PROTOCOL = (
    "Identities (patents: connected name blocks) are split 60/20/20 into train, dev and eval, "
    "apart for identities of one record and of more. Threshold and variant of each contestant: "
    "highest pairwise F1 over all pairs of dev. Reported: all pairs of eval; recall_at_1: each "
    "eval record with a mate searches all other eval records, ties count by their share of mates. "
    f"Intervals: 95 %, {N_BOOTSTRAP} resamplings of the eval identities; over several seeds the "
    "mean of the seeds' bounds, as wide as one seed's since the eval sets overlap."
)


def one_side(outcome: Outcome, truth: dict[str, Truth]) -> tuple[str, float, dict[str, Any]]:
    """The variant that is best on dev, its threshold, and dev and eval measures of all variants."""
    seen: dict[str, Any] = {}
    threshold = {}
    for variant, scores in outcome.variants.items():
        threshold[variant] = best_f1_threshold(scores["dev"], truth["dev"])
        seen[variant] = {
            side: _named(Result.at(threshold[variant], scores[side], truth[side]).measure())
            for side in scores
        }
    best = max(seen, key=lambda variant: seen[variant]["dev"]["f1"])
    return best, threshold[best], seen


def run_seed(table: Table, seed: int, names: list[str], console: Console) -> dict[str, Any]:
    """Eval measures with intervals, and gemel's lead over each peer, for one split."""
    splits = table.split(seed)
    truth = {side: Truth.of(table.identities[splits.sides()[side]]) for side in ("dev", "eval")}
    folder = CACHE / "bench-records" / f"{table.name}-{seed}"
    report: dict[str, Any] = {}
    results = []
    for name in names:
        with console.status(f"{table.name}, seed {seed}: {name}"):
            outcome = contestants(CACHE)[name](table, splits, folder)
        variant, threshold, seen = one_side(outcome, truth)
        results.append(Result.at(threshold, outcome.variants[variant]["eval"], truth["eval"]))
        report[name] = {
            "variant": variant,
            "threshold": threshold,
            "eval": _named(results[-1].measure()),
            "variants": seen,
            "seconds_all_variants": round(outcome.seconds, 1),
        }
    draws = resampled(results, seed)
    for at, name in enumerate(names):
        report[name]["interval"] = _intervals(draws[:, at])
        if OURS in names and name != OURS:
            ours = names.index(OURS)
            report[name]["gemel_lead"] = _named(results[ours].measure() - results[at].measure())
            report[name]["gemel_lead_interval"] = _intervals(draws[:, ours] - draws[:, at])
    sizes = {side: len(idx) for side, idx in splits.sides().items()}
    pairs = {side: int(t.genuine.sum()) for side, t in truth.items()}
    return {"records": sizes, "genuine_pairs": pairs, "contestants": report}


def _named(measures: np.ndarray) -> dict[str, float]:
    return {name: round(float(v), 4) for name, v in zip(MEASURES, measures, strict=True)}


def _intervals(draws: np.ndarray) -> dict[str, list[float]]:
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return {
        name: [round(float(a), 4), round(float(b), 4)]
        for name, a, b in zip(MEASURES, low, high, strict=True)
    }


def over_seeds(seeds: dict[str, Any], name: str) -> dict[str, Any]:
    """Means over the seeds of one contestant's measures, bounds and gaps."""
    entries = [seed["contestants"][name] for seed in seeds.values()]
    keys = [k for k in ("eval", "interval", "gemel_lead", "gemel_lead_interval") if k in entries[0]]
    mean: dict[str, Any] = {
        key: {m: np.mean([e[key][m] for e in entries], axis=0).round(4).tolist() for m in MEASURES}
        for key in keys
    }
    return {**mean, "variants_chosen": [e["variant"] for e in entries]}


def grid(name: str, source: str, summary: dict[str, Any], n_seeds: int) -> Grid:
    """One table per set: contestants down, measures across, gemel's lead at the right."""
    out = Grid(title=f"{name}: {source}; mean of {n_seeds} splits", title_justify="left")
    columns = ("contestant", "precision", "recall", "F1 [95 %]", "recall@1 [95 %]")
    for column in (*columns, "gemel's lead in F1", "in recall@1"):
        out.add_column(column, justify="left" if column == "contestant" else "right")
    for contestant, means in summary.items():
        cells = [f"{means['eval'][m]:.3f}" for m in ("precision", "recall")]
        cells += [_cell(means, "eval", "interval", m, "") for m in ("f1", "recall_at_1")]
        if "gemel_lead" in means:
            lead = ("gemel_lead", "gemel_lead_interval")
            cells += [_cell(means, *lead, m, "+") for m in ("f1", "recall_at_1")]
        out.add_row(contestant, *cells, style="bold" if contestant == OURS else "")
    return out


def _cell(means: dict[str, Any], value: str, bounds: str, measure: str, sign: str) -> str:
    low, high = means[bounds][measure]
    return f"{means[value][measure]:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def describe() -> dict[str, Any]:
    """Where and with what the numbers came about."""
    packages = ("gemel", "torch", "onnxruntime", "numpy")
    pins = [line for line in REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "peers": dict(pin.split("==") for pin in pins),
        "protocol": PROTOCOL,
    }


def main() -> None:
    """Run what the command line asks for, show it and write it down."""
    names = list(contestants(CACHE))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--contestants", nargs="+", choices=names, default=names)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    console = Console(width=None if Console().is_terminal else 160)
    report: dict[str, Any] = {**describe(), "seeds": asked.seeds, "sets": {}}
    for name in asked.sets:
        table = load(name, CACHE / "packages")
        seeds = {str(s): run_seed(table, s, asked.contestants, console) for s in asked.seeds}
        summary = {one: over_seeds(seeds, one) for one in asked.contestants}
        console.print(grid(name, table.source, summary, len(seeds)))
        report["sets"][name] = {"source": table.source, "mean": summary, "seeds": seeds}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(report, indent=1) + "\n")
    console.print(f"written: {asked.out}")


if __name__ == "__main__":
    main()
