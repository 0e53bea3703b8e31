"""What is known about the rows of a batch: who belongs together, who does not, and how surely.

Losses and miners read relations and never labels, so that identities, labelled pairs and grades are
all ways to make them. A pair that is neither positive nor negative is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Relations:
    """Pairs of the b rows of a batch with c columns: the same rows, then any reference rows.

    Args:
        positive: (b, c) bool, pairs that belong together.
        negative: (b, c) bool, pairs that do not.
        weight: (b, c) float, how much each pair counts; None: all alike.
        references: (c - b, d) rows that are compared with but not in the batch, such as those of
            earlier batches; None: there are none.
        grade: (b, c) float, of pairs that are known: a higher one is more alike; None: positives
            are, and there are no other differences.
    """

    positive: Tensor
    negative: Tensor
    weight: Tensor | None = None
    references: Tensor | None = None
    grade: Tensor | None = None

    @classmethod
    def of_labels(
        cls,
        labels: Tensor,
        *,
        references: Tensor | None = None,
        of_references: Tensor | None = None,
    ) -> Relations:
        """Rows with one label belong together, all others do not; no row is paired with itself.

        Args:
            labels: (b,) int64, one identity per row.
            references: (r, d) rows beside the batch.
            of_references: (r,) int64, their labels.
        """
        columns = labels if of_references is None else torch.cat([labels, of_references])
        same = labels[:, None] == columns[None, :]
        itself = torch.eye(*same.shape, dtype=torch.bool, device=labels.device)
        return cls(same & ~itself, ~same, references=references)

    @classmethod
    def of_grades(
        cls, grade: Tensor, *, same_from: float = 0.0, references: Tensor | None = None
    ) -> Relations:
        """Pairs that were judged; a loss that knows no grades weighs them by theirs.

        Args:
            grade: (b, c) float; 0 does not belong together, up to 1 does, NaN was not judged.
            same_from: grade from which on a pair is positive, and counts whole: below, it is a
                negative that counts the less the nearer it is. 0: what is above 0 is positive and
                counts as much as its grade.
            references: (c - b, d) rows beside the batch.
        """
        if not same_from:
            positive, weight = grade > 0, torch.where(grade > 0, grade, 1.0)
        else:
            positive = grade >= same_from
            weight = torch.where(grade < same_from, 1.0 - grade / same_from, 1.0)
        return cls(positive, (grade == grade) & ~positive, weight, references, grade)

    def to(self, device: torch.device) -> Relations:
        """The same on a device."""
        beside = (self.weight, self.references, self.grade)
        weight, references, grade = (v if v is None else v.to(device) for v in beside)
        positive, negative = self.positive.to(device), self.negative.to(device)
        return Relations(positive, negative, weight, references, grade)
