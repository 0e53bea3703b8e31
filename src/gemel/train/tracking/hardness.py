"""How much the batches of an epoch had to teach: hard pairs, active triplets, who makes them.

It looks at the rows of each step as the loss does and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gemel.arrays import Int64
from gemel.release.run import Batches
from gemel.train.losses import cosine
from gemel.train.relations import Relations

MARGIN = 0.2
"""A triplet is active where its negative is not farther than its positive by this much cosine."""
QUANTILES = (0.1, 0.5, 0.9)
MOST = 5
"""Identities that are named."""


@dataclass
class Hardness:
    """What the batches since the last `told` were like.

    Args:
        knows: relations of the rows of a batch, by their labels.
        identities: (n_labels,) the identity that a label of a record stands for.
        names: of the identities, shorter where some have none; None: labels are not of records.
    """

    knows: Callable[[Tensor], Relations]
    identities: Int64
    names: Sequence[str] | None
    _active: list[float] = field(default_factory=list)
    _gaps: list[Tensor] = field(default_factory=list)
    _blame: dict[int, float] = field(default_factory=dict)

    @torch.no_grad()
    def see(self, rows: Tensor, labels: Tensor) -> None:
        """Take in one batch: (b, d) rows and their labels."""
        found = self.knows(labels)
        score = cosine(rows.detach())
        near = score.masked_fill(~found.positive, torch.inf).amin(dim=1)
        far = score.masked_fill(~found.negative, -torch.inf).amax(dim=1)
        both = found.positive.any(dim=1) & found.negative.any(dim=1)
        if not bool(both.any()):
            return
        self._gaps.append((far - near)[both].cpu())
        # Of each row, the negatives that come within the margin of its hardest positive.
        within = found.negative & (score > (near - MARGIN)[:, None]) & both[:, None]
        n = (found.negative & both[:, None]).sum()
        self._active.append(float(within.sum() / n.clamp(min=1)))
        if self.names is None:
            return
        share = within.sum(dim=1).cpu().numpy()
        who = self.identities[labels.reshape(len(labels), -1)[:, 0].cpu().numpy()]
        for identity, count in zip(who.tolist(), share.tolist(), strict=True):
            self._blame[identity] = self._blame.get(identity, 0.0) + count

    def told(self) -> Batches | None:
        """What was seen, and forget it; None where no batch had both kinds of pairs."""
        if not self._gaps:
            return None
        gaps = torch.cat(self._gaps).numpy()
        total = sum(self._blame.values())
        worst = sorted(self._blame.items(), key=lambda item: (-item[1], item[0]))[:MOST]
        names = self.names or ()
        named = tuple(
            (names[i] if i < len(names) else f"number {i + 1}", round(n / total, 4))
            for i, n in worst
            if total
        )
        low, middle, high = (round(float(q), 4) for q in np.quantile(gaps, QUANTILES))
        found = Batches(
            active=round(float(np.mean(self._active)), 4),
            hardness=(low, middle, high),
            dominated_by=named,
            fair_share=round(1.0 / max(1, len(self._blame)), 6),
        )
        self._active, self._gaps, self._blame = [], [], {}
        return found
