from __future__ import annotations

import msgspec
import numpy as np
import pytest
from crepes import ConformalClassifier

from gemel.arrays import unit_rows
from gemel.decide.classes import Among, ClassPolicy, Level, check_alpha, outcome
from gemel.decide.conformal import N_KEPT, Calibration, classes_needed, kept_classes, rounds_of
from gemel.encode.scatter import Scatter
from gemel.errors import ConfigError, DataError, ReleaseError


def test_p_values_count_classes_and_include_the_item_itself() -> None:
    one = Calibration.of(np.array([[1.0], [2.0], [3.0], [4.0]]))
    given = np.array([0.0, 2.0, 3.5, 9.0, np.nan, np.inf, -np.inf])
    assert one.p_values(given).tolist() == [1, 0.8, 0.4, 0.2, 1, 0.2, 1]
    # Ten more items of the first class, all stranger, count as one class.
    many = Calibration.of(np.array([[1.0, 9, 9, 9], [2.0, 2, 2, 2], [3, 3, 3, 3]]))
    assert many.p_values(np.array([5.0]))[0] == pytest.approx((1 + 0.75) / 4)


def test_p_values_are_those_of_crepes() -> None:
    rng = np.random.default_rng(0)
    cal, new = rng.standard_normal(99), rng.standard_normal(40).astype(np.float32)
    theirs = ConformalClassifier().fit(cal.astype(np.float32))
    expected = theirs.predict_p(new[:, None], smoothing=False)[:, 0]
    np.testing.assert_allclose(Calibration.of(cal[:, None]).p_values(new), expected, atol=1e-12)


@pytest.mark.parametrize(("alpha", "needed"), [(0.5, 1), (0.1, 9), (0.05, 19), (0.01, 99)])
def test_alpha_needs_classes_and_a_refusal_says_how_many(alpha: float, needed: int) -> None:
    assert classes_needed(alpha) == needed
    check_alpha(alpha, needed)
    values = np.arange(needed)[:, None]
    assert Calibration.of(values).p_values(np.array([1e9]))[0] <= alpha
    with pytest.raises(DataError, match=f"needs {needed} calibration classes, there are") as e:
        check_alpha(alpha, needed - 1)
    suggested = float(e.value.hint.split("alpha to ")[1].split()[0])
    if suggested < 1:
        check_alpha(suggested, needed - 1)
    for bad in (0.0, 1.0, -1.0):
        with pytest.raises(DataError, match="between 0 and 1"):
            check_alpha(bad, 1000)


def test_the_unit_of_chance_is_the_class() -> None:
    """Items of a class are alike: counting items breaks alpha, counting classes keeps it."""
    rng = np.random.default_rng(0)
    alpha, n_runs = 0.1, 6000
    sizes = np.array([1] * 15 + [10] * 5 + [100])
    broken = {"classes": 0.0, "items": 0.0}
    for of_class, new in zip(
        rng.standard_normal((n_runs, 21)), rng.standard_normal((n_runs, 1)), strict=True
    ):
        p = Calibration.of(of_class[:, None]).p_values(new)[0]
        broken["classes"] += p <= alpha
        broken["items"] += (1 + sizes @ (of_class >= new)) / (sizes.sum() + 1) <= alpha
    slack = 3 * np.sqrt(alpha * (1 - alpha) / n_runs)
    assert broken["classes"] / n_runs <= alpha + slack, broken
    assert broken["items"] / n_runs > 2 * alpha, broken


def test_a_calibration_stays_small_whatever_it_is_made_of() -> None:
    for n in (1, 19, 300, 999, 1000, 50_000):
        codes = kept_classes(np.arange(n), seed=0)
        assert len(codes) * rounds_of(len(codes)) <= N_KEPT
        assert len(np.unique(codes)) == len(codes) == min(n, N_KEPT)


@pytest.mark.parametrize("values", [np.empty((0, 1)), np.array([[np.nan]]), np.arange(3.0)])
def test_what_cannot_calibrate_is_refused(values: np.ndarray) -> None:
    with pytest.raises(DataError):
        Calibration.of(values)


