"""What is told without labels: records of which some were typed twice."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from gemel.arrays import Float32, unit_rows
from gemel.train.comparators import pairs as candidates
from gemel.train.comparators import unlabelled
from gemel.train.comparators.pairs import Layout

LAYOUT = Layout((16, 16, 16), ())
N_PEOPLE, N_TWICE = 300, 60


def typed(values: Float32, rng: np.random.Generator, noise: float) -> Float32:
    """Embeddings of the values, each block a little off in a third of the cases."""
    off = rng.normal(0, noise, values.shape) * (rng.random((len(values), 3, 1)) < 1 / 3)
    blocks = unit_rows((values + off).astype(np.float32).reshape(-1, 16)).reshape(-1, 48)
    return unit_rows(np.concatenate([np.full((len(values), 1), 0.5, np.float32), blocks], 1))


@pytest.fixture(scope="module")
def told() -> unlabelled.Told:
    rng = np.random.default_rng(0)
    people = unit_rows(rng.normal(size=(N_PEOPLE * 3, 16)).astype(np.float32))
    values = people.reshape(N_PEOPLE, 3, 16)
    values = np.concatenate([values, values[:N_TWICE]])
    rows = typed(values, rng, 0.1), typed(values, rng, 0.1)
    share = np.full((len(values), 3), 1 / N_PEOPLE)
    return unlabelled.told(rows, LAYOUT, {"a": [0], "b": [1], "c": [2]}, share)


def test_who_stands_there_twice_is_told_and_a_variant_is_no_record(told: unlabelled.Told) -> None:
    codes = told.identities
    assert len(codes) == N_PEOPLE + N_TWICE
    assert (codes[:N_TWICE] == codes[N_PEOPLE:]).mean() > 0.9
    assert len(np.unique(codes)) >= N_PEOPLE


def test_pairs_that_are_likely_are_named_once_and_of_the_records_alone(
    told: unlabelled.Told,
) -> None:
    left, right = told.likely
    assert len({*zip(left.tolist(), right.tolist(), strict=True)}) == len(left)
    assert (left < right).all() and right.max() < N_PEOPLE + N_TWICE
    right_ones = (left < N_TWICE) & (right == left + N_PEOPLE)
    assert right_ones.sum() > 0.9 * N_TWICE and right_ones.mean() > 0.9


def test_a_variant_surely_belongs_to_its_record(told: unlabelled.Told) -> None:
    n = N_PEOPLE + N_TWICE
    own = told.pairs.query % n == told.pairs.candidate % n
    assert np.count_nonzero(own) == 2 * n
    assert (told.pairs.genuine[own] == 1).all()


def test_variants_do_not_count_among_what_is_expected_of_the_records(
    told: unlabelled.Told,
) -> None:
    comparator, estimate = told.fitted()
    n = N_PEOPLE + N_TWICE
    assert estimate.n_records == n
    assert estimate.right[-1] == pytest.approx(N_TWICE, rel=0.1)
    pairs = told.pairs
    alone = np.maximum(pairs.query, pairs.candidate) < n
    weight = pairs.weight[alone] * (n * (n - 1) / 2 / pairs.weight[alone].sum())
    seen = candidates.evidence_of(told.embeddings, LAYOUT, pairs)[alone]
    # The scores are log-odds among the records.
    assert float(expit(comparator.of_evidence(seen)) @ weight) == pytest.approx(N_TWICE, rel=0.1)
