"""The threshold of a set follows how rare genuine pairs are in it, as its own scores tell."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm

from gemel.calibrate.goals.at_share import Expected, by_ratio, expected
from gemel.calibrate.goals.target import Target
from gemel.decide.ratio import Logistic
from gemel.settings import Links
from gemel.tasks import assignment

N_PAIRS = 1_000_000
FLOOR = 2.0
AT = np.linspace(4.2, -4, 400)
"""Impostor scores were measured up to 4.2, about as far as 100,000 of them reach."""
MEASURED = SimpleNamespace(
    n_genuine=500,
    n_impostor=100_000,
    threshold=[12.0, 8.0, 7.0, 6.0, 5.0, *AT.tolist()],
    fnmr=norm.cdf([12.0, 8.0, 7.0, 6.0, 5.0, *AT], 6.0).tolist(),
    fmr=[0.0] * 5 + norm.sf(AT).tolist(),
)


def world(share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores and truth of the pairs that reach a floor: impostors N(0, 1), genuine ones N(6, 1)."""
    rng = np.random.default_rng(seed)
    genuine = np.arange(N_PAIRS) < share * N_PAIRS
    score = rng.normal(np.where(genuine, 6.0, 0.0), 1.0)
    return score[score >= FLOOR], genuine[score >= FLOOR]


def of(share: float, told: float | None = None, seed: int = 0) -> Expected:
    return expected(world(share, seed)[0], N_PAIRS, [MEASURED], 0.1, told)


@pytest.mark.parametrize("share", [1e-4, 1e-3, 1e-2])
def test_the_share_is_found_without_labels(share: float) -> None:
    found = [of(share, seed=seed).share for seed in range(5)]
    assert np.mean(found) == pytest.approx(share, rel=0.2)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("share", [5e-5, 1e-3, 1e-2])
def test_the_threshold_is_nearly_the_best_of_the_set(share: float, told: bool) -> None:
    score, genuine = world(share)
    n = share * N_PAIRS

    def f1(threshold: float) -> float:
        match = score >= threshold
        return float(2 * genuine[match].sum() / (match.sum() + n))

    found = of(share, share if told else None)
    threshold = found.threshold(Target(kind="f1"))
    assert threshold is not None
    assert f1(threshold) >= max(f1(t) for t in np.unique(score)[::20]) - 0.05
    false = (~genuine & (score >= threshold)).sum()
    assert found.false_at(threshold) == pytest.approx(false, abs=8 + 0.1 * n)


@pytest.mark.parametrize("told", [True, False])
def test_a_threshold_that_is_nearly_the_best_stays_though_nothing_below_is_seen(
    told: bool,
) -> None:
    """The middle of what is nearly as good lies above the best where its lower half is cut off."""
    score, share = world(1e-3)[0], 1e-3 if told else None
    target = Target(kind="f1")
    best = of(1e-3, share).threshold(target)
    assert best is not None
    cut = expected(score[score >= best], N_PAIRS, [MEASURED], 0.1, share)
    assert cut.threshold(target, best) == best
    middle = cut.threshold(target)
    assert middle is not None and middle > best
    rarer = expected(world(2e-5)[0], N_PAIRS, [MEASURED], 0.1, 2e-5 if told else None)
    raised = rarer.threshold(target, FLOOR)
    assert raised is not None and raised > FLOOR + 1, "there it is far from the best"


def test_nothing_that_was_not_scored_is_a_match() -> None:
    """Below the lowest score come all other pairs of the set, at once."""
    found = of(1e-3)
    low = float(found.curve.threshold[-2])
    assert found.false_at(low - 0.5) == found.false_at(low) < 0.1 * N_PAIRS
    assert expected(np.zeros(0), N_PAIRS, [MEASURED], 0.1, None).false_at(1.0) == 0


def test_a_precision_is_reached_and_rates_do_not_depend_on_the_share() -> None:
    score, genuine = world(1e-3)
    found = of(1e-3)
    threshold = found.threshold(Target(kind="precision", value=0.9))
    assert threshold is not None
    assert genuine[score >= threshold].mean() == pytest.approx(0.9, abs=0.06)
    assert found.threshold(Target(kind="fmr", value=0.01)) is None
    assert found.threshold(Target(kind="eer")) is None


def test_a_set_whose_pairs_are_more_alike_gets_a_safe_threshold_all_the_same() -> None:
    """Genuine pairs that score higher than those that were measured."""
    rng = np.random.default_rng(0)
    score = np.concatenate([rng.normal(8, 0.5, 60), rng.normal(0, 1, N_PAIRS)])
    found = expected(score[score >= FLOOR], N_PAIRS, [MEASURED], 0.1, None)
    threshold = found.threshold(Target(kind="f1"))
    assert threshold is not None
    match = score >= threshold
    assert 2 * match[:60].sum() / (match.sum() + 60) > 0.95


