"""From matching pairs to clusters of records, each with what it hangs on.

A cluster is a claim about all its records, a match about two: one wrong match joins two clusters.
So every cluster carries its weakest link and the risk that some link of its strongest chain is
wrong, and there are methods that ask for more than a chain. Records are positions in one order;
ties are broken by it. Thresholds are not chosen here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.errors import ConfigError
from gemel.settings.service import Method as Method

METHODS: tuple[str, ...] = get_args(Method)
MAX_DENSE = 2000
"""Records whose pairs are all looked at together: 32 MiB of float64. Larger components are first
taken apart at their weakest links."""

ScoreAll = Callable[[Int64], Float32]
"""Scores of all pairs of some records: (m,) positions -> (m, m) float32."""


@dataclass(frozen=True, eq=False)
class Links:
    """Matching pairs of n records.

    Attributes:
        n: number of records.
        left: (p,) int64 positions.
        right: (p,) int64 positions.
        score: (p,) float64, higher is more alike.
        risk: (p,) float64, probability that the match is false; NaN where it is not known.
    """

    n: int
    left: Int64
    right: Int64
    score: Float64
    risk: Float64

    def take(self, which: Bool | Int64) -> Links:
        """Some of the links, of the same records."""
        return Links(
            self.n, self.left[which], self.right[which], self.score[which], self.risk[which]
        )


@dataclass(frozen=True, eq=False)
class Clusters:
    """Each record's cluster, and what holds each cluster together.

    Attributes:
        label: (n,) int64, clusters counted in the order of their first records.
        size: (c,) int64.
        weakest: (c,) float64, score of the link without which the cluster falls apart; NaN for a
            single record, and where not all of a cluster's links are known.
        risk: (c,) float64, probability that a link of the strongest chain is false if links err
            independently; 0 for a single record, NaN where it is not known.
    """

    label: Int64
    size: Int64
    weakest: Float64
    risk: Float64

    def among(self, at: Int64, n: int) -> Clusters:
        """The same clusters among n records, those that are not here each alone.

        Args:
            at: position of each of these records, ascending.
            n: records in all.
        """
        whole = np.arange(len(self.size), len(self.size) + n)
        whole[at] = self.label
        label = in_order(whole)

        def of_clusters(values: NDArray[Any], alone: float) -> NDArray[Any]:
            of_records = np.full(n, alone, values.dtype)
            of_records[at] = values[self.label]
            found = np.empty(label.max(initial=-1) + 1, values.dtype)
            found[label] = of_records
            return found

        return Clusters(
            label,
            of_clusters(self.size, 1),
            of_clusters(self.weakest, np.nan),
            of_clusters(self.risk, 0.0),
        )


def cluster(
    links: Links,
    *,
    method: Method = "average",
    score_all: ScoreAll,
    cut: float,
    max_risk: float | None = None,
) -> Clusters:
    """Clusters of records that matching pairs make.

    Args:
        links: matching pairs.
        method: `components` joins whatever a chain of matches joins; `average` joins two clusters
            while the mean score of their pairs matches; `complete` asks all pairs to match;
            `hdbscan` looks for dense groups. All but the first only divide components.
        score_all: scores of all pairs of some records; not called for `components`.
        cut: the lowest score that matches.
        max_risk: no cluster keeps a higher risk than this; weakest links are cut for it.
    Raises:
        ConfigError: an unknown method, or a limit of the risk where no link has a risk.
    Source: average and complete linkage: Sokal and Michener 1958; HDBSCAN: Campello et al. 2013.
    """
    if method not in METHODS:
        raise ConfigError(f"unknown method {method!r}", hint=f"one of: {', '.join(METHODS)}")
    if max_risk is not None and np.isnan(links.risk).any():
        raise ConfigError(
            "the release gives no probabilities, so no risk can be limited", where="max_risk"
        )
    labels = components(links)
    if method != "components":
        labels = _divided(links, labels, method, score_all, cut)
    if max_risk is not None:
        labels = _grown(strongest(within(links, labels)), max_risk=max_risk)
    return _described(links, labels)


def components(links: Links) -> Int64:
    """The connected component of each record: (n,) int64, in the order of their first records."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(links.left), np.int8)
    graph = coo_array((ones, (links.left, links.right)), shape=(links.n, links.n))
    _, labels = connected_components(graph, directed=False)
    return in_order(labels)


