"""A narrower tower of gemel's own that learns to put records as near to each other as a release has
them, without a label.

It is taught by cosines, not coordinates, so that its embeddings may be of any length, and those of
a pretrained network become those of a tower that encodes in a fraction of the time.

Source: Tung and Mori 2019, Similarity-preserving knowledge distillation; Park et al. 2019,
Relational knowledge distillation.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gemel.arrays import Float32, Int64, canonical_json, digest
from gemel.data.sampler import PxK
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.blocks import Blocks
from gemel.encode.comparators.cosine import Cosine
from gemel.release.run import ENCODER, Run
from gemel.train import loop, towers
from gemel.train.export import write_encoder
from gemel.train.fit import CHECKPOINT, known
from gemel.train.shrink.source import Source

SIZE = "tiny"
EPOCHS = 20
JUDGED = 1000
"""Records of dev by whose cosines the epoch is chosen."""


@dataclass(frozen=True)
class Alike:
    """The loss of rows whose cosines are not those of a teacher, block by block.

    Args:
        teacher: (n, d) rows of all training records.
        slices: of each block of a row of the teacher, and of the student; one for whole rows.
    """

    teacher: Tensor
    slices: tuple[tuple[slice, slice], ...]

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar mean squared difference of (b, d) rows; labels (b,) are positions of records."""
        wanted = self.teacher[labels]
        return torch.stack(
            [
                F.mse_loss(_cosines(rows[:, own]), _cosines(wanted[:, its]))
                for its, own in self.slices
            ]
        ).mean()


def _cosines(rows: Tensor) -> Tensor:
    unit = F.normalize(rows, dim=1)
    return unit @ unit.T


def student(source: Source, folder: Path) -> Run:
    """The run of a narrow tower that was taught by a release; a killed one goes on where it was."""
    half = towers.trainable(source.parent.modality)
    records = source.dataset.take(source.learned_from)
    payloads = records.payloads(np.arange(len(records)))
    settings = source.parent.evidence.training.settings
    size = 0 if settings.backbone or half.sized is None else settings.image_size
    prepare = half.fitted(payloads, records.fields, size)
    arrays = prepare(payloads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(source.splits.seed)
        tower = half.tower(prepare, arrays, size=SIZE)
    blocks = list(getattr(tower, "blocks", []))
    plain = source.plain
    slices = [(slice(None), slice(None))]
    if isinstance(plain, Blocks):
        slices += list(zip(_slices(plain.blocks), _slices(blocks), strict=True))
    dev = source.dataset.take(source.splits.dev[:JUDGED])
    dev_payloads = dev.payloads(np.arange(len(dev)))
    wanted = source.parent.encoder.encode(dev_payloads)
    identities, defaults = known(records.identities), half.defaults

    def agreement(rows: Float32, _: Int64) -> float:
        return -float(np.square(rows @ rows.T - wanted @ wanted.T).mean())

    loop.fit(
        tower,
        loop.Material(
            arrays,
            identities,
            prepare(dev_payloads),
            np.arange(len(dev)),
            np.arange(len(records)),
        ),
        PxK(identities, 2 * defaults.identities_per_batch, 2, source.splits.seed),
        loop.Objective(Alike(torch.from_numpy(source.rows), tuple(slices)), agreement),
        loop.Plan(
            max_epochs=EPOCHS,
            patience=defaults.patience,
            learning_rate=defaults.learning_rate,
            weight_decay=defaults.weight_decay,
            seed=source.splits.seed,
        ),
        _session(source),
    )
    comparator: Comparator = Cosine()
    if isinstance(plain, Blocks):
        comparator = half.comparator(
            tower,
            arrays,
            identities,
            half.views(prepare),
            seed=source.splits.seed,
            pairing=records.pairing,
        )
    write_encoder(folder / ENCODER, tower, arrays, prepare, comparator)
    return source.run(folder)


def _session(source: Source) -> loop.Session:
    """Where it is kept what was learned so far; it is of this release and this code's settings."""
    if source.kept is None:
        return loop.Session()
    source.kept.mkdir(parents=True, exist_ok=True)
    said = {"parent": source.parent.id, "size": SIZE, "epochs": EPOCHS, "seed": source.splits.seed}
    return loop.Session(source.kept / CHECKPOINT, digest(canonical_json(said)))


def _slices(blocks: Sequence[int]) -> list[slice]:
    """Where each block of a row lies, behind the constant first coordinate."""
    ends = np.cumsum((1, *blocks))
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]
