"""What answers teach: fewer errors where the estimate was wrong, and no more than they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from gemel.encode.comparators.blocks import Blocks
from gemel.encode.comparators.cosine import Cosine
from gemel.train.comparators.answers import Curves, Held, levelled

BLOCKS, N = (2, 2), 4000
ONES = np.zeros(1, np.float32)


def summed(slopes: tuple[float, float], level: float) -> Blocks:
    """Two blocks whose agreement adds up."""
    first = np.zeros((7, 2), np.float32)
    first[[0, 1], [0, 1]] = 1
    by = np.array(slopes, np.float32)[:, None]
    return Blocks(
        BLOCKS, (), ((first, np.zeros(2, np.float32)), (by, np.full(1, level, np.float32)))
    )


ESTIMATE = summed((12.0, 2.0), -8.0)
"""Takes the second block for worth a sixth of the first, where both are worth the same."""


def pairs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    seen = np.zeros((N, 7), np.float32)
    seen[:, :2] = rng.uniform(0, 1, (N, 2))
    seen[:, 2] = seen[:, :2].mean(1)
    seen[:, 3:5] = 1
    return seen, rng.random(N) < expit(12 * seen[:, 0] + 12 * seen[:, 1] - 14)


def error(comparator: Blocks, seen: np.ndarray, genuine: np.ndarray) -> float:
    return float(np.mean((comparator.of_evidence(seen) >= 0) != genuine))


def curves() -> Curves:
    found = Curves.of(ESTIMATE)
    assert found is not None
    return found


POOL = pairs(2)[0]


def moved(seen: np.ndarray, genuine: np.ndarray) -> np.ndarray:
    return curves().moved_by(seen, genuine, curves().held_by(POOL))


def test_a_hundred_answers_correct_what_the_estimate_has_wrong() -> None:
    seen, genuine = pairs(0)
    fresh = pairs(1)
    best = error(summed((12.0, 12.0), -14.0), *fresh)
    before = error(ESTIMATE, *fresh)
    after = curves().taught(moved(seen[:100], genuine[:100]))
    assert before - best > 0.07
    assert error(after, *fresh) - best < 0.4 * (before - best)
    many = curves().taught(moved(seen, genuine))
    assert error(many, *fresh) - best < 0.01


def test_no_answer_moves_nothing_and_few_move_little() -> None:
    seen, genuine = pairs(0)
    same = curves().taught(moved(seen[:0], genuine[:0]))
    assert same.of_evidence(seen) == pytest.approx(ESTIMATE.of_evidence(seen), abs=1e-4)
    score = ESTIMATE.of_evidence(POOL)
    one = curves().climbed(POOL[np.abs(score) < 2]) @ moved(seen[:1], genuine[:1])
    assert 0 < np.sqrt(np.mean(one**2)) < 0.1


def test_a_few_answers_leave_an_estimate_that_is_right_about_as_good_as_it_was() -> None:
    right = summed((12.0, 12.0), -14.0)
    found = Curves.of(right)
    assert found is not None
    held, fresh, worse = found.held_by(POOL), pairs(1), []
    loose = Held(held.ways[1:2])
    for seed in range(10, 20):
        seen, genuine = (part[:60] for part in pairs(seed))
        after = [found.taught(found.moved_by(seen, genuine, by)) for by in (held, loose)]
        worse.append([error(one, *fresh) - error(right, *fresh) for one in after])
    firmly, loosely = np.mean(worse, axis=0)
    assert firmly < 0.005 and firmly < loosely / 2


def test_the_taught_scores_are_those_that_were_fitted_and_agreement_never_counts_against() -> None:
    seen, genuine = pairs(0)
    by = moved(seen[:300], ~genuine[:300])  # all answers are wrong
    taught = curves().taught(by)
    expected = ESTIMATE.of_evidence(seen) + curves().climbed(seen) @ by
    assert taught.of_evidence(seen) == pytest.approx(expected, abs=1e-3)
    steps = np.zeros((101, 7), np.float32)
    for block in (0, 1, 2):
        steps[:, :3] = 0.5
        steps[:, block] = np.linspace(0, 1, 101)
        assert (np.diff(taught.of_evidence(steps)) >= -1e-4).all()


def test_what_is_open_and_new_teaches_most() -> None:
    seen, genuine = pairs(0)
    made = curves()
    asked = seen[:30]
    asked[:, 1] = 0.5  # nothing was asked about the second block
    by, held = moved(asked, genuine[:30]), made.held_by(POOL)
    sure, known, new = (np.zeros((1, 7), np.float32) for _ in range(3))
    sure[0, :5] = (1, 1, 1, 1, 1)
    known[0, :5] = (0.7, 0.5, 0.5, 1, 1)
    new[0, :5] = (0.5, 1.0, 0.5, 1, 1)
    pool = np.concatenate([sure, known, new])
    score = ESTIMATE.of_evidence(np.concatenate([asked, pool])).astype(np.float64)
    teaches = made.doubt(by, made.climbed(asked), made.climbed(pool), score, held)
    assert teaches[2] > 2 * teaches[1] > 0 and teaches[2] > 3 * teaches[0]


def test_what_is_no_sum_of_curves_cannot_be_taught() -> None:
    assert Curves.of(Cosine()) is None
    mixed = np.ones((7, 2), np.float32)
    layers = ((mixed, np.zeros(2, np.float32)), (np.ones((2, 1), np.float32), ONES))
    assert Curves.of(Blocks(BLOCKS, (), layers)) is None


def test_scores_get_the_slope_and_level_that_explain_pairs_best() -> None:
    seen, genuine = pairs(0)
    flat, said = summed((6.0, 6.0), 3.0), genuine.astype(np.float32)
    steep = levelled(flat, seen, said, np.ones(N))
    right = summed((12.0, 12.0), -14.0).of_evidence(seen)
    assert np.abs(steep.of_evidence(seen) - right).mean() < 0.5
    held = levelled(flat, seen, said, np.ones(N), held=1e9)
    assert held.of_evidence(seen) == pytest.approx(flat.of_evidence(seen), abs=1e-2)