def in_order(labels: Int64) -> Int64:
    """The same partition with clusters counted in the order of their first records."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    ordered: Int64 = rank[inverse]
    return ordered


def within(links: Links, labels: Int64) -> Links:
    """The links between records of one cluster."""
    return links.take(labels[links.left] == labels[links.right])


def strongest(links: Links) -> Links:
    """The links of the strongest chains: a maximum spanning forest, strongest first.

    Ties go to the records that come first, so the forest is one and the same for any order of
    links.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    order = np.lexsort((links.right, links.left, -links.score))
    ranked = links.take(order)
    # Weights are ranks: no two are equal, and none is 0, which the graph would take for no link.
    weight = np.arange(1, len(order) + 1, dtype=np.float64)
    graph = coo_array((weight, (ranked.left, ranked.right)), shape=(links.n, links.n))
    tree = minimum_spanning_tree(graph.tocsr())
    return ranked.take(np.sort(tree.data.astype(np.int64)) - 1)


def groups(labels: Int64, least: int) -> Iterator[Int64]:
    """Positions of the records of each cluster that has at least so many."""
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    for start, stop in zip(np.append(0, bounds), np.append(bounds, len(order)), strict=True):
        if stop - start >= least:
            yield order[start:stop]


def _divided(links: Links, labels: Int64, method: Method, score_all: ScoreAll, cut: float) -> Int64:
    """Components, each divided by a method that looks at all its pairs."""
    if np.bincount(labels).max(initial=0) > MAX_DENSE:
        labels = _grown(strongest(links), max_size=MAX_DENSE)
    out = labels * links.n  # room for as many clusters as a component has records
    for members in groups(labels, least=3):
        scores = score_all(members).astype(np.float64)
        scores = (scores + scores.T) / 2
        out[members] += _dense(scores, method, cut)
    return in_order(out)


def _dense(scores: Float64, method: Method, cut: float) -> Int64:
    """Clusters of the m records of one component, from all their scores (m, m)."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    highest = max(float(scores.max()), cut)
    distance = highest - scores
    np.fill_diagonal(distance, 0.0)
    if method == "hdbscan":
        return _density(distance)
    tree = linkage(squareform(distance, checks=False), method)
    found: Int64 = fcluster(tree, highest - cut, "distance").astype(np.int64) - 1
    return found


def _density(distance: Float64) -> Int64:
    from sklearn.cluster import HDBSCAN

    found = HDBSCAN(
        min_cluster_size=2,
        min_samples=1,
        allow_single_cluster=True,
        metric="precomputed",
        copy=True,
    ).fit_predict(distance)
    labels: Int64 = found.astype(np.int64)
    alone = labels < 0
    labels[alone] = labels.max(initial=-1) + 1 + np.arange(np.count_nonzero(alone))
    return labels


def _grown(tree: Links, *, max_size: int | None = None, max_risk: float | None = None) -> Int64:
    """Clusters grown along a forest, strongest link first; a link that would break a limit is cut.

    Args:
        tree: a spanning forest, strongest link first.
        max_size: records of a cluster.
        max_risk: of a cluster, as in `Clusters`.
    """
    parent = list(range(tree.n))
    size = [1] * tree.n
    sound = [1.0] * tree.n  # probability that every link so far is right

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    columns = (tree.left.tolist(), tree.right.tolist(), tree.risk.tolist())
    for left, right, risk in zip(*columns, strict=True):
        a, b = sorted((root(left), root(right)))
        together = sound[a] * sound[b] * (1 - risk)
        if max_size is not None and size[a] + size[b] > max_size:
            continue
        if max_risk is not None and 1 - together > max_risk:
            continue
        parent[b] = a
        size[a] += size[b]
        sound[a] = together
    return in_order(np.array([root(i) for i in range(tree.n)], np.int64))


def _described(links: Links, labels: Int64) -> Clusters:
    size = np.bincount(labels)
    tree = strongest(within(links, labels))
    at = labels[tree.left]
    weakest = np.full(len(size), np.inf)
    np.minimum.at(weakest, at, tree.score)
    sound = np.ones(len(size))
    np.multiply.at(sound, at, 1 - tree.risk)
    unlinked = np.bincount(at, minlength=len(size)) < size - 1
    weakest[(size == 1) | unlinked] = np.nan
    sound[unlinked] = np.nan
    return Clusters(labels, size, weakest, 1 - sound)
