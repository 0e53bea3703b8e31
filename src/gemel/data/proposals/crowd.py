"""Identities that have most of what is learnt: texts for "no value", or all that is left over."""

from __future__ import annotations

import json

import numpy as np

from gemel.arrays import Float64, Int64
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.data.proposals.placeholders import missing_of
from gemel.figures import percent

MOST, LARGER = 0.5, 5
"""Share of the genuine comparisons, and times the records of the next one, from which on."""
LEAST = 3
"""Identities with two records, below which one of them has most of it anyway."""
TOGETHER = 5
"""Identities that may be such texts, at most: of two, each hides the other."""


def crowded(dataset: Dataset) -> str:
    """That few identities have most of the genuine comparisons, in words; empty where none have.

    Example:
        >>> from gemel.data import records
        >>> who = [*["n/a"] * 20, *"ppqqrr"]
        >>> crowded(records.from_rows([{"a": "x"}] * 26, identities=who)).partition(":")[0]
        "identity 'n/a' has 98 % of the genuine comparisons, 20 records where the next has 2"
    """
    if dataset.pairing.given is not None:
        return ""
    sizes = np.bincount(dataset.identities[dataset.identities != UNKNOWN])
    largest = np.argsort(-sizes, kind="stable")
    sizes = sizes[largest]
    pairs = sizes * (sizes - 1) // 2
    shares = np.cumsum(pairs) / max(1, pairs.sum())
    n = next((k for k in range(1, TOGETHER + 1) if _stand_out(sizes, shares, k)), 0)
    if n == 0:
        return ""
    names = [dataset.identity_names[i] for i in largest[:n]]
    texts = [*dict.fromkeys([*missing_of(dataset), *names])]
    missing = f"data.missing = {json.dumps(texts, ensure_ascii=False)}"
    said = "it means no value" if n == 1 else "they mean no value"
    what = "is all of it" if n == 1 else "is all of each"
    mend = f"if {said}, {missing}" if dataset.fields else f"{what} the same thing?"
    who = f"identit{'y' if n == 1 else 'ies'} {' and '.join(map(repr, names))}"
    much = f"{'has' if n == 1 else 'have'} {percent(float(f'{shares[n - 1]:.2g}'))}"
    counts = " and ".join(f"{size:,}" for size in sizes[:n])
    return (
        f"{who} {much} of the genuine comparisons, {counts} records where the next has "
        f"{sizes[n]:,}: {mend}"
    )


def _stand_out(sizes: Int64, shares: Float64, n: int) -> bool:
    """Whether the `n` largest of all sizes have most of it, and are far above the next."""
    if np.count_nonzero(sizes > 1) < n - 1 + LEAST:
        return False
    return bool(shares[n - 1] >= MOST and sizes[n - 1] >= LARGER * sizes[n])
