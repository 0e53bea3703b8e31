"""The exact sweep and what is read off it, on numbers worked out by hand."""

import json

import msgspec
import numpy as np
import pytest

from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.curve_measures import auroc, eer, eer_hull, summary
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.calibrate.scores.sweep import between, sweep
from gemel.errors import DataError


def test_toy_rates_at_every_threshold(toy: Scores) -> None:
    curve = sweep(toy)
    assert curve.threshold.tolist() == pytest.approx([np.inf, 3, 2, 1.5, 1, 0.5, 0.2, -0.5, -1, -2])
    assert (curve.fmr() * 6).tolist() == pytest.approx([0, 0, 0, 0, 1, 2, 3, 4, 5, 6])
    assert curve.fnmr().tolist() == [1, 0.75, 0.5, 0.25, 0.25, 0.25, 0, 0, 0, 0]


def test_toy_equal_error_rates_by_both_definitions(toy: Scores) -> None:
    assert eer(sweep(toy)) == pytest.approx(0.25)
    assert eer_hull(sweep(toy)) == pytest.approx(1 / 6)
    assert auroc(sweep(toy)) == pytest.approx(21.5 / 24)


@pytest.mark.parametrize(
    ("genuine", "impostor", "rate", "area"),
    [([2, 3], [0, 1], 0.0, 1.0), ([0, 1], [2, 3], 1.0, 0.0), ([1, 1], [1, 1], 0.5, 0.5)],
)
def test_separated_reversed_and_constant_scores(
    genuine: list[int], impostor: list[int], rate: float, area: float
) -> None:
    curve = sweep(labelled(np.array(genuine + impostor), np.array([1, 1, 0, 0])))
    assert eer(curve) == pytest.approx(rate)
    assert eer_hull(curve) == pytest.approx(min(rate, 0.5))
    assert auroc(curve) == area


def test_a_threshold_between_neighbouring_floats_does_not_round_into_the_lower() -> None:
    low = np.float32(0.7)
    high = np.nextafter(low, np.float32(1), dtype=np.float32)
    assert between(low, high) == high
    assert np.float32(between(low, np.float32(np.inf))) > low


def test_each_point_of_the_sweep_is_what_its_threshold_does() -> None:
    rng = np.random.default_rng(0)
    s = labelled(np.round(rng.normal(size=60), 1), rng.random(60) < 0.4)
    curve = sweep(s)
    for point in range(len(curve.threshold)):
        at = measure(s, curve.between(point))
        assert at.n_false_match == curve.n_false_match[point]
        assert s.n_genuine - at.n_false_non_match == curve.n_true_match[point]


def test_summary_is_plain_json_and_small() -> None:
    rng = np.random.default_rng(0)
    genuine = rng.random(20_000) < 0.1
    s = labelled(rng.normal(size=20_000) + 2 * genuine, genuine)
    got = summary(s, n_points=50)
    plain = json.loads(msgspec.json.encode(got))
    assert 20 < len(plain["fmr"]) <= 50
    assert plain["fmr"] == sorted(plain["fmr"])
    assert plain["fnmr"] == sorted(plain["fnmr"], reverse=True)
    assert None not in plain["threshold"]
    width = np.diff(got.bin_edge)
    assert width @ np.array(got.genuine_density) == pytest.approx(1)
    assert width @ np.array(got.impostor_density) == pytest.approx(1)
    assert got.eer == pytest.approx(0.1587, abs=0.01)  # Phi(-1)


def test_summary_of_constant_scores_has_bins() -> None:
    got = summary(labelled(np.ones(4), np.array([1, 1, 0, 0])))
    assert got.bin_edge[0] < 1 < got.bin_edge[-1]


def test_a_missing_class_is_refused() -> None:
    with pytest.raises(DataError, match="no genuine"):
        sweep(labelled(np.ones(3), np.zeros(3)))


def test_failures_count_as_rejected_beside_the_rates_of_what_gave_a_score() -> None:
    score = np.array([3.0, 0.0, np.nan, 1.0, 1.0, -1.0, -1.0, np.nan])
    at = measure(labelled(score, np.array([1, 1, 1, 0, 0, 0, 0, 0])), 0.5)
    assert (at.fnmr.value, at.fmr.value, at.n_failures) == (0.5, 0.5, 2)
    assert at.frr == pytest.approx(0.25 + 0.75 * 0.5)
    assert at.far == pytest.approx(0.75 * 0.5)
    clean = measure(labelled(score[:2], np.array([1, 0])), 0.5)
    assert (clean.n_failures, clean.far, clean.frr) == (0, None, None)
