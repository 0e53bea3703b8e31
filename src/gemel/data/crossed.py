"""Three encoders for few identities: each is judged on the third of them that it has not seen.

One split of a hundred identities leaves twenty that choose a threshold, and an encoder that has
learned from sixty. Here the sides are thirds, and the encoder that is served learns from all of
them. Dev is then what the first two thirds scored with encoders that had not seen them, eval what
the last one did. No side has two records of one identity in common with another.

What that assumes: the encoder of all identities scores strangers about as those of two thirds do.
docs/how-to/few-examples.md has what simulations say of it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gemel.arrays import Int64
from gemel.data.dataset import Dataset
from gemel.data.splits import FEW, LEAST, SHARE, Splits, by_identity, n_multiple

DEV = ("train", "dev")
"""Sides that choose, of crossed splits."""
EVAL = "eval"
IN_WORDS = (
    "few identities (split.crossed): three encoders are each judged by the third of the identities "
    "that they have not seen, and the one that is served learns from all"
)
ASSUMED = "what is proven holds for it if it scores strangers as those three do"


def thirds(dataset: Dataset, seed: int = 0) -> Splits:
    """Three sides of equally many identities, each to be judged by who learned from the others.

    Raises:
        DataError: there are too few identities with two records.
    """
    return replace(by_identity(dataset, dev=1 / 3, eval=1 / 3, seed=seed), crossed=True)


def pays(dataset: Dataset) -> bool:
    """Whether there are too few identities for one split, and enough for three.

    Pairs that were given are lost where they lie across two thirds, so that they are left as one.
    """
    enough = LEAST <= n_multiple(dataset.identities) < FEW / SHARE
    return enough and dataset.pairing.given is None


def without(dataset: Dataset, splits: Splits, side: str) -> Splits:
    """What the encoder learns from that judges a side: train and dev of the others.

    Args:
        dataset: records with identities.
        splits: crossed.
        side: that it must not see; it becomes eval.
    """
    others = [idx for name, idx in splits.sides().items() if name != side]
    found = _learned(dataset, np.concatenate(others), splits.seed)
    return replace(found, eval=splits.sides()[side])


def everything(dataset: Dataset, splits: Splits) -> Splits:
    """What the encoder that is served learns from: train and dev of all three sides; no eval."""
    return _learned(dataset, np.concatenate(list(splits.sides().values())), splits.seed)


def positions(splits: Splits) -> dict[str, Int64]:
    """Positions of the records that choose (dev) and that are reported (eval)."""
    sides = splits.sides()
    of_dev = DEV if splits.crossed else ("dev",)
    return {"dev": np.concatenate([sides[s] for s in of_dev]), EVAL: sides[EVAL]}


def _learned(dataset: Dataset, idx: Int64, seed: int) -> Splits:
    """Train, and a dev that chooses the best epoch, of the records at these positions."""
    idx = np.sort(idx)
    found = by_identity(dataset.take(idx), dev=SHARE, eval=0.0, seed=seed)
    none = np.zeros(0, np.int64)
    return Splits(
        idx[np.sort(np.concatenate([found.train, found.eval]))], idx[found.dev], none, seed
    )
