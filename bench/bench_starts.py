"""What the field recommends to start training from, each tried on two sets.

Texts: descriptions of Debian packages; those of one source package belong together. Drawings: the
characters of Omniglot's two small background sets at 16 pixels. One dial at a time, two seeds of
the split and of training, everything else at its default (drawings: the tiny tower); judged by
MAP@R on dev as a sweep judges. Averages of examples: accuracy of the nearest of twenty classes of
eval, each the mean of k embeddings. It reads development sets, which are not part of the product:
name their folder. Writes bench/results/starts.json.

    OMP_NUM_THREADS=1 python bench/bench_starts.py FOLDER [--set NAME] [--parts NAME ...]
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
import polars as pl
import torch
from PIL import Image

from gemel.arrays import Float32, Int64
from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.data.splits import by_identity
from gemel.release.make.measured import machine
from gemel.settings import TrainSettings
from gemel.train import lessons, loop, task, towers
from gemel.train.arrays import embed

SEEDS = (0, 1)
SOURCES, FEWEST, MOST = 240, 4, 10
"""Source packages, and binary packages of each."""
SIDE = 16
"""Pixels of a drawing: a sixteenth of the work of the 64 that would be chosen."""
EPOCHS = 8
EPISODES, WAYS = 200, 20
RESULT = Path(__file__).with_name("results") / "starts.json"
Values = dict[str, Any]


def dial(name: str, *values: Any) -> list[Values]:
    """A trial of each value of a setting."""
    return [{name: value} for value in values]


def batches(*of: tuple[int, int]) -> list[Values]:
    """A trial of each P x K."""
    return [{"identities_per_batch": p, "views_per_identity": k} for p, k in of]


LOSSES: list[Values] = [
    {"loss": "triplet", "mining": "semi-hard"},
    {"loss": "triplet", "mining": "all"},
    {"loss": "contrastive"},
    {"loss": "contrastive", "mining": "semi-hard"},
    {"loss": "infonce"},
]
AVERAGES = "examples of a class"
RATES, SHAPES, ROWS = "learning rate", "P x K", "rows of a contrastive batch"
TRIPLETS, DIMENSION = "triplets before pairs", "dimension"


@dataclass(frozen=True)
class Given:
    """A set, and what is tried on it.

    Attributes:
        write: a table or a folder of it, given that of the development sets and a place.
        read: as records.
        settings: of every trial.
        parts: settings of each trial, by what is recommended about them.
        shots: examples of a class, besides all but one.
    """

    write: Callable[[Path, Path], None]
    read: Callable[[Path], Dataset]
    parts: dict[str, list[Values]]
    shots: tuple[int, ...]
    settings: Values = field(default_factory=dict)


def packages(folder: Path, path: Path) -> None:
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


def drawings(folder: Path, path: Path) -> None:
    """A folder of each character, with drawings at the size that they are trained at."""
    for part in ("small1", "small2"):
        with zipfile.ZipFile(folder / "omniglot" / f"images_background_{part}.zip") as z:
            for name in z.namelist():
                if name.endswith(".png"):
                    _, alphabet, character, file = PurePosixPath(name).parts
                    to = path / f"{alphabet}-{character}" / file
                    to.parent.mkdir(parents=True, exist_ok=True)
                    whole = Image.open(io.BytesIO(z.read(name))).convert("L")
                    whole.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(to)


SETS = {
    "texts": Given(
        packages,
        lambda path: records.read(path, kind="text", identity="source"),
        {
            RATES: dial("learning_rate", 0.0003, 0.001, 0.003, 0.01),
            SHAPES: batches((16, 8), (32, 4), (64, 2), (128, 1)),
            ROWS: [
                {"loss": "ntxent", **batch}
                for batch in batches((32, 2), (64, 2), (128, 2), (256, 2), (512, 2))
            ],
            TRIPLETS: LOSSES,
            DIMENSION: dial("size", "tiny", "small", "base"),
        },
        (1, 2, 3),
    ),
    "drawings": Given(
        drawings,
        records.read,
        {
            SHAPES: batches((16, 8), (10, 5), (8, 4)),
            RATES: dial("learning_rate", 0.0001, 0.001),
            TRIPLETS: LOSSES,
            DIMENSION: dial("size", "tiny", "small"),
        },
        (1, 2, 3, 4, 5),
        {"image_size": SIDE, "size": "tiny"},
    ),
}


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


def learn(dataset: Dataset, values: Values, seed: int) -> Learned:
    """Train as `gemel train` does, without the export that each run ends with."""
    splits = by_identity(dataset, seed=seed)
    settings = TrainSettings(seed=seed, max_epochs=EPOCHS, **values)
    half = towers.trainable(dataset.modality, settings)
    train, dev, last = (dataset.take(side) for side in (splits.train, splits.dev, splits.eval))
    n = len(np.unique(train.identities))
    resolved = task.resolve(settings, half.defaults, n_identities=n)
    prepare = half.fitted(train.payloads(), (), settings.image_size)
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


def part(dataset: Dataset, settings: Values, trials: list[Values]) -> list[dict[str, Any]]:
    """MAP@R on dev of each trial, over the seeds."""
    found = []
    for values in trials:
        begun = time.process_time()
        metrics = [learn(dataset, settings | values, seed).metric for seed in SEEDS]
        cpu = (time.process_time() - begun) / len(SEEDS)
        found.append({**values, **spread(metrics), "cpu_s": round(cpu, 1)})
        print(found[-1], flush=True)
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Mean, lowest and highest."""
    said = {"mean": float(np.mean(values)), "low": min(values), "high": max(values)}
    return {name: round(value, 4) for name, value in said.items()}


