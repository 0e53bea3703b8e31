"""A run looked at as a whole: signs of what went wrong, and suspected labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Int64
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.encode import comparators
from gemel.encode.encoder import Encoder
from gemel.improve.doctor import suspects
from gemel.improve.doctor.signs import Sign, signs
from gemel.improve.doctor.suspects import Suspect
from gemel.release.evidence.part import encode, whole_identities
from gemel.release.run import Run

LOOKED_AT = 2000
"""Records of a side."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        signs: each thing that was looked at.
        suspects: records whose label may be wrong, by position in the dataset, likeliest first.
        n_looked_at: records among which they were looked for.
    """

    signs: list[Sign]
    suspects: list[Suspect]
    n_looked_at: int


def diagnose(run: Run, dataset: Dataset, *, n: int = 10) -> Diagnosis:
    """Look at what a run has learned, on train and dev; eval is left alone.

    Args:
        run: finished.
        dataset: that it was trained on.
        n: suspects at most.
    """
    encoder, scorer = Encoder.open(run.encoder), comparators.load(run.encoder)
    sides = [_some(dataset, idx) for idx in (run.splits.train, run.splits.dev)]
    rows = [encode(encoder, dataset, idx) for idx in sides]
    train, dev = ((r, dataset.identities[idx]) for r, idx in zip(rows, sides, strict=True))
    both, at = np.concatenate(rows), np.concatenate(sides)
    pairing = dataset.pairing.take(at)
    if pairing.given is not None:
        found = suspects.of_pairs(both, pairing, scorer, n=n)
    elif dataset.has_identities:
        found = suspects.of_identities(both, dataset.identities[at], scorer, n=n)
    else:
        found = []
    placed = [Suspect(int(at[s.record]), int(at[s.stranger]), s.score, s.own) for s in found]
    return Diagnosis(signs(run.training, train, dev, scorer), placed, len(at))


def _some(dataset: Dataset, idx: Int64) -> Int64:
    """Some records of a side, of whole identities where these are known."""
    identities = dataset.identities[idx]
    if (identities == UNKNOWN).all():
        return idx[:LOOKED_AT]
    chosen: Int64 = idx[whole_identities(identities, LOOKED_AT)]
    return chosen
