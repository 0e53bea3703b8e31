"""Rates from answers: right where a plain share of the reviewed decisions is far off."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.calibrate.answers.answered import Answers, answered_sweep, fmr_bounds, newest, rates
from gemel.calibrate.goals.choose import observed
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.intervals import upper_bound
from gemel.calibrate.scores.scores import labelled
from gemel.calibrate.scores.sweep import sweep
from gemel.errors import DataError

BAND = (0.6, 0.8)


def world(
    seed: int, n: int = 60_000, *, audit: float = 0.03, prior: float = 0.02, shift: float = 0.0
) -> tuple[Answers, np.ndarray, np.ndarray]:
    """Answers of a service, and the score and truth of every decision it made."""
    rng = np.random.default_rng(seed)
    genuine = rng.random(n) < prior
    score = np.where(genuine, rng.normal(0.8, 0.12, n), rng.normal(0.25 + shift, 0.12, n))
    p = np.where((score >= BAND[0]) & (score < BAND[1]), 1.0, audit)
    asked = rng.random(n) < p
    return Answers(score[asked], genuine[asked], 1 / p[asked], p[asked] < 1), score, genuine


def test_weighted_rates_find_the_truth_where_reviewed_ones_do_not() -> None:
    for seed in range(5):
        answers, score, genuine = world(seed, shift=0.1)
        found = rates(answers, 0.7, band=BAND)
        fmr, fnmr = (score[~genuine] >= 0.7).mean(), (score[genuine] < 0.7).mean()
        assert found.fmr.value == pytest.approx(fmr, rel=0.5)
        assert found.fnmr.value == pytest.approx(fnmr, abs=0.06)
        assert found.prior.value == pytest.approx(0.02, abs=0.006)
        inside = ~answers.audited
        reviewed = (answers.score[inside] >= 0.7)[~answers.genuine[inside]].mean()
        assert reviewed > 20 * fmr  # what the band alone would say


def test_intervals_cover_the_truth() -> None:
    covered = {"fmr": 0, "fnmr": 0, "precision": 0, "prior": 0}
    for seed in range(200):
        answers, score, genuine = world(seed, 20_000, shift=0.15, prior=0.05, audit=0.05)
        found = rates(answers, 0.65, band=BAND)
        match = score >= 0.65
        truth = {
            "fmr": match[~genuine].mean(),
            "fnmr": (~match)[genuine].mean(),
            "precision": genuine[match].mean(),
            "prior": genuine.mean(),
        }
        for name, value in truth.items():
            estimate = getattr(found, name)
            covered[name] += estimate.low <= value <= estimate.high
    assert all(n >= 185 for n in covered.values()), covered


def test_equal_weights_give_plain_shares() -> None:
    score = np.array([0.9, 0.8, 0.8, 0.4, 0.3, 0.1])
    genuine = np.array([True, True, False, True, False, False])
    answers = Answers(score, genuine, np.full(6, 7.0), np.zeros(6, bool))
    found = rates(answers, 0.8, band=(0.3, 0.8))
    assert (found.fmr.value, found.fnmr.value) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert found.precision.value == pytest.approx(2 / 3)
    assert found.review_share == pytest.approx(2 / 6)
    curve, plain = answered_sweep(answers), sweep(labelled(score, genuine))
    assert curve.threshold.tolist() == plain.threshold.tolist()
    np.testing.assert_allclose(curve.fmr(), plain.fmr())
    np.testing.assert_allclose(curve.fnmr(), plain.fnmr(), atol=1e-12)
    wanted = [upper_bound(n, 3, 0.9) for n in (0, 0, 1, 1, 2, 3)]
    np.testing.assert_allclose(fmr_bounds(answers, 0.9), wanted)


def test_answers_that_were_not_drawn_change_no_threshold() -> None:
    rng = np.random.default_rng(0)
    answers, _, _ = world(0, 5_000, prior=0.2)
    times = rng.integers(0, 3, len(answers)).astype(np.float64)
    drawn = np.repeat(np.arange(len(answers)), times.astype(int))
    again = Answers(*(getattr(answers, name)[drawn] for name in vars(answers)))
    one, two = answered_sweep(answers, times), answered_sweep(again)
    assert one.threshold.tolist() == two.threshold.tolist()
    for kind in ("f1", "eer", "accuracy"):
        target = Target(kind=kind)  # type: ignore[arg-type]
        assert observed(one, target, 0.2) == pytest.approx(observed(two, target, 0.2))


def test_an_unseen_error_leaves_an_upper_bound() -> None:
    answers = Answers(
        np.linspace(0, 0.5, 300), np.zeros(300, bool), np.ones(300), np.ones(300, bool)
    )
    found = rates(answers, 0.7, band=BAND)
    assert found.fmr.value == 0
    assert found.fmr.high == pytest.approx(0.00994, abs=1e-5)  # the rule of three


def test_old_answers_are_left_out_once_newer_ones_are_enough() -> None:
    answers, _, _ = world(0, prior=0.2)
    sides = answers.score >= BAND[1], answers.score < BAND[0]
    start = newest(answers, 50, sides=sides, audited=10)
    kept = answers.taken(slice(start, None))
    assert 0 < start < len(answers)
    for part in (kept.true, kept.false):
        assert part.sum() ** 2 >= 50 * np.square(part).sum()
    assert all((side[start:] & kept.audited).sum() >= 10 for side in sides)
    later = answers.taken(slice(start + 1, None))
    assert newest(later, 50, sides=(sides[0][start + 1 :], sides[1][start + 1 :]), audited=10) == 0
    assert newest(answers, 1e9, sides=sides, audited=10) == 0


def test_contradictions_are_refused() -> None:
    one = np.ones(1)
    with pytest.raises(DataError, match="one length"):
        Answers(np.ones(2), np.ones(1, bool), one, np.ones(1, bool))
    with pytest.raises(DataError, match="below 1"):
        Answers(one, np.ones(1, bool), 0.5 * one, np.ones(1, bool))
    with pytest.raises(DataError, match="no answer"):
        rates(Answers(one[:0], np.ones(0, bool), one[:0], np.ones(0, bool)), 0.5, band=BAND)
    with pytest.raises(DataError, match="one kind"):
        answered_sweep(Answers(one, np.ones(1, bool), one, np.ones(1, bool)))
