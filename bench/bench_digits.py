"""Digits of unseen classes: raw pixels, naive training, gemel's closed form, gemel trained.

scikit-learn's digits as an image folder. Classes 5-9 are never trained on and never select
anything; they are searched among themselves (MAP@R, recall_at_1). Naive training uses all of
classes 0-4: a small network from random weights, no views, the last epoch. gemel trains on three
of them and selects the epoch on the other two, which two depends on the seed. Must: every seed of
gemel above the raw pixels. Writes bench/results/digits.json.

    OMP_NUM_THREADS=1 python bench/bench_digits.py
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn

from gemel.arrays import Float32, Int64, unit_rows
from gemel.data import records, splits
from gemel.data.dataset import Dataset
from gemel.data.sampler import PxK
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Encoder
from gemel.encode.image.prepare import ImagePrepare
from gemel.settings import TrainSettings
from gemel.tasks.retrieval import retrieve
from gemel.train import loop
from gemel.train.arrays import embed, take
from gemel.train.fit import train
from gemel.train.losses import ByIdentity, Triplet
from gemel.train.towers.image import ImageTower

UNSEEN = tuple("56789")
DEV = (("2", "3"), ("0", "4"), ("1", "3"))
"""The two classes that select, by seed."""
NAIVE_EPOCHS = 20
RESULT = Path(__file__).with_name("results") / "digits.json"


def write_folder(folder: Path) -> None:
    """The 1,797 images, 8 x 8, 17 grey levels, one sub-folder per class."""
    digits = load_digits()
    for i, (image, y) in enumerate(zip(digits.images, digits.target, strict=True)):
        (folder / str(y)).mkdir(parents=True, exist_ok=True)
        grey = np.round(image * 255 / 16).astype(np.uint8)
        Image.fromarray(grey).save(folder / str(y) / f"{i:04}.png")


class Naive(nn.Module):
    """Two convolutions and a linear layer, as a first tutorial would have it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.LazyLinear(64)),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Unit rows, (b, 64)."""
        return nn.functional.normalize(self.layers(image), dim=1)


def measured(rows: Float32, identities: Int64) -> dict[str, float]:
    found = retrieve(rows, identities, Cosine(), k=(1,))
    return {"map_at_r": round(found.map_at_r, 4), "recall_at_1": round(found.recall_at_k[1], 4)}


def raw_pixels(dataset: Dataset, idx: Int64) -> dict[str, float]:
    images = ImagePrepare(8, 1, [0.0], [1.0])(dataset.payloads(idx))["image"]
    return measured(unit_rows(images.reshape(len(idx), -1)), dataset.identities[idx])


def naive(dataset: Dataset, seen: Int64, unseen: Int64, seed: int) -> dict[str, float]:
    prepare = ImagePrepare.fit(dataset.payloads(seen))
    arrays, y = prepare(dataset.payloads(seen)), dataset.identities[seen]
    torch.manual_seed(seed)
    tower = Naive()
    tower(torch.from_numpy(arrays["image"][:1]))
    # A metric that rises with each call keeps the last epoch.
    calls = iter(range(NAIVE_EPOCHS + 1))
    loop.fit(
        tower,
        loop.Material(arrays, y, take(arrays, slice(0, 2)), y[:2]),
        PxK(y, 5, 16, seed),
        loop.Objective(ByIdentity(Triplet(0.2)), lambda rows, identities: float(next(calls))),
        loop.Plan(max_epochs=NAIVE_EPOCHS, patience=NAIVE_EPOCHS, seed=seed),
    )
    rows = embed(tower, prepare(dataset.payloads(unseen)))
    return measured(rows, dataset.identities[unseen])


def closed_form(dataset: Dataset, sides: splits.Splits) -> dict[str, float]:
    payloads = dataset.payloads(sides.train)
    prepare = ImagePrepare.fit(payloads)
    tower = ImageTower(prepare, prepare(payloads))
    rows = embed(tower, prepare(dataset.payloads(sides.eval)))
    return measured(rows, dataset.identities[sides.eval])


def gemel(dataset: Dataset, sides: splits.Splits, seed: int, folder: Path) -> dict[str, Any]:
    """What a user gets: default settings, the exported encoder."""
    run = train(dataset, sides, TrainSettings(seed=seed), folder)
    rows = Encoder.open(run.folder / "encoder").encode(dataset.payloads(sides.eval))
    training = run.training
    return {
        **measured(rows, dataset.identities[sides.eval]),
        "dev_classes": sorted({str(dataset.identity_of(int(i))) for i in sides.dev}),
        "dev_map_at_r": [round(training.history[0].metric, 4), round(training.best.metric, 4)],
        "epoch": training.best.epoch,
        "seconds": training.seconds,
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        write_folder(Path(work) / "digits")
        dataset = records.read(Path(work) / "digits")
        rows: list[dict[str, Any]] = []

        def say(what: str, seed: int | None, result: dict[str, Any]) -> None:
            rows.append({"what": what, "seed": seed, **result})
            print(json.dumps(rows[-1]), flush=True)

        for seed, dev in enumerate(DEV):
            sides = splits.by_identity(
                dataset, seed=seed, dev_identities=dev, eval_identities=UNSEEN
            )
            if seed == 0:
                say("raw pixels, cosine", None, raw_pixels(dataset, sides.eval))
            seen = np.sort(np.concatenate([sides.train, sides.dev]))
            say("naive training", seed, naive(dataset, seen, sides.eval, seed))
            say("gemel, closed form only", seed, closed_form(dataset, sides))
            say("gemel", seed, gemel(dataset, sides, seed, Path(work) / f"run-{seed}"))
    by = {
        what: [r["map_at_r"] for r in rows if r["what"] == what]
        for what in dict.fromkeys(r["what"] for r in rows)
    }
    passed = min(by["gemel"]) > max(by["raw pixels, cosine"])
    summary = {what: round(float(np.mean(values)), 4) for what, values in by.items()}
    print(json.dumps({"mean_map_at_r": summary, "passed": passed}))
    RESULT.parent.mkdir(exist_ok=True)
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "protocol": "trained on classes 0-4 (gemel: 3 train, 2 select), classes 5-9 searched",
        "mean_map_at_r": summary,
        "passed": passed,
        "rows": rows,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    raise SystemExit(not passed)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
