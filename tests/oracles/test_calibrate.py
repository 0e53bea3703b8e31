"""Calibration numbers equal those of independent implementations."""

import numpy as np
import pytest
from llreval.cllr import cross_entropy as bits
from llreval.pav_rocch import PAV, ROCCH
from llreval.quick_eval import scoreslabels_2_eer_cllr_mincllr
from mapie.risk_control import BinaryClassificationController
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from scipy.stats import binom, binomtest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from statsmodels.stats.proportion import proportion_confint
from venn_abers import VennAbers

from gemel.calibrate.probability import venn_abers
from gemel.calibrate.probability.detection_cost import Stakes, actual_cost, least_cost
from gemel.calibrate.probability.fit import (
    cllr,
    cross_entropy,
    fit_pav,
    least_cllr,
)
from gemel.calibrate.probability.precision_recall import average_precision, precision_at
from gemel.calibrate.probability.regression import fit_beta, fit_logistic
from gemel.calibrate.rates.intervals import errors_allowed, p_value, upper_bound, wilson
from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.curve_measures import auroc, eer_hull
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.calibrate.scores.sweep import hull_blocks, sweep
from gemel.decide.ratio import Logistic


@pytest.fixture(params=[0.02, 0.5, 0.9], ids=["rare", "balanced", "common"])
def scores(request: pytest.FixtureRequest) -> Scores:
    """3,000 comparisons with many ties."""
    rng = np.random.default_rng(11)
    genuine = rng.random(3000) < request.param
    return labelled(np.round(rng.normal(size=3000) + 1.5 * genuine, 2), genuine)


def test_sweep_equals_scikit_learn(scores: Scores) -> None:
    fpr, tpr, threshold = roc_curve(scores.genuine, scores.score, drop_intermediate=False)
    curve = sweep(scores)
    assert np.array_equal(curve.threshold, threshold)
    assert np.allclose(curve.fmr(), fpr, atol=1e-15)
    assert np.allclose(curve.fnmr(), 1 - tpr, atol=1e-15)
    assert auroc(curve) == pytest.approx(roc_auc_score(scores.genuine, scores.score), abs=1e-12)


def test_a_threshold_equals_scikit_learn(scores: Scores) -> None:
    at = measure(scores, 0.75)
    match = scores.score >= 0.75
    (_, false), (missed, _) = confusion_matrix(scores.genuine, match)
    assert (at.n_false_match, at.n_false_non_match) == (false, missed)
    assert at.f1.value == pytest.approx(f1_score(scores.genuine, match))
    assert at.accuracy.value == pytest.approx(accuracy_score(scores.genuine, match))


def test_hull_and_likelihood_costs_equal_llreval(scores: Scores) -> None:
    labels = scores.genuine.astype(int)
    wanted = scoreslabels_2_eer_cllr_mincllr(scores.score.astype(np.float64), labels)
    curve = sweep(scores)
    got = eer_hull(curve), cllr(scores, Logistic(1.0, 0.0)), least_cllr(curve)
    assert got == pytest.approx(wanted, abs=1e-7)


def test_least_cllr_uses_the_isotonic_fit_of_scikit_learn(scores: Scores) -> None:
    share = IsotonicRegression(out_of_bounds="clip").fit_transform(scores.score, scores.genuine)
    odds = scores.n_genuine / scores.n_impostor
    with np.errstate(divide="ignore"):
        llr = np.log(share) - np.log1p(-share) - np.log(odds)
    miss = np.logaddexp(0, -llr[scores.genuine]).mean()
    false = np.logaddexp(0, llr[~scores.genuine]).mean()
    assert least_cllr(sweep(scores)) == pytest.approx((miss + false) / 2 / np.log(2))


def test_likelihood_equals_a_balanced_logistic_regression(scores: Scores) -> None:
    model = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10, max_iter=1000)
    model.fit(scores.score[:, None], scores.genuine)
    found = fit_logistic(scores, 0.5)  # smooths its labels: close, not equal
    assert found.slope == pytest.approx(model.coef_[0, 0], rel=0.1)
    assert found.intercept == pytest.approx(model.intercept_[0], rel=0.1, abs=0.05)


