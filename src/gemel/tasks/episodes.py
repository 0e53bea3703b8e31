"""Episodes: small classification tasks dealt from labelled records, as a user will pose them.

Every class of an episode has as many supports, and one query that is none of them. Which records
stand for which role is drawn by the generator that is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Int64
from gemel.errors import DataError

WAYS = 20


@dataclass(frozen=True)
class Episode:
    """Positions of records, and which class each is of.

    Attributes:
        supports: (ways * shots,) positions, class by class.
        labels: (ways * shots,) class of each support, from 0.
        queries: (ways,) positions; the i-th is of class i.
        identities: (ways,) identity code of each class.
    """

    supports: Int64
    labels: Int64
    queries: Int64
    identities: Int64


def usable(identities: Int64, shots: int) -> Int64:
    """Codes of the identities with enough records for so many supports and a query, ascending.

    Args:
        identities: (n,) int64 codes; -1 = unknown.
        shots: supports per class; 0 asks for a query alone.
    """
    names, counts = np.unique(identities[identities >= 0], return_counts=True)
    return names[counts > shots]


def deal(
    identities: Int64, *, shots: int, rng: np.random.Generator, ways: int = WAYS
) -> list[Episode]:
    """One round: every usable identity takes part in one episode.

    Args:
        identities: (n,) int64 codes; -1 = unknown.
        shots: supports per class, at least 1.
        rng: draws the roles.
        ways: classes of an episode, at most; they are dealt evenly.
    Raises:
        DataError: no identity has shots + 1 records.
    """
    codes = usable(identities, shots)
    if not len(codes):
        raise DataError(
            f"no identity has {shots + 1} records, so {shots} supports and a query cannot be drawn",
            hint="add records of the same identities, or ask for fewer shots",
        )
    picked = drawn(identities, codes, shots + 1, rng)
    parts = np.array_split(rng.permutation(len(codes)), -(-len(codes) // ways))
    return [
        Episode(
            picked[part, :shots].ravel(),
            np.repeat(np.arange(len(part)), shots),
            picked[part, shots],
            codes[part],
        )
        for part in parts
    ]


def drawn(identities: Int64, codes: Int64, n: int, rng: np.random.Generator) -> Int64:
    """Positions of n different records of each identity: (len(codes), n).

    Args:
        identities: (n_records,) int64 codes.
        codes: of identities with n records or more.
        n: at least 1.
        rng: draws them.
    """
    shuffled = rng.permutation(len(identities))
    shuffled = shuffled[np.argsort(identities[shuffled], kind="stable")]
    start = np.searchsorted(identities[shuffled], codes)
    picked: Int64 = shuffled[start[:, None] + np.arange(n)]
    return picked
