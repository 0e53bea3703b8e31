"""Duplicates: which clusters each method makes of the same matches, and how many are false.

A release is trained, its threshold chosen for F1 on dev; then the duplicates are looked for among
the eval records (identities nobody has seen) and among all records of the set (five times as many,
so the share of genuine pairs is a fifth). Prints tables and writes results/duplicates.json.

    python bench/bench_duplicates.py [--sets NAME ...] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from records_data import Table, load
from rich.console import Console
from rich.table import Table as Grid

import gemel
from gemel.data.dataset import Dataset
from gemel.improve.result import Duplicates
from gemel.tasks.clusters import METHODS

CACHE = Path(__file__).parents[1] / ".cache"
RESULTS = Path(__file__).parent / "results" / "duplicates.json"
DATA = ("rldata10000", "febrl3-names", "patents")
MAX_RISK = 0.5


def trained(table: Table, dataset: Dataset, seed: int) -> tuple[gemel.Release, Path]:
    """A release with default settings, trained once, and the folder that keeps it."""
    folder = CACHE / "bench-duplicates" / f"{table.name}-{seed}"
    splits = table.split(seed)
    run = gemel.train_encoder(dataset, splits, gemel.TrainSettings(), folder / "run")
    if (folder / "release").exists():
        return gemel.Release.open(folder / "release"), folder
    goals = gemel.Goals(verify=gemel.Target(kind="f1"))
    return gemel.build_release(run.folder, dataset, goals=goals, into=folder / "release"), folder


def one_side(release: gemel.Release, records: Dataset, folder: Path) -> dict[str, Any]:
    """Matches and their expected and true errors, then clusters by each method."""
    start = time.process_time()
    first = gemel.duplicates(release, records, folder=folder, engine="exact")
    cpu = time.process_time() - start
    who = dict(zip(records.ids.tolist(), records.identities.tolist(), strict=True))
    matches = first.pairs.filter(first.pairs["outcome"] == "match")
    false = sum(who[a] != who[b] for a, b in matches.select("left", "right").iter_rows())
    seen = first.summary
    sizes = np.bincount(records.identities[records.identities >= 0])
    genuine = int((sizes * (sizes - 1) // 2).sum())
    report: dict[str, Any] = {
        "records": seen.n_records,
        "pairs": seen.n_pairs,
        "genuine_pairs": genuine,
        "matches": seen.n_matches,
        "false_matches": false,
        "expected_by_probability": _round(seen.false_links.expected),
        "expected_by_fmr": _round(seen.false_links.by_fmr),
        "at_most": _round(seen.false_links.at_most),
        "prior": {"true": genuine / seen.n_pairs, "estimated": seen.prior},
        "cpu_seconds": round(cpu, 1),
        "methods": {},
    }
    for method in METHODS:
        for limit in (None, MAX_RISK):
            found = gemel.duplicates(
                release, records, folder=folder, engine="exact", method=method, max_risk=limit
            )
            name = method if limit is None else f"{method}, max_risk {limit}"
            report["methods"][name] = _measures(found)
    return report


def _measures(found: Duplicates) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(found.summary.agreement),
        "clusters": found.summary.n_clusters,
        "largest": found.summary.largest,
    }


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def proposed(release: gemel.Release, records: Dataset) -> dict[str, Any]:
    """What an engine finds of the matches of an exact scan."""
    start = time.process_time()
    found = gemel.duplicates(release, records, engine="hnsw")
    cpu = time.process_time() - start
    return {
        "matches": found.summary.n_matches,
        "candidate_recall": msgspec.to_builtins(found.summary.candidate_recall),
        "pairwise_f1": found.summary.agreement.pairwise.f1 if found.summary.agreement else None,
        "cpu_seconds": round(cpu, 1),
    }


def grid(title: str, report: dict[str, Any]) -> Grid:
    """Methods down, measures across."""
    out = Grid(title=title, title_justify="left")
    for column in ("method", "pairwise P", "R", "F1", "B-cubed F1", "false pairs", "largest"):
        out.add_column(column, justify="left" if column == "method" else "right")
    for name, m in report["methods"].items():
        pair = [f"{m['pairwise'][k]:.3f}" for k in ("precision", "recall", "f1")]
        cells = [f"{m['b_cubed']['f1']:.3f}", f"{m['n_false_pairs']:,}", f"{m['largest']:,}"]
        out.add_row(name, *pair, *cells)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sets", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    console = Console(width=None if Console().is_terminal else 120)
    report: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "gemel": gemel.__version__,
        "protocol": "Split by identity 60/20/20; threshold best for pairwise F1 on dev. eval: "
        "records of unseen identities; all: every record of the set, those of train included. "
        "cpu_seconds: encoding, comparing and clustering, on a machine with other work.",
        "seed": asked.seed,
        "sets": {},
    }
    for name in asked.sets:
        table = load(name, CACHE / "packages")
        dataset = table.dataset()
        with console.status(f"{name}: training"):
            release, folder = trained(table, dataset, asked.seed)
        sides = {"eval": dataset.take(table.split(asked.seed).eval), "all": dataset}
        report["sets"][name] = {"source": table.source}
        for side, records in sides.items():
            with console.status(f"{name}, {side}"):
                job = folder / f"job-{release.short_id}-{side}"
                found = report["sets"][name][side] = one_side(release, records, job)
            title = (
                f"{name}, {side}: {found['records']:,} records, {found['matches']:,} matches, "
                f"{found['false_matches']:,} false (expected {found['expected_by_probability']:,}"
                f", at most {found['at_most']:,})"
            )
            console.print(grid(title, found))
        with console.status(f"{name}, hnsw"):
            report["sets"][name]["all"]["hnsw"] = proposed(release, dataset)
        asked.out.write_text(json.dumps(report, indent=1) + "\n")
    console.print(f"written: {asked.out}")


if __name__ == "__main__":
    main()