@pytest.mark.parametrize("share", [1e-4, 1e-3])
def test_the_scores_of_a_set_tell_good_pairs_from_better_ones(share: float) -> None:
    """Of the 100,000 impostors that were measured none scores as these do."""
    score, genuine = world(share)
    found = of(share)
    likelihood = found.likelihood()
    assert likelihood is not None
    p = expit(likelihood.llrs(score) + logit(found.share))
    assert (np.diff(p[np.argsort(score)]) >= 0).all()
    # Far below any threshold what is left over by chance counts as genuine.
    for low, high in ((0.05, 0.5), (0.5, 0.95), (0.95, 1.0)):
        here = (p > low) & (p <= high)
        assert p[here].sum() == pytest.approx(genuine[here].sum(), abs=5 + 0.15 * here.sum())
    assert likelihood.probability(6.0, found.share) > 0.9
    assert likelihood.probability(3.9, found.share) < 0.7


def test_the_lowest_pair_that_was_scored_is_not_taken_for_one_that_was_not() -> None:
    """Only genuine pairs reach the floor; of those below one in 10,000 is."""
    score = np.random.default_rng(0).normal(6.0, 1.0, 100)
    score = score[score >= 5.3]
    found = expected(score, N_PAIRS, [MEASURED], 0.1, None)
    likelihood = found.likelihood()
    assert likelihood is not None
    p = expit(likelihood.llrs(score) + logit(found.share))
    assert p.min() > 0.3 and p.argmin() == score.argmin()


def test_a_set_never_shows_more_than_its_own_pairs_can() -> None:
    found = of(1e-4)
    likelihood = found.likelihood()
    assert likelihood is not None
    assert 0.95 < likelihood.probability(99.0, found.share) < 0.995
    assert expected(np.empty(0), 10, [MEASURED], 0.1, None).likelihood() is None


def test_a_set_without_scores_moves_nothing_and_a_few_keep_about_the_prior() -> None:
    empty = expected(np.empty(0), 10, [MEASURED], 0.1, None)
    assert empty.threshold(Target(kind="f1")) is None
    assert empty.share == pytest.approx(1 / 20)
    assert expected(np.array([6.0]), 1, [MEASURED], 0.1, None).share == pytest.approx(
        0.19, abs=0.01
    )


