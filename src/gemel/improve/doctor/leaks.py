"""Signs that what is judged has been seen before: one thing on two sides of the split.

Records that are the same by what they hold are found in the data, see `data.leakage`. Files that
are copies and no longer the same bytes are found by their embeddings: far nearer to a training
record of another identity than records usually are to their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.data import leakage
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.improve.doctor.signs import Sign

MEND = (
    "if they are one thing, give all of it one identity, or leave out what is there twice; rates "
    "are too good otherwise. If two look alike, leave them"
)

COPY = 0.1
"""Share of the usual distance to an own record within which another is taken for a copy."""
BLOCK = 256


def in_data(dataset: Dataset, splits: Splits) -> list[Sign]:
    """Whether records of dev or eval stand on an earlier side as well."""
    found = leakage.find(dataset, splits, n_examples=1)
    kinds = (
        ("identities", "under one name, written in two ways", found.same_identity),
        ("records", "the same as one of an earlier side", found.same_record),
        ("records", "nearly the same as one of an earlier side", found.near_record),
    )
    leaks = [(of, how, f) for of, how, f in kinds if f.n_records]
    if not leaks:
        return [Sign("leakage", "none", True, "no record of dev or eval is known from before")]
    count = sum(f.n_records for _, _, f in leaks)
    says = "; ".join(f"{f.n_records:,} {of} {how}, such as {f.examples[0]}" for of, how, f in leaks)
    return [Sign("leakage", f"{count:,} of dev and eval", False, f"{says}: {MEND}")]


def by_embedding(
    rows: tuple[Float32, Float32],
    identities: tuple[Int64, Int64],
    names: tuple[Sequence[str], Sequence[str]],
) -> list[Sign]:
    """Whether records of dev are copies of training records of another identity.

    Args:
        rows: (n, d) and (m, d) unit rows of train and dev.
        identities: codes of both, all known.
        names: what the records are called.
    """
    train, dev = rows
    own = _nearest(dev, dev, identities[1], identities[1], same=True)[0]
    usual = 1 - own[np.isfinite(own)]
    if not len(usual):
        return []
    score, at = _nearest(dev, train, identities[1], identities[0], same=False)
    near = np.flatnonzero(1 - score <= COPY * float(np.median(usual)))
    if not len(near):
        return [Sign("copies", "none", True, "no record of dev is a copy of one of train")]
    first = near[np.argmax(score[near])]
    says = (
        f"they are far nearer to a training record of another identity than usual to their own, "
        f"such as {names[1][first]} to {names[0][at[first]]}: give both one identity, or leave one "
        "out; rates on dev are too good otherwise"
    )
    return [Sign("copies", f"{len(near):,} of {len(dev):,} in dev", False, says)]


def _nearest(
    rows: Float32, others: Float32, own: Int64, its: Int64, *, same: bool
) -> tuple[Float32, Int64]:
    """Best cosine of each row with one of the same, or of another, identity, and where it is.

    A row is not compared with itself where both are of one side: it is the first of those alike.
    """
    best, at = np.full(len(rows), -np.inf, np.float32), np.zeros(len(rows), np.int64)
    for start in range(0, len(rows), BLOCK):
        idx = np.arange(start, min(start + BLOCK, len(rows)))
        cosine = rows[idx] @ others.T
        if same:
            cosine[np.arange(len(idx)), idx] = -np.inf
        allowed = (own[idx][:, None] == its[None]) == same
        cosine = np.where(allowed, cosine, -np.inf)
        at[idx] = cosine.argmax(axis=1)
        best[idx] = cosine.max(axis=1)
    return best, at
