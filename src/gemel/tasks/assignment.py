"""One-to-one links between two clean files: each record is linked to one of the other at most."""

from __future__ import annotations

import numpy as np

from gemel.arrays import Bool, Float64, Int64


def one_to_one(left: Int64, right: Int64, gain: Float64) -> Bool:
    """Which links to keep, so that none shares a record and the gains add up to the most.

    Taking the best link first is not that: it may leave two records without their second best.

    Args:
        left: (p,) positions in the first file.
        right: (p,) positions, none of them a left one; no pair twice.
        gain: (p,) of each link, > 0.
    Returns:
        (p,) bool.
    Source: Jonker and Volgenant 1987, as in SciPy, with a place for each record to stay alone.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    kept = np.zeros(len(left), np.bool_)
    if not len(left):
        return kept
    _, row = np.unique(left, return_inverse=True)
    names, column = np.unique(right, return_inverse=True)
    n = int(row.max()) + 1
    alone = np.arange(n)
    # Every row takes one column, so what all costs have in common decides nothing.
    cost = np.concatenate([gain.max() + 1 - gain, np.full(n, gain.max() + 1)])
    rows, columns = np.concatenate([row, alone]), np.concatenate([column, len(names) + alone])
    graph = coo_array((cost, (rows, columns)), shape=(n, len(names) + n)).tocsr()
    taken_rows, taken = min_weight_full_bipartite_matching(graph)
    partner = np.empty(n, np.int64)
    partner[taken_rows] = taken
    kept[:] = partner[row] == column
    return kept