def test_false_matches_that_fall_faster_than_measured_are_believed_to_do_so() -> None:
    rng = np.random.default_rng(0)
    n_genuine = 200
    score = np.concatenate(
        [rng.normal(6, 1, n_genuine), rng.exponential(1 / 3, N_PAIRS // 100) + 2]
    )
    genuine = np.arange(len(score)) < n_genuine
    slower = SimpleNamespace(
        n_genuine=500,
        n_impostor=100_000,
        threshold=MEASURED.threshold,
        fnmr=MEASURED.fnmr,
        fmr=[0.0] * 5 + np.minimum(0.01 * np.exp(-2 * (AT - 2)), 1).tolist(),
    )
    found = expected(score, N_PAIRS, [slower], 1e-3, None)
    threshold = found.threshold(Target(kind="f1"))
    assert threshold is not None
    f1 = {
        t: 2 * genuine[score >= t].sum() / ((score >= t).sum() + n_genuine)
        for t in (threshold, *np.arange(2.5, 7, 0.1))
    }
    assert f1[threshold] >= max(f1.values()) - 0.05
    false = int((score[~genuine] >= 4).sum())
    assert false / 3 <= found.false_at(4.0) <= 3 * false


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("share", [1e-4, 1e-2])
def test_scores_that_say_how_probable_a_pair_is_need_no_measured_false_matches(
    share: float, told: bool
) -> None:
    score, genuine = world(share)
    ratio = Logistic(6.0, -18.0)  # of N(6, 1) and N(0, 1)
    found = by_ratio(
        score, N_PAIRS, ratio, float(norm.cdf(FLOOR, 6.0)), 0.1, share if told else None
    )
    threshold = found.threshold(Target(kind="f1"))
    assert threshold is not None
    assert found.share == pytest.approx(share, rel=0.15)

    def f1(at: float) -> float:
        return float(2 * genuine[score >= at].sum() / ((score >= at).sum() + share * N_PAIRS))

    assert f1(threshold) >= max(f1(t) for t in np.unique(score)[::20]) - 0.02
    false = (~genuine & (score >= threshold)).sum()
    assert found.false_at(threshold) == pytest.approx(false, abs=8 + 0.1 * share * N_PAIRS)


@pytest.mark.parametrize("kind", ["one-to-one", "one-to-many", "many-to-one", "many-to-many"])
@pytest.mark.parametrize(("n_left", "n_right", "n_both"), [(2000, 500, 450), (1000, 1000, 900)])
def test_what_is_expected_is_of_the_links_that_are_left(
    kind: Links, n_left: int, n_right: int, n_both: int
) -> None:
    """Two files of whose records it is known which belong together, at a distance of 5."""
    curve = {**vars(MEASURED), "fnmr": norm.cdf(MEASURED.threshold, 5.0).tolist()}
    told, false, before = 0.0, 0, 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        score, genuine = rng.normal(size=(n_left, n_right)), np.zeros((n_left, n_right), np.bool_)
        pair = rng.permutation(n_left)[:n_both], rng.permutation(n_right)[:n_both]
        score[pair] += 5.0
        genuine[pair] = True
        seen = score[score >= FLOOR]
        found = expected(seen, score.size, [SimpleNamespace(**curve)], 0.1, None)
        threshold = found.threshold(Target(kind="f1"))
        assert threshold is not None
        left, right = np.nonzero(score >= threshold)
        at = score[left, right]
        kept = assignment.kept(left, right + n_left, at - threshold + 1e-6, kind)
        n_lost = int((~kept).sum())
        of = left[kept], right[kept] + n_left, at[kept]
        linked = assignment.Linked(*of, n_records=(n_left, n_right), kind=kind, n_displaced=n_lost)
        staying = found.false_at(threshold, linked.staying)
        told += linked.left_of(found.false_at(threshold), staying)
        false += int((~genuine[left, right])[kept].sum())
        before += int((~genuine[left, right]).sum())
    assert told == pytest.approx(false, rel=0.2, abs=2 * np.sqrt(false))
    assert kind == "many-to-many" or false < 0.9 * before, "linking takes some away"


@pytest.mark.parametrize("times", [1, 30])
def test_the_threshold_is_that_of_the_links_that_are_left(times: float) -> None:
    """Also where far too many false matches were measured: few displaced links tell that."""
    n_left, n_right, n_both, present = 2000, 500, 450, 3.5
    rng = np.random.default_rng(0)
    score, genuine = rng.normal(size=(n_left, n_right)), np.zeros((n_left, n_right), np.bool_)
    pair = rng.permutation(n_left)[:n_both], rng.permutation(n_right)[:n_both]
    score[pair] += 5.0
    genuine[pair] = True
    fmr = np.minimum(times * np.asarray(MEASURED.fmr), 1).tolist()
    fnmr = norm.cdf(MEASURED.threshold, 5.0).tolist()
    curve = SimpleNamespace(**{**vars(MEASURED), "fmr": fmr, "fnmr": fnmr})
    found = expected(score[score >= present], score.size, [curve], 0.1, None)

    def linked(threshold: float) -> tuple[assignment.Linked, float]:
        left, right = np.nonzero(score >= threshold)
        at = score[left, right]
        kept = assignment.kept(left, right + n_left, at - threshold + 1e-6, "one-to-one")
        of = left[kept], right[kept] + n_left, at[kept]
        n_right_ones = int(genuine[left, right][kept].sum())
        return (
            assignment.Linked(*of, (n_left, n_right), "one-to-one", int((~kept).sum())),
            2 * n_right_ones / (int(kept.sum()) + n_both),
        )

    of_links = linked(present)[0]
    told, staying = found.false_at(present), found.false_at(present, of_links.staying)
    part = of_links.left_of(told, staying) / staying
    left = found.left(lambda at: part * of_links.staying(at), of_links.n_displaced)
    assert left.false_at(present) == pytest.approx(part * staying)
    best = max(linked(t)[1] for t in np.arange(present, 6, 0.1))
    threshold = left.threshold(Target(kind="f1"), present)
    assert threshold is not None and linked(threshold)[1] >= best - 0.01
    right = genuine[of_links.left, of_links.right - n_left].mean()
    probable = []
    for one in (left, found):
        likelihood = one.likelihood()
        assert likelihood is not None
        probable.append(expit(likelihood.llrs(of_links.score) + logit(one.share)).mean())
    assert probable[0] == pytest.approx(right, abs=0.06)
    assert abs(probable[1] - right) > abs(probable[0] - right), "of pairs, some of them displaced"
    if times > 1:
        plain = found.threshold(Target(kind="f1"), present)
        assert plain is not None and linked(plain)[1] < best - 0.02
