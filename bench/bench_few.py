"""A hundred identities with three records: what cross-fitting proves, and what strangers then do.

    OMP_NUM_THREADS=1 python bench/bench_few.py [--sets NAME ...] [--runs 10]

Each run draws identities, trains and calibrates on them (`split.crossed` and, beside it, a split
into train, dev and eval), and asks the encoder that would be served about hundreds of identities
that nobody has seen. What must hold: their FMR within what was proven in at least 90 % of the runs,
and an FMR of 0.01 proven. Images (Omniglot, font glyphs) lie outside of the repository; rows come
out of a wheel. Writes results/few.json after each run; sets that are not asked for stay as they
were.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench_certified import CACHE, glyph_pictures, omniglot_pictures, write_pictures
from records_data import load

from gemel.arrays import Int64
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.scores import Scores
from gemel.data import crossed, records, splits
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.encode import comparators
from gemel.encode.encoder import Encoder
from gemel.errors import TargetRefused
from gemel.release.evidence.part import Origin, compared
from gemel.release.evidence.schema import DEFAULT_SAMPLING
from gemel.settings import TrainSettings
from gemel.train.fit import train

RESULT = Path(__file__).parent / "results" / "few.json"
N, K, STRANGERS = 100, 3, 400
LIMIT = 1e-2
SIDES = {"crossed": crossed.thirds, "one split": splits.by_identity}


def rows(name: str, _: Path) -> Dataset:
    return load(name, CACHE / "packages").dataset()


def pictures(name: str, folder: Path) -> Dataset:
    """A folder of images under .cache, made once."""
    made = CACHE / "bench-few" / name.replace(" ", "-")
    if not made.is_dir():
        draft = Path(tempfile.mkdtemp())
        found = (omniglot_pictures if name == "omniglot" else glyph_pictures)(folder)
        write_pictures(found, draft, K)
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(draft, made)
    return records.read(made)


SETS: dict[str, Callable[[str, Path], Dataset]] = {
    "febrl3-names": rows,
    "febrl3-all": rows,
    "omniglot": pictures,
    "font glyphs": pictures,
}


def drawn(dataset: Dataset, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    """A few identities of K records at most, and as many strangers as are asked."""
    codes, size = np.unique(dataset.identities[dataset.identities >= 0], return_counts=True)
    codes = rng.permutation(codes[size > 1])
    return _of(dataset, codes[:N]), _of(dataset, codes[N : N + STRANGERS])


def _of(dataset: Dataset, codes: Int64) -> Dataset:
    at = [np.flatnonzero(dataset.identities == code)[:K] for code in codes]
    return dataset.take(np.sort(np.concatenate(at)))


def one_run(known: Dataset, strangers: Dataset, sides: Splits, folder: Path) -> dict[str, Any]:
    """What is proven with these sides, and the FMR of the served encoder among strangers."""
    run = train(known, sides, TrainSettings(threads=1), folder)
    comparator = comparators.load(run.encoder)
    encoder = Encoder.open(run.encoder)
    found = compared(Origin(run, known, encoder), comparator, DEFAULT_SAMPLING, lambda: None)
    truth = _among(strangers, encoder, comparator)
    row: dict[str, Any] = {"seconds": round(run.training.seconds, 1)}
    row["scales"] = [_scale(s) for s in (found.dev.scores, found.eval.scores, truth)]
    for limit in (LIMIT, 2e-2, 5e-2):
        try:
            at = choose(found.dev.scores, Target(kind="fmr", value=limit))
        except TargetRefused as e:
            row[str(limit)] = {"refused": e.refusal.missing_in_data}
            continue
        said, true = measure(found.eval.scores, at.threshold), measure(truth, at.threshold)
        row[str(limit)] = {
            "fmr": true.fmr.value,
            "fnmr": true.fnmr.value,
            "fnmr said": said.fnmr.span(2),
            "fmr said": said.fmr.span(2),
            "covers": said.fnmr.low <= true.fnmr.value <= said.fnmr.high,
        }
    return row


def _among(records: Dataset, encoder: Encoder, comparator: comparators.Comparator) -> Scores:
    idx = np.arange(len(records))
    return all_pairs(encoder.encode(records.payloads(idx)), records.identities, comparator)


def _scale(scores: Scores) -> list[float]:
    """Impostor scores that 10, 1 and .1 % are above."""
    found = np.quantile(scores.score[~scores.genuine], [0.9, 0.99, 0.999])
    return [round(float(q), 3) for q in found]


def bench(name: str, folder: Path, runs: int, sides: list[str]) -> Iterator[dict[str, Any]]:
    """What each run of a set found, one after the other."""
    dataset = SETS[name](name, folder)
    for seed in range(runs):
        known, strangers = drawn(dataset, np.random.default_rng(seed))
        for kind in sides:
            split = SIDES[kind](known, seed=seed)
            with tempfile.TemporaryDirectory() as work:
                row = one_run(known, strangers, split, Path(work) / "run")
            yield {"set": name, "seed": seed, "sides": kind, **row}


def summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """By set and sides: how often the limit was proven, and what strangers then did."""
    told: dict[str, Any] = {}
    for run in runs:
        of = told.setdefault(run["set"], {}).setdefault(run["sides"], {"runs": 0, "proven": []})
        of["runs"] += 1
        of["proven"] += [run[str(LIMIT)]] if "fmr" in run[str(LIMIT)] else []
    for sides in told.values():
        for of in sides.values():
            proven = of.pop("proven")
            of["proven"] = len(proven)
            of["kept"] = sum(row["fmr"] <= LIMIT for row in proven)
            of["fnmr covered"] = sum(row["covers"] for row in proven)
            for rate in ("fmr", "fnmr") if proven else ():
                of[f"mean {rate}"] = round(float(np.mean([row[rate] for row in proven])), 5)
    return told


def main() -> None:
    """Run the sets, write, and say whether strangers keep what was proven."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, default=CACHE.parents[1] / "shared" / "data")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    asked = parser.parse_args()
    before = json.loads(RESULT.read_text())["runs"] if RESULT.exists() else []
    runs = [run for run in before if run["set"] not in asked.sets]
    images, each = asked.images, (asked.runs, asked.sides)
    for run in (run for name in asked.sets for run in bench(name, images, *each)):
        print(json.dumps(run), flush=True)
        runs.append(run)
        result = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            "limit": LIMIT,
            "sets": summed(runs),
            "runs": runs,
        }
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    crossed_only = [of["crossed"] for of in summed(runs).values() if "crossed" in of]
    n, proven, kept = (sum(of[k] for of in crossed_only) for k in ("runs", "proven", "kept"))
    print(f"{kept} of {proven} proven promises kept, {n - proven} of {n} refused")
    raise SystemExit(kept < 0.9 * proven)


if __name__ == "__main__":
    main()
