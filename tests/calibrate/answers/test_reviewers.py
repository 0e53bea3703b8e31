"""Reviewers who err move no threshold that is right, and what they err in is found."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.calibrate.answers.answered import Answers
from gemel.calibrate.answers.proposal import Limits, Proposal, propose
from gemel.calibrate.answers.reviewers import Reviewers
from gemel.calibrate.goals.target import Target
from gemel.decide.bands import Band

PRESENT = Band(threshold=0.59, review_low=0.49, review_high=0.69)
"""Best F1 where 2 % are genuine: scores N(.25, .12) and N(.7, .13)."""
FNMR = 0.199


def said(
    seed: int, *, overlap: float, trusted: bool = False, wrong: float = 0.03, in_band: float = 1
) -> Proposal:
    """What is proposed where 2 % are genuine and reviewers err so often."""
    rng, n, audit = np.random.default_rng(seed), 300_000, 0.02
    genuine = rng.random(n) < 0.02
    score = np.where(genuine, rng.normal(0.7, 0.13, n), rng.normal(0.25, 0.12, n))
    inside = (score >= PRESENT.review_low) & (score < PRESENT.review_high)
    asked = rng.random(n) < np.where(inside, 1.0, audit)
    genuine, score, inside = genuine[asked], score[asked], inside[asked]
    chance = wrong * np.where(inside, in_band, 1.0)
    first, second = (genuine ^ (rng.random(len(score)) < chance) for _ in range(2))
    against = ~inside & (first != (score >= PRESENT.threshold))
    twice = (rng.random(len(score)) < overlap) | (against & (overlap > 0))
    yes = first.astype(np.int64) + (twice & second)
    no = (~first).astype(np.int64) + (twice & ~second)
    answers = Answers(score, yes / (yes + no), np.where(inside, 1.0, 1 / audit), ~inside)
    reviewers = None if trusted else Reviewers(score, yes, no, inside, against, 0.03)
    return propose(answers, PRESENT, Target(kind="f1"), Limits(), reviewers=reviewers, seed=seed)


def test_wrong_answers_move_a_right_threshold_where_everyone_is_trusted() -> None:
    found = said(0, overlap=0.0, trusted=True)
    assert found.verdict == "move"
    assert found.present is not None
    assert found.present.fnmr.low > 0.6  # three times the truth


@pytest.mark.parametrize("in_band", [1.0, 3.0])
def test_second_answers_keep_it_and_find_the_error_rates(in_band: float) -> None:
    for seed in range(3):
        found = said(seed, overlap=0.1, in_band=in_band)
        assert found.verdict == "keep", found.reason
        assert found.present is not None
        assert found.present.fnmr.value == pytest.approx(FNMR, abs=0.08)
        assert found.present.prior.value == pytest.approx(0.02, abs=0.005)
        assert found.present.fnmr.high - found.present.fnmr.low < 0.2


def test_without_second_answers_a_low_share_is_not_resolved() -> None:
    found = said(0, overlap=0.0)
    assert found.verdict == "wait"
    assert "they look like missed matches" in found.reason
    assert "second answers would tell: gemel review list --reviewer" in found.reason
    assert found.present is not None
    assert found.present.fnmr.low <= FNMR <= found.present.fnmr.high


def test_an_answer_that_is_only_likely_is_not_taken_for_certain() -> None:
    score = np.linspace(0, 1, 200)
    answers = Answers(score, np.clip(score, 0.01, 0.99), np.ones(200), np.ones(200, bool))
    found = propose(answers, PRESENT, Target(kind="f1"), Limits())
    assert found.present is not None
    assert 0.42 < found.present.prior.low < 0.5 < found.present.prior.high < 0.58