def test_binned_likelihood_equals_the_unbinned_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    genuine = rng.random(20_000) < 0.3
    s = labelled(rng.normal(size=20_000) + genuine, genuine)
    exact = fit_logistic(s, 0.5)
    monkeypatch.setattr("gemel.calibrate.probability.regression.N_BINS", 4096)
    binned = fit_logistic(s, 0.5)
    assert binned.slope == pytest.approx(exact.slope, rel=1e-4)
    assert binned.intercept == pytest.approx(exact.intercept, rel=1e-3)


@pytest.mark.parametrize("prior", [0.001, 0.05, 0.5, 0.97])
def test_costs_over_priors_equal_llreval(scores: Scores, prior: float) -> None:
    curve, logit = sweep(scores), float(np.log(prior / (1 - prior)))
    hull = ROCCH(PAV(scores.score.astype(np.float64), scores.genuine.astype(int)))
    assert least_cost(curve, Stakes(prior=prior)).raw == pytest.approx(
        hull.Bayes_error_rate(logit), abs=1e-12
    )
    genuine, impostor = (
        scores.score[k].astype(np.float64) for k in (scores.genuine, ~scores.genuine)
    )
    as_llr = Logistic(1.0, 0.0)
    blind = -prior * np.log2(prior) - (1 - prior) * np.log2(1 - prior)
    wanted = bits(genuine, impostor, Ptar=prior) / blind
    assert cross_entropy(scores, as_llr, prior) == pytest.approx(wanted, abs=1e-12)
    missed, false = (genuine < -logit).mean(), (impostor >= -logit).mean()
    assert actual_cost(curve, as_llr, Stakes(prior=prior)).raw == pytest.approx(
        prior * missed + (1 - prior) * false
    )


def test_pooled_blocks_are_those_of_llreval(scores: Scores) -> None:
    _, genuine, impostor = PAV(scores.score.astype(np.float64), scores.genuine.astype(int)).llrs()
    _, true, false = hull_blocks(sweep(scores))
    assert true[::-1].tolist() == genuine.tolist()
    assert false[::-1].tolist() == impostor.tolist()


def test_bounded_pav_is_the_isotonic_fit_with_a_comparison_of_each_class_added(
    scores: Scores,
) -> None:
    score = np.concatenate([scores.score, [-99.0, 99.0]])
    label = np.concatenate([scores.genuine, [True, False]])
    share = np.unique(IsotonicRegression().fit_transform(score, label))
    llr = (
        np.log(share) - np.log1p(-share) - np.log((scores.n_genuine + 1) / (scores.n_impostor + 1))
    )
    assert fit_pav(scores).value == pytest.approx(llr)


def test_precision_and_recall_equal_scikit_learn_at_any_prior(scores: Scores) -> None:
    curve = sweep(scores)
    precision, recall, _ = precision_recall_curve(scores.genuine, scores.score)
    ours = precision_at(curve.fmr(), curve.fnmr(), scores.prior)
    assert np.allclose(ours[::-1], precision)
    assert np.allclose(1 - curve.fnmr()[::-1], recall)
    for prior in (scores.prior, 0.003):
        share = np.where(scores.genuine, prior / scores.n_genuine, (1 - prior) / scores.n_impostor)
        wanted = average_precision_score(scores.genuine, scores.score, sample_weight=share)
        assert average_precision(curve, prior) == pytest.approx(wanted, abs=1e-9)


def test_beta_likelihood_equals_a_logistic_regression_of_two_logarithms(scores: Scores) -> None:
    found = fit_beta(scores, 0.5)
    x = (scores.score.astype(np.float64) - found.start) / (found.end - found.start)
    columns = np.column_stack([np.log(x), -np.log1p(-x)])
    model = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10, max_iter=5000)
    model.fit(columns, scores.genuine)  # ours smooths its labels: close, not equal
    theirs = columns @ model.coef_[0] + model.intercept_[0]
    if min(model.coef_[0]) <= 0:  # a curve that would fall: that logarithm is left out
        assert min(found.a, found.b) == 0
        return
    genuine = scores.genuine
    wanted = np.logaddexp(0, -theirs[genuine]).mean() + np.logaddexp(0, theirs[~genuine]).mean()
    assert cllr(scores, found) == pytest.approx(wanted / (2 * np.log(2)), rel=0.01)


