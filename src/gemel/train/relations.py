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
    """

    positive: Tensor
    negative: Tensor
    weight: Tensor | None = None
    references: Tensor | None = None

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
    def of_grades(cls, grade: Tensor, *, references: Tensor | None = None) -> Relations:
        """Pairs that were judged, each positive counting by its grade.

        Args:
            grade: (b, c) float; 0 does not belong together, up to 1 does, NaN was not judged.
            references: (c - b, d) rows beside the batch.
        """
        positive, negative = grade > 0, grade == 0
        return cls(positive, negative, torch.where(positive, grade, 1.0), references)
