"""What an estimator learned, as a training run that a release can be built from.

Vectors become rows of numbers, one field a feature. Identities that the estimator learned from are
train, those it held out are dev, and those it has never seen are eval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from gemel.arrays import Bool, Float32, digest
from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.data.schema import Field
from gemel.data.splits import Splits
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import NETWORK, PREPARE
from gemel.encode.row.numbers import NumbersPrepare
from gemel.errors import DataError
from gemel.files import write_whole
from gemel.release.run import ENCODER, REPORT, Epoch, Run, RunReport, RunSettings, Training
from gemel.train import loop
from gemel.train.export import write_encoder
from gemel.train.towers.vector import VectorTower

P, K = 16, 4
"""Identities of a batch, and records of each."""


@dataclass(frozen=True)
class Learned:
    """What `fit` leaves behind.

    Args:
        tower: as it was selected.
        history: of the training.
        plan: that it went by.
        loss: its name.
        seconds: that it took.
    """

    tower: VectorTower
    history: Sequence[Epoch]
    plan: loop.Plan
    loss: str
    seconds: float


def dataset(vectors: NDArray[Any], identities: NDArray[Any], names: Sequence[str]) -> Dataset:
    """Rows of numbers with identities: (n, d) and (n,), a name for each of the d features."""
    rows = [dict(zip(names, row, strict=True)) for row in vectors.tolist()]
    return records.from_rows(
        rows,
        identities=[str(i) for i in identities.tolist()],
        fields=[Field(name, "number") for name in names],
    )


def splits(seen: Bool, held_out: Bool, seed: int) -> Splits:
    """Sides by what `fit` did with the identity of each of n records.

    Args:
        seen: (n,) whether `fit` was given the identity.
        held_out: (n,) whether it held it out.
        seed: of that choice.
    Raises:
        DataError: a side is empty.
    """
    train, dev, eval = (np.flatnonzero(side) for side in (seen & ~held_out, held_out, ~seen))
    sides = Splits(train, dev, eval, seed)
    for side, identity, hint in (
        (sides.train, "learned from", "give the records that fit was given as well"),
        (sides.dev, "held out", "fit on ten identities or more, and give their records as well"),
        (
            sides.eval,
            "not seen by fit",
            "rates are reported on new identities: give some",
        ),
    ):
        if not len(side):
            raise DataError(f"no record of an identity {identity}", where="X, y", hint=hint)
    return sides


def write(folder: Path, learned: Learned, rows: Dataset, sides: Splits) -> Run:
    """Write encoder, comparator and report of a run into a folder.

    Raises:
        TrainingError: the export differs from torch.
    """
    tower = learned.tower
    means = dict(zip((f.name for f in rows.fields), tower.mean.tolist(), strict=True))
    prepare = NumbersPrepare(means)
    parity = write_encoder(folder / ENCODER, tower, example(tower), prepare, Cosine())
    settings = {
        **asdict(learned.plan),
        "threads": torch.get_num_threads(),
        "loss": learned.loss,
        "mining": "all",
        "margin": "hard",
        "identities_per_batch": P,
        "views_per_identity": K,
        "size": f"{tower.hidden.out_features} x {tower.head.out_features}",
    }
    report = RunReport(
        key=digest(*((folder / ENCODER / name).read_bytes() for name in (PREPARE, NETWORK))),
        dataset=rows.digest,
        modality=rows.modality,
        splits=sides.as_dict(),
        training=Training(
            settings=msgspec.convert(settings, RunSettings),
            history=tuple(learned.history),
            parity=parity,
            learning_seconds=learned.seconds,
            n_weights=sum(p.numel() for p in tower.parameters()),
            n_train=len(sides.train),
            n_dev=len(sides.dev),
            seconds=learned.seconds,
            torch=str(torch.__version__),
        ),
    )
    write_whole(folder / REPORT, report.to_json())
    return Run(folder, report)


def example(tower: VectorTower) -> dict[str, Float32]:
    """Some vectors like those that the tower was fitted on, to compare an export by."""
    mean, scale = tower.mean.numpy(), tower.scale.numpy()
    noise = np.random.default_rng(0).standard_normal((64, len(mean))).astype(np.float32)
    return {"vector": mean + noise / scale}