@pytest.mark.parametrize(("errors", "n"), [(0, 300), (3, 1000), (13, 20_000), (30, 3_000_000)])
def test_bounds_equal_scipy_and_statsmodels(errors: int, n: int) -> None:
    exact = binomtest(errors, n).proportion_ci(0.9, "exact").high
    assert upper_bound(errors, n, 0.95) == pytest.approx(exact)
    assert proportion_confint(errors, n, 0.1, "beta")[1] == pytest.approx(exact)
    z = 1.959963984540054
    assert wilson(errors / n, n, z) == pytest.approx(
        proportion_confint(errors, n, 0.05, "wilson"), abs=1e-12
    )
    assert p_value(errors, n, 1.3 * (errors + 1) / n) == pytest.approx(
        binom.cdf(errors, n, 1.3 * (errors + 1) / n)
    )


def test_errors_allowed_equals_brute_force() -> None:
    for n, limit in [(500, 0.05), (5000, 0.01), (20_000, 1e-3)]:
        allowed = [e for e in range(n // 2) if binom.cdf(e, n, limit) <= 0.05]
        assert errors_allowed(n, limit, 0.95) == max(allowed, default=-1)


def test_the_exact_binomial_is_sharper_than_the_bound_of_mapie() -> None:
    mapie = float(compute_hoeffding_bentkus_p_value(np.array([0.02]), 500, np.array([0.05]))[0, 0])
    ours = p_value(10, 500, 0.05)
    assert ours == pytest.approx(0.000460, abs=5e-7)
    assert ours <= mapie <= np.e * ours * 1.000001


def test_venn_abers_equals_the_package_of_that_name() -> None:
    rng = np.random.default_rng(0)
    genuine = rng.random(400) < 0.4
    score = np.round(np.clip(rng.normal(0.4, 0.2, 400) + 0.25 * genuine, 0.01, 0.99), 2)
    score = score.astype(np.float32)
    found = venn_abers.fit(labelled(score, genuine))
    known = score.astype(np.float64)
    theirs = VennAbers()
    theirs.fit(np.column_stack([1 - known, known]), genuine.astype(int))
    asked = np.concatenate([np.unique(known), rng.random(100)])
    _, wanted = theirs.predict_proba(np.column_stack([1 - asked, asked]))
    got = [found.interval(s, found.share) for s in asked.tolist()]
    assert np.allclose(got, wanted, atol=1e-12)


def test_a_fixed_sequence_stops_where_that_of_mapie_does() -> None:
    """On independent comparisons; MAPIE's looser bound may stop earlier, never later."""
    rng, target, confidence = np.random.default_rng(3), 0.9, 0.9
    genuine = rng.random(4000) < 0.5
    score = np.clip(rng.normal(0.35 + 0.3 * genuine, 0.15), 0.001, 0.999)
    grid = np.quantile(score, np.linspace(0.4, 0.9, 60))[::-1]
    controller = BinaryClassificationController(
        lambda x: np.column_stack([1 - x.ravel(), x.ravel()]),
        "precision",
        target_level=target,
        confidence_level=confidence,
        fwer_method="fixed_sequence",
        list_predict_params=grid,
    )
    with pytest.warns(UserWarning, match="monotonic"):  # it knows that precision need not be
        controller.calibrate(score[:, None], genuine.astype(int))
    n_match = [int((score >= t).sum()) for t in grid]
    n_false = [int((~genuine & (score >= t)).sum()) for t in grid]
    counts = list(zip(n_false, n_match, strict=True))
    ours = np.array([p_value(e, n, 1 - target) for e, n in counts])
    rounded = np.array([p_value(e + 1, n, 1 - target) for e, n in counts])  # by MAPIE, sometimes
    theirs = np.asarray(controller.p_values).ravel()
    assert (ours <= theirs * 1.000001).all()
    assert (theirs <= np.e * rounded * 1.000001).all()
    n_ours, n_theirs = np.argmax(ours > 1 - confidence), len(controller.valid_predict_params)
    assert n_theirs == np.argmax(theirs > 1 - confidence)
    assert 0 <= n_ours - n_theirs <= 2
