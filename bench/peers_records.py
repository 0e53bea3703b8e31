"""Jaro-Winkler, the simplest contestant, and the door through which all peers are run.

A peer is a function from a `Job` to `{variant: {side: scores}}` for the sides dev and eval, scores
in `numpy.triu_indices(n, 1)` order, higher = more alike, -inf = never compared. Run as a script in
the peers' own virtual environment: `python peers_records.py JOB_FOLDER PEER`.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIDES = ("dev", "eval")
Variants = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Job:
    """All records of a set with the kind of each field, the sides, and the labels of train only."""

    kinds: dict[str, str]
    rows: list[list[str | None]]
    sides: dict[str, np.ndarray]
    train_identity: list[str]

    @classmethod
    def read(cls, folder: Path) -> Job:
        """The job that `folder/job.json` describes."""
        raw = json.loads((folder / "job.json").read_text())
        sides = {name: np.array(idx) for name, idx in raw["sides"].items()}
        return cls(raw["kinds"], raw["rows"], sides, raw["train_identity"])

    def column(self, field: str, idx: np.ndarray) -> list[str | None]:
        """The values of one field in the records at `idx`."""
        at = list(self.kinds).index(field)
        return [self.rows[i][at] for i in idx]


def jaro_winkler(job: Job) -> Variants:
    """Mean Jaro-Winkler similarity of the fields, with three readings of a missing value."""
    from rapidfuzz.distance import JaroWinkler
    from rapidfuzz.process import cdist

    out: Variants = {"skip missing": {}, "missing = 0": {}, "missing = 0.5": {}}
    for side, idx in ((side, job.sides[side]) for side in SIDES):
        total = np.zeros((len(idx), len(idx)), dtype=np.float32)
        both = np.zeros_like(total)
        for field in job.kinds:
            values = [(v or "").lower() for v in job.column(field, idx)]
            known = np.array([bool(v) for v in values])
            known_pair = known[:, None] & known[None, :]
            likeness = cdist(values, values, scorer=JaroWinkler.similarity, dtype=np.float32)
            total += np.where(known_pair, likeness, 0)
            both += known_pair
        n_fields = len(job.kinds)
        out["skip missing"][side] = upper(total / np.maximum(both, 1))
        out["missing = 0"][side] = upper(total / n_fields)
        out["missing = 0.5"][side] = upper((total + 0.5 * (n_fields - both)) / n_fields)
    return out


def upper(square: np.ndarray) -> np.ndarray:
    """The pairs of a square of scores, in `triu_indices` order."""
    return square[np.triu_indices(len(square), 1)].astype(np.float32)


PEERS = {
    "tfidf": "peers_tfidf:tfidf",
    "jaro-winkler": "peers_records:jaro_winkler",
    "recordlinkage-ecm": "peers_recordlinkage:ecm",
    "recordlinkage-labels": "peers_recordlinkage:supervised",
    "splink": "peers_splink:splink_em",
    "splink-labels": "peers_splink:splink_labels",
}


def main(folder: Path, peer: str) -> None:
    """Run one peer on the job in `folder`; its scores go to `folder/PEER.npz`."""
    job = Job.read(folder)
    module, _, function = PEERS[peer].partition(":")
    start = time.perf_counter()
    variants: Variants = getattr(importlib.import_module(module), function)(job)
    seconds = np.array(time.perf_counter() - start)
    arrays = {f"{v}|{side}": s for v, sides in variants.items() for side, s in sides.items()}
    np.savez(folder / f"{peer}.npz", seconds=seconds, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
