"""Learning from pairs as they were given: positives, negatives and grades, and nothing inferred.

No chain of pairs is closed: A like B and B like C says nothing of A and C. Pairs of a batch that
nobody judged are not looked at, unless the loss recognises each positive among others: then two
records of a batch that no chain of pairs joins are taken for a negative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gemel.arrays import Float32, Int64
from gemel.data.pairing import Pairing
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError
from gemel.tasks import given
from gemel.train.losses import Loss
from gemel.train.relations import Relations

AMONG_OTHERS = ("infonce", "ntxent", "npair", "supcon")
"""Losses without which a positive needs negatives of its own record."""


@dataclass(frozen=True, eq=False)
class AsGiven:
    """A loss on the judged pairs of a batch; its labels are positions of records.

    Args:
        loss: of rows and relations.
        judged: (n, n) sparse, symmetric: 1 + the grade of each pair that was judged.
        identities: (n,) what chains of pairs join.
        same_from: grade from which on two are the same.
        among_others: pairs that nobody judged, and no chain joins, are negatives.
    """

    loss: Loss
    judged: Any
    identities: Int64
    same_from: float = 1.0
    among_others: bool = False

    @classmethod
    def of(cls, loss: Loss, name: str, pairing: Pairing, identities: Int64) -> AsGiven:
        """The supervision of given pairs.

        Args:
            loss: of that name.
            name: of it.
            pairing: of n records.
            identities: (n,) codes.
        Raises:
            DataError: no pair is among these records.
        """
        from scipy.sparse import coo_array

        if pairing.given is None or not len(pairing.given):
            raise DataError(
                "no given pair has both of its records in train",
                hint="give more pairs, or smaller shares in split.dev and split.eval",
            )
        n = len(identities)
        ends = np.sort(pairing.given, axis=1)
        grade = pairing.is_genuine(identities).astype(np.float64)
        if pairing.grade is not None:
            grade = pairing.grade
        # A pair that was judged twice has the mean of its grades.
        key, at = np.unique(ends[:, 0] * n + ends[:, 1], return_inverse=True)
        value = 1.0 + np.bincount(at, grade) / np.bincount(at)
        one, two = key // n, key % n
        both = np.concatenate([one, two]), np.concatenate([two, one])
        judged = coo_array((np.concatenate([value, value]), both), shape=(n, n)).tocsr()
        return cls(loss, judged, identities, pairing.same_from, name in AMONG_OTHERS)

    def knows(
        self,
        labels: Tensor,
        references: Tensor | None = None,
        of_references: Tensor | None = None,
    ) -> Relations:
        """What is known of some records, and of references: (b,), (r,) positions; -1 is none."""
        rows = labels.cpu().numpy()
        columns = rows
        if of_references is not None:
            columns = np.concatenate([rows, of_references.cpu().numpy()])
        said = self.judged[rows][:, np.maximum(columns, 0)].toarray().astype(np.float32)
        said[:, columns < 0] = 0.0
        grade = torch.from_numpy(np.where(said > 0, said - 1, np.nan))
        found = Relations.of_grades(grade, same_from=self.same_from - 1e-6, references=references)
        if self.among_others:
            who = self.identities[np.maximum(columns, 0)]
            apart = (self.identities[rows][:, None] != who[None]) & (said == 0) & (columns >= 0)
            others = torch.from_numpy(apart)
            weight = None if found.weight is None else torch.where(others, 1.0, found.weight)
            found = replace(found, negative=found.negative | others, weight=weight, grade=None)
        return found.to(labels.device)

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows; labels (b,) int64 are positions of records."""
        return self.loss(rows, self.knows(labels))


@dataclass(frozen=True, eq=False)
class OfGiven:
    """The dev metric where pairs are given: see `gemel.tasks.given`."""

    pairing: Pairing

    def __call__(self, rows: Float32, identities: Int64) -> float:
        """What the cosine reaches on the given pairs of dev."""
        return given.reached(rows, identities, Cosine(), self.pairing)