def averages(dataset: Dataset, given: Given) -> list[dict[str, Any]]:
    """Share of right classes of twenty, by how many embeddings each class is the mean of."""
    kinds: tuple[int | None, ...] = (*given.shots, None)
    right: dict[int | None, list[float]] = {k: [] for k in kinds}
    for seed in SEEDS:
        learned, rng = learn(dataset, given.settings, seed), np.random.default_rng(seed)
        rows, codes = learned.rows, learned.identities
        names = [c for c in np.unique(codes) if (codes == c).sum() > max(given.shots)]
        hits: dict[int | None, list[bool]] = {k: [] for k in kinds}
        for _ in range(EPISODES):
            classes = rng.choice(names, min(WAYS, len(names)), replace=False)
            order = [rng.permutation(np.flatnonzero(codes == c)) for c in classes]
            queries = rows[[o[-1] for o in order]]
            for k in kinds:
                means = np.stack([rows[o[:-1][:k]].mean(axis=0) for o in order])
                means /= np.linalg.norm(means, axis=1, keepdims=True)
                hits[k] += ((queries @ means.T).argmax(axis=1) == np.arange(len(order))).tolist()
        for k in kinds:
            right[k].append(float(np.mean(hits[k])))
    return [{"examples": k or "all others", **spread(right[k])} for k in kinds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", choices=[*SETS], action="append", dest="sets")
    parser.add_argument("--parts", nargs="+")
    args = parser.parse_args()
    folder = args.folder.resolve()
    said = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    found = said.get("sets", {})
    for name in args.sets or SETS:
        given, done = SETS[name], found.setdefault(name, {})
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / ("packages.csv" if name == "texts" else "drawings")
            given.write(folder, path)
            dataset = given.read(path)
            for what in args.parts or [p for p in (*given.parts, AVERAGES) if p not in done]:
                if what == AVERAGES:
                    done[what] = averages(dataset, given)
                else:
                    done[what] = part(dataset, given.settings, given.parts[what])
                whole = {"machine": machine(), "seeds": len(SEEDS), "epochs": EPOCHS, "sets": found}
                RESULT.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
