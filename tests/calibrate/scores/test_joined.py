"""Comparisons of several encoders together, as those of one that is worse than the worst."""

import numpy as np
import pytest

from gemel.calibrate.scores.scores import Scores, as_the_worst, joined, labelled


def part(shift: float, seed: int) -> Scores:
    rng = np.random.default_rng(seed)
    genuine = np.arange(4000) < 400
    return labelled(rng.standard_normal(4000) + 5 * genuine + shift, genuine)


def test_impostors_are_raised_beyond_those_of_the_worse_encoder_and_genuine_stay() -> None:
    parts = part(0.0, 0), part(0.4, 1)
    raised = as_the_worst(parts)
    tails = [float(np.quantile(p.score[~p.genuine], 0.99)) for p in parts]
    aim = max(tails) + abs(tails[0] - tails[1]) / 2
    for before, after in zip(parts, raised, strict=True):
        assert np.quantile(after.score[~after.genuine], 0.99) == pytest.approx(aim, abs=1e-4)
        assert np.array_equal(before.score[before.genuine], after.score[after.genuine])


def test_joined_parts_keep_every_comparison() -> None:
    parts = part(0.0, 0), part(0.4, 1)
    both = joined(parts, unit_of=None, share=0.5)
    assert len(both) == 8000 and both.n_genuine == 800 and both.share == 0.5
    assert both.prior == pytest.approx(0.1)
