"""Who has many errors is named; without anybody special, nobody is named more often than stated."""

import numpy as np
import pytest
from scipy.stats import binom
from statsmodels.stats.multitest import multipletests

from gemel.calibrate.rates.hard_identities import N_SHOWN, Zoo, holm, zoo
from gemel.calibrate.scores.scores import Scores, labelled

AT = 0.0


def who(code: int) -> tuple[str, tuple[str, ...]]:
    return f"person {code}", tuple(f"r{code}.{i}" for i in range(9))


def drawn(
    rng: np.random.Generator, n: int, k: int, *, impostor: np.ndarray, genuine: np.ndarray
) -> Scores:
    """All comparisons of n identities of k records, each an independent draw around a mean.

    The mean of a comparison of i and j is the sum of both entries; of a genuine one its entry.
    """
    identity = np.repeat(np.arange(n), k)
    i, j = np.triu_indices(n * k, 1)
    same = identity[i] == identity[j]
    mean = np.where(same, genuine[identity[i]], impostor[identity[i]] + impostor[identity[j]])
    return labelled(mean + rng.normal(size=len(i)), same, identity[i], identity[j])


def ordinary(rng: np.random.Generator, n: int = 40, k: int = 4) -> Zoo:
    scores = drawn(rng, n, k, impostor=np.full(n, -1.2), genuine=np.full(n, 1.2))
    return zoo(scores, AT, who)


def test_numbers_are_those_of_the_binomial_distribution() -> None:
    """Six of one record: 0 is matched with 1, 2 and 3, and 4 with 5; all others are not."""
    i, j = np.triu_indices(6, 1)
    wrong = {(0, 1), (0, 2), (0, 3), (4, 5)}
    score = np.array([1.0 if pair in wrong else -1.0 for pair in zip(i, j, strict=True)])
    twice = np.array([[6, 6, 1.0], [7, 7, -1.0]])
    found = zoo(
        labelled(
            np.append(score, twice[:, 2]),
            np.append(i == j, [True, True]),
            np.append(i, twice[:, 0]),
            np.append(j, twice[:, 1]),
        ),
        AT,
        who,
    )
    first = found.wolves.worst[0]
    assert (first.identity, first.n, first.of) == ("person 0", 3, 5)
    assert first.expected == pytest.approx(8 / 6)
    assert first.p == pytest.approx(6 * binom.sf(2, 5, 8 / 30))
    assert first.records == ("r0.0", "r0.1", "r0.2", "r0.3", "r0.4")
    assert found.wolves.n_identities == 6
    assert len(found.wolves.worst) == 6
    goat = found.goats.worst[0]
    assert (goat.identity, goat.n, goat.of, goat.expected) == ("person 7", 1, 1, 0.5)
    assert goat.p == 1.0


def test_a_goat_counts_half_its_records() -> None:
    rng = np.random.default_rng(0)
    scores = drawn(
        rng, 30, 8, impostor=np.full(30, -2.0), genuine=np.where(np.arange(30) == 3, -9.0, 2.0)
    )
    found = zoo(scores, AT, who)
    goat = found.goats.worst[0]
    assert (goat.identity, goat.n, goat.of) == ("person 3", 28, 28)
    missed = int(np.count_nonzero(scores.genuine & (scores.score < AT)))
    rate = missed / (30 * 28)
    assert goat.p == pytest.approx(min(1.0, 30 * binom.sf(3, 4, rate)))  # 8 records: 4 disjoint
    assert found.goats.n_beyond_chance == 1


def test_a_wolf_stands_out() -> None:
    mean = np.full(40, -1.2)
    mean[17] = 0.6
    rng = np.random.default_rng(1)
    found = zoo(drawn(rng, 40, 3, impostor=mean, genuine=np.full(40, 1.2)), AT, who)
    assert found.wolves.worst[0].identity == "person 17"
    assert found.wolves.worst[0].p < 1e-6
    assert found.wolves.n_beyond_chance == 1
    assert len(found.wolves.worst) == N_SHOWN
    assert found.goats.n_beyond_chance == 0


def test_without_anybody_special_few_are_named() -> None:
    rng = np.random.default_rng(3)
    found = [ordinary(rng) for _ in range(200)]
    named = np.mean([z.wolves.n_beyond_chance + z.goats.n_beyond_chance > 0 for z in found])
    assert named <= 0.1


def test_holm_agrees_with_statsmodels() -> None:
    p = np.random.default_rng(4).random(50) ** 3
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
