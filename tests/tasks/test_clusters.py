"""Clusters: what each method joins, what holds them, what is cut; order changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.arrays import Float32, Int64, unit_rows
from gemel.errors import ConfigError
from gemel.tasks import clusters
from gemel.tasks.clusters import METHODS, Clusters, Links, cluster, components, groups, strongest

CUT = 0.5


def links(scores: np.ndarray, risk: float = 0.1) -> Links:
    """All pairs of a score matrix that match."""
    i, j = np.nonzero(np.triu(scores >= CUT, 1))
    return Links(len(scores), i, j, scores[i, j].astype(float), np.full(len(i), risk))


def clustered(scores: np.ndarray, method: str, max_risk: float | None = None) -> Clusters:
    def score_all(members: Int64) -> Float32:
        return scores[np.ix_(members, members)].astype(np.float32)

    return cluster(
        links(scores),
        method=method,  # type: ignore[arg-type]
        score_all=score_all,
        cut=CUT,
        max_risk=max_risk,
    )


def square(n: int, known: dict[tuple[int, int], float]) -> np.ndarray:
    scores = np.eye(n)
    for (i, j), score in known.items():
        scores[i, j] = scores[j, i] = score
    return scores


# A chain 0-1-2 whose ends are not alike, a pair 3-4, and 5 alone.
CHAIN = square(6, {(0, 1): 0.9, (1, 2): 0.6, (0, 2): -0.4, (3, 4): 0.7})


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("components", [0, 0, 0, 1, 1, 2]),
        ("average", [0, 0, 1, 2, 2, 3]),  # (0.6 - 0.4) / 2 does not match
        ("complete", [0, 0, 1, 2, 2, 3]),
    ],
)
def test_a_chain_is_a_component_and_no_more(method: str, expected: list[int]) -> None:
    assert clustered(CHAIN, method).label.tolist() == expected


def test_average_asks_the_mean_and_complete_asks_all() -> None:
    scores = square(3, {(0, 1): 0.9, (1, 2): 0.8, (0, 2): 0.3})
    assert clustered(scores, "average").label.tolist() == [0, 0, 0]
    assert clustered(scores, "complete").label.tolist() == [0, 0, 1]


def test_the_weakest_link_and_the_risk_are_those_of_the_strongest_chain() -> None:
    scores = square(4, {(0, 1): 0.9, (1, 2): 0.6, (0, 2): 0.7})
    got = clustered(scores, "components")
    assert got.size.tolist() == [3, 1]
    assert got.weakest[0] == 0.7 and np.isnan(got.weakest[1])
    assert got.risk == pytest.approx([1 - 0.9**2, 0.0])


def test_a_cluster_that_is_too_risky_is_cut_at_its_weakest_link() -> None:
    scores = square(4, {(0, 1): 0.9, (1, 2): 0.6, (2, 3): 0.8})
    assert clustered(scores, "components", max_risk=0.28).label.tolist() == [0, 0, 0, 0]
    got = clustered(scores, "components", max_risk=0.2)
    assert got.label.tolist() == [0, 0, 1, 1]
    assert got.risk.max() <= 0.2
    assert clustered(scores, "components", max_risk=0.0).label.tolist() == [0, 1, 2, 3]


def test_two_dense_groups_held_by_one_link_are_told_apart_by_all_but_components() -> None:
    rng = np.random.default_rng(0)
    rows = unit_rows(np.repeat(np.eye(2, 8), 6, axis=0) + rng.normal(0, 0.05, (12, 8)))
    scores = rows @ rows.T
    scores[5, 6] = scores[6, 5] = 0.55
    assert clustered(scores, "components").size.tolist() == [12]
    for method in ("average", "complete", "hdbscan"):
        label = clustered(scores, method).label
        assert not set(label[:6]) & set(label[6:])
    assert clustered(scores, "average").size.tolist() == [6, 6]


def test_a_component_that_is_too_large_is_taken_apart_at_its_weakest_links(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores = np.full((6, 6), 0.6)
    scores[:3, :3] = scores[3:, 3:] = 0.9
    monkeypatch.setattr(clusters, "MAX_DENSE", 4)
    assert clustered(scores, "average").label.tolist() == [0, 0, 0, 1, 1, 1]


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(METHODS))
def test_the_order_of_records_does_not_matter(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng.normal(size=(30, 3)))
    scores = rows @ rows.T * 0.51  # few chains
    order = rng.permutation(30)
    one = clustered(scores, method, max_risk=0.3)
    other = clustered(scores[np.ix_(order, order)], method, max_risk=0.3)
    assert {frozenset(order[g]) for g in groups(other.label, 1)} == {
        frozenset(g) for g in groups(one.label, 1)
    }


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(METHODS))
def test_every_method_only_divides_components(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng.normal(size=(40, 3)))
    scores = rows @ rows.T * 0.55
    whole = components(links(scores))
    for members in groups(clustered(scores, method).label, 2):
        assert len(set(whole[members])) == 1


def test_the_strongest_chains_span_each_component_and_weigh_the_most() -> None:
    rng = np.random.default_rng(3)
    scores = rng.uniform(0, 1, (40, 40))
    scores = (scores + scores.T) / 2
    all_links = links(scores)
    tree = strongest(all_links)
    assert len(tree.left) == 40 - len(set(components(all_links)))
    parent = list(range(40))  # Kruskal by hand

    def root(i: int) -> int:
        return i if parent[i] == i else root(parent[i])

    expected = 0.0
    order = np.argsort(-all_links.score)
    for i, j, s in zip(
        all_links.left[order], all_links.right[order], all_links.score[order], strict=True
    ):
        if root(i) != root(j):
            parent[root(i)] = root(j)
            expected += s
    assert tree.score.sum() == pytest.approx(expected)
    assert (np.diff(tree.score) <= 0).all()


def test_a_cluster_whose_links_are_not_all_known_says_so() -> None:
    scores = square(3, {(0, 1): 0.9, (1, 2): 0.9, (0, 2): 0.9})
    found = links(scores).take(np.array([0]))
    labels = np.array([0, 0, 0])
    got = clusters._described(found, labels)
    assert np.isnan(got.weakest).all() and np.isnan(got.risk).all()


def test_nonsense_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown method"):
        clustered(CHAIN, "ward")
    unknown = links(CHAIN, risk=np.nan)
    with pytest.raises(ConfigError, match="no probabilities"):
        cluster(unknown, method="components", score_all=np.empty, cut=CUT, max_risk=0.1)
