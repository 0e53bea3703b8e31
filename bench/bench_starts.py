"""What the field recommends to start training from, each tried on one set.

Descriptions of Debian packages; those of one source package belong together. One dial at a time,
two seeds of the split and of training, everything else at its default; judged by MAP@R on dev as
a sweep judges. Averages of examples: accuracy of the nearest class among eval's, each the mean of k
embeddings. It reads a development set, which is not part of the product: name its folder. Writes
bench/results/starts.json.

    OMP_NUM_THREADS=1 python bench/bench_starts.py FOLDER [--parts NAME ...]
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import torch

from gemel.arrays import Float32, Int64
from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.data.splits import by_identity
from gemel.release.make.measured import machine
from gemel.settings import TrainSettings
from gemel.train import fit, lessons, loop, towers
from gemel.train.arrays import embed

SEEDS = (0, 1)
SOURCES, FEWEST, MOST = 240, 4, 10
"""Source packages, and binary packages of each."""
EPOCHS = 8
EPISODES, WAYS, SHOTS = 200, 20, (1, 2, 3)
RESULT = Path(__file__).with_name("results") / "starts.json"
PARTS: dict[str, list[dict[str, Any]]] = {
    "learning rate": [{"learning_rate": rate} for rate in (0.0003, 0.001, 0.003, 0.01)],
    "P x K": [
        {"identities_per_batch": p, "views_per_identity": k}
        for p, k in ((16, 8), (32, 4), (64, 2), (128, 1))
    ],
    "rows of a contrastive batch": [
        {"loss": "ntxent", "identities_per_batch": n // 2, "views_per_identity": 2}
        for n in (64, 128, 256, 512, 1024)
    ],
    "triplets before pairs": [
        {"loss": "triplet", "mining": "semi-hard"},
        {"loss": "triplet", "mining": "all"},
        {"loss": "contrastive"},
        {"loss": "contrastive", "mining": "semi-hard"},
        {"loss": "infonce"},
    ],
    "dimension": [{"size": size} for size in ("tiny", "small", "base")],
}
"""Settings of each trial, by what is recommended about them."""
AVERAGES = "examples of a class"


def write(folder: Path, path: Path) -> None:
    """A table of source, and what is written about a package of it."""
    frame = pl.read_parquet(folder / "debian_packages_text" / "packages.parquet")
    frame = frame.filter(pl.col("long_en").str.len_chars() > 40).unique("long_en", keep="first")
    sizes = frame.group_by("source").len().filter(pl.col("len").is_between(FEWEST, MOST))
    chosen = sizes.sort("source")["source"].to_list()
    rng = np.random.default_rng(0)
    some = set(rng.choice(chosen, min(SOURCES, len(chosen)), replace=False).tolist())
    rows = frame.filter(pl.col("source").is_in(some)).sort("package")
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(["source", "text"])
        csv.writer(file).writerows(rows.select("source", "long_en").iter_rows())


@dataclass(frozen=True)
class Learned:
    """What came of one training.

    Attributes:
        metric: MAP@R on dev of the best epoch.
        rows: of eval, (n, d) float32.
        identities: of them.
    """

    metric: float
    rows: Float32
    identities: Int64


def learn(dataset: Dataset, values: dict[str, Any], seed: int) -> Learned:
    """Train as `gemel train` does, without the export that each run ends with."""
    splits = by_identity(dataset, seed=seed)
    settings = TrainSettings(**values, seed=seed, max_epochs=EPOCHS)
    half = towers.trainable(dataset.modality, settings)
    train, dev, last = (dataset.take(side) for side in (splits.train, splits.dev, splits.eval))
    n = len(np.unique(train.identities))
    resolved = fit.resolve(settings, half.defaults, n_identities=n)
    prepare = half.fitted(train.payloads(), (), 0)
    arrays = prepare(train.payloads())
    torch.manual_seed(seed)
    tower = half.tower(prepare, arrays, size=resolved.size)
    sides = (train.pairing, dev.pairing)
    lesson = lessons.lesson(half, resolved, (tower, arrays, train.identities), sides)
    history = loop.fit(
        tower,
        loop.Material(
            arrays, train.identities, prepare(dev.payloads()), dev.identities, lesson.labels
        ),
        lesson.sampler,
        loop.Objective(
            lesson.supervision,
            lesson.metric,
            half.views(prepare),
            None if lesson.keeps_identities else half.mix,
            lesson.learned,
        ),
        msgspec.convert(resolved, loop.Plan, from_attributes=True),
    )
    rows = embed(tower, prepare(last.payloads()))
    return Learned(max(e.metric for e in history), rows, last.identities)


def part(dataset: Dataset, trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """MAP@R on dev of each trial, over the seeds."""
    found = []
    for values in trials:
        begun = time.process_time()
        metrics = [learn(dataset, values, seed).metric for seed in SEEDS]
        cpu = (time.process_time() - begun) / len(SEEDS)
        found.append({**values, **spread(metrics), "cpu_s": round(cpu, 1)})
        print(found[-1], flush=True)
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Mean, lowest and highest."""
    said = {"mean": float(np.mean(values)), "low": min(values), "high": max(values)}
    return {name: round(value, 4) for name, value in said.items()}


def averages(dataset: Dataset) -> list[dict[str, Any]]:
    """Share of right classes of twenty, by how many embeddings each class is the mean of."""
    right: dict[int, list[float]] = {k: [] for k in SHOTS}
    for seed in SEEDS:
        learned, rng = learn(dataset, {}, seed), np.random.default_rng(seed)
        rows, codes = learned.rows, learned.identities
        names = [c for c in np.unique(codes) if (codes == c).sum() > max(SHOTS)]
        hits: dict[int, list[bool]] = {k: [] for k in SHOTS}
        for _ in range(EPISODES):
            classes = rng.choice(names, min(WAYS, len(names)), replace=False)
            order = [rng.permutation(np.flatnonzero(codes == c)) for c in classes]
            queries = rows[[o[-1] for o in order]]
            for k in SHOTS:
                means = np.stack([rows[o[:k]].mean(axis=0) for o in order])
                means /= np.linalg.norm(means, axis=1, keepdims=True)
                hits[k] += ((queries @ means.T).argmax(axis=1) == np.arange(len(order))).tolist()
        for k in SHOTS:
            right[k].append(float(np.mean(hits[k])))
    return [{"examples": k, **spread(right[k])} for k in SHOTS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, AVERAGES])
    args = parser.parse_args()
    folder = args.folder.resolve()
    found = json.loads(RESULT.read_text())["parts"] if RESULT.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "packages.csv"
        write(folder, path)
        dataset = records.read(path, kind="text", identity="source")
        for name in args.parts or [name for name in (*PARTS, AVERAGES) if name not in found]:
            found[name] = averages(dataset) if name == AVERAGES else part(dataset, PARTS[name])
            said = {"machine": machine(), "seeds": len(SEEDS), "epochs": EPOCHS, "parts": found}
            RESULT.write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
