"""Identities that are not independent of each other, joined into units of chance.

Two people seen through one device, or of one family, share more than a coin would give them. The
columns that the user names (`[data] groups`) join identities; whatever is joined, directly or
through others, stays on one side of a split, and counts once when an interval asks how many
independent things were seen.
"""

from __future__ import annotations

import numpy as np

from gemel.arrays import Int64
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.data.labelled.chains import closure


def units(dataset: Dataset) -> Int64 | None:
    """Unit of each identity code: (number of identity names,) int64; None without groups.

    Only the records of this dataset join: ask for one side of a split with `take` first.
    """
    if not dataset.groups:
        return None
    n = len(dataset.identity_names)
    known = dataset.identities != UNKNOWN
    left, right, n_nodes = [], [], n
    for group in dataset.groups.values():
        both = known & (group != UNKNOWN)
        left.append(dataset.identities[both])
        right.append(n_nodes + group[both])
        n_nodes += int(group.max(initial=UNKNOWN)) + 1
    return closure(n_nodes, np.concatenate(left), np.concatenate(right))[:n]