def test_damaged_calibrations_are_refused() -> None:
    for n, data in ((0, b"1234"), (2, b"1234"), (1, b"12345"), (1, b"")):
        with pytest.raises(ReleaseError):
            Calibration(n_classes=n, values=data)


def policy(alpha: float = 0.1) -> ClassPolicy:
    def level(shots: int, shift: float) -> Level:
        values = np.linspace(-1, 0, 19)[:, None] - shift
        return Level(shots=shots, temperature=0.1, calibration=Calibration.of(values))

    rows = unit_rows(np.random.default_rng(0).standard_normal((60, 4)))
    usual = Scatter.of(rows)
    return ClassPolicy(
        method="nearest",
        alpha=alpha,
        levels=(level(1, 0.0), level(5, 0.2)),
        usual=usual,
        strangeness=Calibration.of(usual.distance(rows)[:, None]),
    )


def test_each_class_is_judged_by_the_level_of_its_supports() -> None:
    p = policy()
    scores = np.full((1, 4), 0.1, np.float32)
    found = p.p_values(scores, np.array([1, 4, 5, 500]))[0]
    assert found[0] == found[1] > found[2] == found[3]
    assert [p.level(n).shots for n in (1, 4, 5, 6)] == [1, 1, 5, 5]


def test_unknown_is_what_no_class_is_like_enough() -> None:
    least = np.array([0.5, 0.7])
    assert outcome(np.array([0.4, 0.6], np.float32), least) == "unknown"
    assert outcome(np.array([0.4, 0.7001], np.float32), least) == "class"
    assert outcome(np.array([0.5, 0.6], np.float32), least) == "review"


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.12, 0.5, 0.96])
def test_the_most_is_where_p_values_pass_alpha(alpha: float) -> None:
    one = Calibration.of(np.random.default_rng(0).standard_normal((19, 3)).round(1))
    values = np.unique(np.frombuffer(one.values, "<f4"))
    most = one.most(alpha)
    assert ((one.p_values(values) > alpha) == (values <= most)).all() and most in values
    with pytest.raises(DataError, match="19 classes cannot"):
        one.most(0.049)


def test_the_more_classes_there_are_the_more_alike_the_best_must_be() -> None:
    level = msgspec.structs.replace(
        policy().levels[0], among=(Among(n_classes=2, least=0.3), Among(n_classes=5, least=0.6))
    )
    own = -level.calibration.most(0.1)
    assert [level.least(0.1, n) for n in (1, 2, 4, 5, 900)] == [
        max(own, x) for x in (0, 0.3, 0.3, 0.6, 0.6)
    ]
    p = msgspec.structs.replace(policy(), levels=(level, policy().levels[1]))
    of_five = -p.levels[1].calibration.most(0.1)
    assert p.least(np.array([1, 5]), 5).tolist() == [0.6, of_five]
    for n_classes, least in ((5, 0.4), (2, 0.4), (9, 0.1)):
        among = (Among(n_classes=5, least=0.3), Among(n_classes=n_classes, least=least))
        with pytest.raises(ConfigError, match="must rise"):
            Level(shots=1, temperature=1.0, calibration=level.calibration, among=among)


def test_an_anomaly_is_a_share_that_rises_with_distance() -> None:
    p = policy()
    centre = np.frombuffer(p.usual.centre, np.float32)
    far = np.stack([centre, centre + 1, centre + 100])
    found = p.anomaly(far)
    assert found[0] == pytest.approx(0) and found[2] == pytest.approx(60 / 61)
    assert (np.diff(found) >= 0).all()


def test_a_policy_reads_back_and_one_that_cannot_hold_is_refused() -> None:
    p = policy()
    assert msgspec.json.decode(msgspec.json.encode(p), type=ClassPolicy) == p
    with pytest.raises(ConfigError, match="needs 99 calibration classes"):
        msgspec.structs.replace(p, alpha=0.01).__post_init__()
    with pytest.raises(ConfigError, match="levels of"):
        msgspec.structs.replace(p, levels=p.levels[1:]).__post_init__()
