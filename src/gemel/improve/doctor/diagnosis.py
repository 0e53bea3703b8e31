"""A run looked at as a whole: signs of what went wrong, and suspected labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import Int64
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.encode import comparators
from gemel.encode.encoder import Encoder
from gemel.improve.doctor import leaks, suspects
from gemel.improve.doctor.signs import Sign, signs
from gemel.improve.doctor.suspects import Suspect
from gemel.release.evidence.part import encode, whole_identities
from gemel.release.run import Run
from gemel.settings import TrainSettings

LOOKED_AT = 2000
"""Records of a side."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        signs: each thing that was looked at.
        suspects: records whose label may be wrong, by position in the dataset, likeliest first.
        n_looked_at: records among which they were looked for; 0 without labels.
    """

    signs: list[Sign]
    suspects: list[Suspect]
    n_looked_at: int


def diagnose(
    run: Run,
    dataset: Dataset,
    *,
    n: int = 10,
    settings: TrainSettings | None = None,
    base: Path = Path(),
) -> Diagnosis:
    """Look at what a run has learned, on train and dev; of eval, only whether it stands there too.

    Args:
        run: finished.
        dataset: that it was trained on.
        n: suspects at most.
        settings: of the run, to ask its backbone how records should reach it; None: do not.
        base: folder that a relative `train.backbone` is seen from.
    Raises:
        ConfigError: the backbone is not there any more.
    """
    encoder, scorer = Encoder.open(run.encoder), comparators.load(run.encoder)
    sides = [_some(dataset, idx) for idx in (run.splits.train, run.splits.dev)]
    rows = [encode(encoder, dataset, idx) for idx in sides]
    train, dev = ((r, dataset.identities[idx]) for r, idx in zip(rows, sides, strict=True))
    both, at = np.concatenate(rows), np.concatenate(sides)
    pairing, n_looked_at = dataset.pairing.take(at), len(at)
    if pairing.given is not None:
        found = suspects.of_pairs(both, pairing, scorer, n=n)
    elif dataset.has_identities:
        found = suspects.of_identities(both, dataset.identities[at], scorer, n=n)
    else:
        found, n_looked_at = [], 0
    said = signs(run.training, train, dev, scorer)
    if dataset.has_identities:
        said += leaks.in_data(dataset, run.splits)
    if dataset.has_identities and not dataset.fields:
        names = (dataset.ids[sides[0]].tolist(), dataset.ids[sides[1]].tolist())
        said += leaks.by_embedding((train[0], dev[0]), (train[1], dev[1]), names)
    if settings is not None and settings.backbone:
        said += _as_taught(encoder, dataset.payloads(run.splits.train), settings, base)
    placed = [Suspect(int(at[s.record]), int(at[s.stranger]), s.score, s.own) for s in found]
    return Diagnosis(said, placed, n_looked_at)


def _as_taught(
    encoder: Encoder, payloads: Sequence[Any], settings: TrainSettings, base: Path
) -> list[Sign]:
    from gemel.train.backbones.mismatch import mismatches

    found = mismatches(settings, encoder.prepare, payloads, base)
    if not found:
        return [Sign("backbone", "as taught", True, "records reach it as its folder says")]
    return [Sign("backbone", "otherwise than taught", False, m.what, m.settings) for m in found]


def _some(dataset: Dataset, idx: Int64) -> Int64:
    """Some records of a side, of whole identities where these are known."""
    identities = dataset.identities[idx]
    if (identities == UNKNOWN).all():
        return idx[:LOOKED_AT]
    chosen: Int64 = idx[whole_identities(identities, LOOKED_AT)]
    return chosen
