"""Differences of two similarities: by brute force, against other implementations, and coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from gemel.arrays import unit_rows
from gemel.calibrate.rates import curve_difference, difference
from gemel.calibrate.rates.by_identity import Counts, Spread
from gemel.calibrate.rates.difference import Difference
from gemel.calibrate.rates.intervals import Estimate, jackknife_variance
from gemel.calibrate.rates.operating_point import f1_at, measure
from gemel.calibrate.scores import curve_measures, sweep
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DataError

N_WORLDS = 150
PRIOR = 0.02
Pair = tuple[Scores, Scores]


def two(rng: np.random.Generator, n: int, k: int) -> Pair:
    """The same records seen by two encoders, the second noisier."""
    centre, spread = rng.normal(size=(n, 16)), 0.6 * rng.gamma(4, 0.25, size=(n, 1))
    base = np.repeat(centre, k, 0) + np.repeat(spread, k, 0) * rng.normal(size=(n * k, 16))
    one, other = (
        all_pairs(
            unit_rows(base + a * np.repeat(spread, k, 0) * rng.normal(size=(n * k, 16))),
            np.repeat(np.arange(n), k),
            Cosine(),
        )
        for a in (0.5, 0.6)
    )
    return one, other


def f1(c: Counts) -> float:
    return f1_at(c.fmr(), c.fnmr(), PRIOR)  # type: ignore[no-any-return]


def at_thresholds(pair: Pair, at: tuple[float, float]) -> list[Difference]:
    points = [measure(s, t, prior=PRIOR) for s, t in zip(pair, at, strict=True)]
    one, other = (Spread(s, s.score >= np.float64(t)) for s, t in zip(pair, at, strict=True))
    unit = one.by_unit
    impostor, genuine = unit.impostor > 0, unit.genuine > 0
    return [
        difference.of_counts(
            name,
            statistic,
            (one, other),
            (getattr(points[0], name), getattr(points[1], name)),
            units,
            0.95,
            higher=name == "f1",
        )
        for name, statistic, units in (
            ("fmr", Counts.fmr, impostor),
            ("fnmr", Counts.fnmr, genuine),
            ("f1", f1, impostor | genuine),
        )
    ]


def estimate(value: float, n: float) -> Estimate:
    low, high = proportion_confint(value * n, n, method="wilson")
    return Estimate(value=value, low=low, high=high, n_effective=n, method="")


def test_without_correlation_it_is_newcombe() -> None:
    one, other = estimate(0.3, 200), estimate(0.45, 150)
    variances = (0.3 * 0.7 / 200, 0.45 * 0.55 / 150)
    limits, _ = difference.joined(one, other, (*variances, sum(variances)), 100, 0.95)
    wanted = confint_proportions_2indep(0.45 * 150, 150, 0.3 * 200, 200, method="newcomb")
    assert limits == pytest.approx(wanted)


def test_correlation_makes_it_shorter_and_what_never_differs_is_bounded() -> None:
    one, other = estimate(0.3, 200), estimate(0.32, 200)
    own = 0.3 * 0.7 / 200
    plain, _ = difference.joined(one, other, (own, own, 2 * own), 100, 0.95)
    close, _ = difference.joined(one, other, (own, own, 0.2 * own), 100, 0.95)
    assert plain[0] < close[0] < 0.02 < close[1] < plain[1]
    still, how = difference.joined(one, one, (own, own, 0.0), 100, 0.95)
    assert still == pytest.approx((0.05 ** (1 / 100) - 1, 1 - 0.05 ** (1 / 100)))
    assert how == difference.UNMOVED


@pytest.mark.parametrize("unit_of", [None, np.repeat(np.arange(9), 2).astype(np.int32)])
def test_the_variance_is_that_of_every_comparison_that_shares_a_unit(
    unit_of: np.ndarray | None,
) -> None:
    one, other = (replace(s, unit_of=unit_of) for s in two(np.random.default_rng(0), 18, 3))
    spreads = [Spread(s, s.score >= 0.5) for s in (one, other)]
    left, right = one.units(slice(None))
    wrong = [s.match[~one.genuine].astype(float) for s in spreads]
    lone, lother = left[~one.genuine], right[~one.genuine]
    share = (lone[:, None] == lone) | (lone[:, None] == lother)
    share |= (lother[:, None] == lone) | (lother[:, None] == lother)
    residual = (wrong[1] - wrong[1].mean()) - (wrong[0] - wrong[0].mean())
    dyadic = residual @ share @ residual / len(residual) ** 2
    left_out = []
    for u in range(one.n_units):
        kept = (lone != u) & (lother != u)
        left_out.append(wrong[1][kept].mean() - wrong[0][kept].mean())
    variance = (dyadic + jackknife_variance(np.array(left_out))) / 2

    units = spreads[0].by_unit.impostor > 0
    found = difference.variances_of((spreads[0], spreads[1]), Counts.fmr, units)
    assert found[2] == pytest.approx(variance)


def test_the_area_is_that_of_delong_by_identity() -> None:
    one, other = two(np.random.default_rng(1), 15, 3)
    found = curve_difference.of_auroc(one, other, 0.95)
    assert found.before == pytest.approx(roc_auc_score(one.genuine, one.score))
    assert found.after == pytest.approx(roc_auc_score(other.genuine, other.score))
    residuals = []
    for scores in (one, other):
        g, i = scores.score[scores.genuine], scores.score[~scores.genuine]
        wins = (g[:, None] > i) + 0.5 * (g[:, None] == i)
        area, part = wins.mean(), np.empty(len(scores))
        part[scores.genuine] = (wins.mean(1) - area) / len(g)
        part[~scores.genuine] = (wins.mean(0) - area) / len(i)
        residuals.append([part[(scores.left == u) | (scores.right == u)].sum() for u in range(15)])
    for scores, wanted in zip((one, other), residuals, strict=True):
        assert curve_difference._placements(scores)[1] == pytest.approx(np.array(wanted))


def test_searches_are_counted_by_identity() -> None:
    before = np.array([1, 1, 0, 0, 1, 0, 1, 1], float)
    after = np.array([1, 1, 1, 1, 1, 0, 1, 0], float)
    unit = np.repeat([4, 7, 9, 11], 2)
    found = difference.of_items("recall_at_1", before, after, unit, 0.95)
    assert (found.before, found.after, found.value) == (0.625, 0.75, 0.125)
    assert found.low < 0 < found.high
    assert found.seen == "no difference shown"
    same = difference.of_items("recall_at_1", before, before, unit, 0.95)
    assert (same.low, same.high) == pytest.approx((0.05**0.25 - 1, 1 - 0.05**0.25))


def test_fnmr_is_read_at_the_loosest_threshold_allowed(toy: Scores) -> None:
    curve = sweep.sweep(toy)  # impostors 1, .5, .2, ...; genuine 3, 2, 1.5, .2
    assert curve_difference.fnmr_at(0.2)(curve) == 0.25
    assert curve_difference.fnmr_at(0.4)(curve) == 0.25
    assert curve_difference.fnmr_at(0.5)(curve) == 0.0


def test_verdicts_follow_the_limits() -> None:
    def of(low: float, high: float, *, higher: bool) -> Difference:
        return difference.difference("x", (0.5, 0.5 + (low + high) / 2), (low, high), "", higher)

    assert of(0.01, 0.02, higher=True).seen == "better"
    assert of(0.01, 0.02, higher=False).seen == "worse"
    assert of(-0.02, -0.01, higher=False).seen == "better"
    unclear = of(-0.005, 0.02, higher=True)
    assert unclear.seen == "no difference shown"
    assert unclear.not_worse(0.01) and not unclear.not_worse(0.004)
    assert not of(-0.005, 0.02, higher=False).not_worse(0.01)


def test_different_comparisons_are_refused() -> None:
    one = labelled(np.array([1.0, 0.0]), np.array([1, 0]))
    other = labelled(np.array([1.0, 0.0, 0.5]), np.array([1, 0, 0]))
    with pytest.raises(DataError, match="different comparisons"):
        difference.require_same(one, other)
    difference.require_same(one, one)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k", "at"), [(40, 6, (0.6, 0.58)), (100, 4, (0.7, 0.68))])
def test_intervals_cover(n: int, k: int, at: tuple[float, float]) -> None:
    """Nominal 95 %; +-.04 is chance in 150 worlds."""
    rng = np.random.default_rng(5)

    def worlds(n_worlds: int, n: int) -> Iterator[list[Difference]]:
        for _ in range(n_worlds):
            pair = two(rng, n, k)
            yield [*at_thresholds(pair, at), curve_difference.of_auroc(*pair, 0.95)]

    truth = np.mean([[d.value for d in found] for found in worlds(10, 300)], axis=0)
    inside = np.mean(
        [
            [d.low <= t <= d.high for d, t in zip(found, truth, strict=True)]
            for found in worlds(N_WORLDS, n)
        ],
        axis=0,
    )
    assert inside.min() >= 0.90, inside


@pytest.mark.slow
def test_resampled_intervals_cover() -> None:
    rng = np.random.default_rng(6)
    readings: list[tuple[str, Callable[[sweep.Sweep], float]]] = [
        ("EER", curve_measures.eer),
        ("FNMR at FMR 0.01", curve_difference.fnmr_at(0.01)),
    ]
    big = [
        [read(sweep.sweep(s)) for _, read in readings] for _ in range(8) for s in two(rng, 300, 2)
    ]
    truth = np.mean(big[1::2], axis=0) - np.mean(big[::2], axis=0)
    inside = []
    for _ in range(100):
        pair = two(rng, 60, 2)
        found = curve_difference.of_curves(readings, *pair, 0.95, n_false_match=(1500, 1500))
        inside.append([d.low <= t <= d.high for d, t in zip(found, truth, strict=True)])
    assert np.mean(inside, axis=0).min() >= 0.88, np.mean(inside, axis=0)
