"""Without labels: gemel's unproven start beside linkers that need none, on identities never seen.

gemel gets the train records of each split without a single identity and makes a release, as `gemel
train` does; that release decides the pairs of eval by its own threshold, and, to compare ways to
score alone, by the best one of dev, as the peers are measured. Peers may see the records of all
sides. Prints a table and writes results/first_hour.json. See README.md.

    python bench/bench_first_hour.py [--sets NAME ...] [--seeds N ...] [--contestants NAME ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bench_records import CACHE, describe
from records_contestants import Outcome, contestants, environment
from records_data import Table, load
from records_measure import Result, Truth, best_f1_threshold
from rich.console import Console
from rich.table import Table as Grid

from gemel.data import splits
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.release.evidence.goals import Goals
from gemel.release.for_set import for_set
from gemel.release.make import unproven
from gemel.release.release import Release
from gemel.settings import TrainSettings
from gemel.train.fit import train

RESULTS = Path(__file__).parent / "results" / "first_hour.json"
SETS = {"rldata10000": 0.98, "febrl2-names": 0.79, "febrl3-names": None}
"""With the F1 that the mean of the seeds is to reach."""
OURS = "gemel, no labels"
PEERS = ("recordlinkage-ecm", "splink", "goldenmatch")
GOLDENMATCH = Path(__file__).parent / "requirements-goldenmatch.txt"
PROTOCOL = (
    "Identities are split 60/20/20 into train, dev and eval, as in bench_records. gemel: train "
    "records without identities. 'own': the release's own threshold for the set of eval; 'dev': "
    "that of the highest pairwise F1 on dev, as peers have it. GoldenMatch configures itself on "
    "the records of eval and decides there itself. F1 over all pairs of eval."
)


def start(dataset: Dataset, folder: Path) -> Release:
    """The release of records without labels."""
    settings = TrainSettings()
    run = train(dataset, splits.without_labels(dataset), settings, folder / "run")
    return unproven.build(run.folder, dataset, goals=Goals(), into=folder / "release")


def ours(table: Table, seed: int) -> dict[str, Any]:
    """F1 on eval of the release, by its own threshold and by dev's, and what it expected."""
    dataset, sides = table.dataset(), table.split(seed).sides()
    part = dataset.take(sides["train"])
    part = replace(part, identities=np.full(len(part), UNKNOWN), identity_names=())
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        release = start(part, Path(folder))
        seconds = time.process_time() - begun
        scores = {s: _scores(release, dataset.payloads(sides[s])) for s in ("dev", "eval")}
        likely = scores["eval"][scores["eval"] >= release.policy.verify.threshold]
        own = for_set(release, likely.astype(np.float64), len(scores["eval"]))
    truth = {s: Truth.of(table.identities[sides[s]]) for s in scores}
    best = best_f1_threshold(scores["dev"], truth["dev"])
    at = release.evidence.eval
    return {
        "own": _measured(own.policy.verify.threshold, scores["eval"], truth["eval"]),
        "dev": _measured(best, scores["eval"], truth["eval"]),
        "expected": {"precision": at.precision.value, "recall": at.recall.value},
        "cpu_seconds": round(seconds, 1),
    }


def _scores(release: Release, payloads: list[Any]) -> np.ndarray:
    rows = release.encoder.encode(payloads)
    return release.comparator.matrix(rows, rows)[np.triu_indices(len(rows), 1)]


def _measured(threshold: float, score: np.ndarray, truth: Truth) -> dict[str, float]:
    precision, recall, f1, _ = Result.at(threshold, score, truth).measure()
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def peer(outcome: Outcome, table: Table, seed: int) -> dict[str, Any]:
    """F1 on eval of a peer, by the variant and threshold that are best on dev."""
    sides = table.split(seed).sides()
    truth = {s: Truth.of(table.identities[sides[s]]) for s in ("dev", "eval")}
    found = {}
    for name, scores in outcome.variants.items():
        best = best_f1_threshold(scores["dev"], truth["dev"])
        on_dev = _measured(best, scores["dev"], truth["dev"])["f1"]
        found[name] = on_dev, _measured(best, scores["eval"], truth["eval"])
    name = max(found, key=lambda variant: found[variant][0])
    return {"dev": found[name][1], "variant": name}


def goldenmatch(table: Table, seed: int) -> dict[str, Any]:
    """F1 on eval of the clusters that GoldenMatch finds there without a configuration."""
    idx = table.split(seed).eval
    python = environment(CACHE / "bench-goldenmatch", GOLDENMATCH)
    with tempfile.TemporaryDirectory() as folder:
        job, out = Path(folder) / "job.json", Path(folder) / "out.json"
        rows = [table.rows[i] for i in idx]
        job.write_text(json.dumps({"columns": list(table.kinds), "rows": rows}))
        script = Path(__file__).with_name("peers_goldenmatch.py")
        subprocess.run([python, script, job, out], check=True, capture_output=True)
        label = np.array(json.loads(out.read_text()))
    i, j = np.triu_indices(len(idx), 1)
    same = (label[i] == label[j]).astype(np.float32)
    return {"own": _measured(0.5, same, Truth.of(table.identities[idx]))}


def main() -> None:
    """Run what the command line asks for, show it and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--contestants", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    console, report = Console(), {**describe(), "protocol": PROTOCOL, "sets": {}}
    grid = Grid(title="Without labels: pairwise F1 on eval", title_justify="left")
    for column in ("set", "contestant", "own threshold", "best threshold of dev", "wanted"):
        grid.add_column(column)
    for name in asked.sets:
        table, found = load(name, CACHE / "packages"), {}
        for seed in asked.seeds:
            found.setdefault(OURS, []).append(ours(table, seed))
            if "goldenmatch" in asked.contestants:
                found.setdefault("goldenmatch", []).append(goldenmatch(table, seed))
            for one in (c for c in asked.contestants if c != "goldenmatch"):
                folder = CACHE / "bench-records" / f"{name}-{seed}"
                outcome = contestants(CACHE)[one](table, table.split(seed), folder)
                found.setdefault(one, []).append(peer(outcome, table, seed))
            console.print(f"{name}, seed {seed}: {found[OURS][-1]}")
        report["sets"][name] = {"seeds": asked.seeds, "contestants": found}
        for one, seeds in found.items():
            cells = [_mean(seeds, "own"), _mean(seeds, "dev")]
            wanted = f"{SETS[name]}" if one == OURS and SETS[name] else ""
            grid.add_row(name, one, *cells, wanted)
    console.print(grid)
    asked.out.write_text(json.dumps(report, indent=1) + "\n")
    console.print(f"written: {asked.out}")


def _mean(seeds: list[dict[str, Any]], threshold: str) -> str:
    values = [seed[threshold]["f1"] for seed in seeds if threshold in seed]
    return f"{np.mean(values):.4f}" if values else "-"


if __name__ == "__main__":
    main()
