"""Each goal of a threshold does what it says, or is refused with what is missing."""

import json

import msgspec
import numpy as np
import pytest

from gemel.arrays import unit_rows
from gemel.calibrate.goals.certificates import fmr_threshold, smallest_fmr
from gemel.calibrate.goals.choose import NEAR_FLAT, choose
from gemel.calibrate.goals.gallery_sizes import fmr_for_fpir
from gemel.calibrate.goals.refusal import Refusal, refused
from gemel.calibrate.goals.target import Target
from gemel.calibrate.probability.fit import fit
from gemel.calibrate.rates.intervals import trials_needed
from gemel.calibrate.rates.operating_point import f1_at, measure
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.calibrate.scores.sweep import sweep
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import ConfigError, DataError, TargetRefused
from gemel.figures import rounded_up

GOALS = [
    Target(kind="eer"),
    Target(kind="f1"),
    Target(kind="accuracy"),
    Target(kind="cost", false_match_cost=10, false_non_match_cost=2, review_cost=0.5),
    Target(kind="fmr", value=1e-2),
    Target(kind="fnmr", value=0.1),
    Target(kind="recall", value=0.8),
    Target(kind="precision", value=0.8),
    Target(kind="fpir", value=0.1, gallery_size=20),
]


@pytest.fixture(scope="module")
def scores() -> Scores:
    rng = np.random.default_rng(3)
    ids = np.repeat(np.arange(250), 2)
    rows = np.repeat(rng.normal(size=(250, 16)), 2, 0) + 0.45 * rng.normal(size=(500, 16))
    return all_pairs(unit_rows(rows), ids, Cosine())


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.kind)
def test_the_point_is_what_its_threshold_measures(scores: Scores, goal: Target) -> None:
    at = choose(scores, goal)
    band = (at.review_low, at.review_high)
    again = measure(scores, at.threshold, review=band)
    changed = {"target": at.target, "certified": at.certified, "method": at.method}
    assert msgspec.structs.replace(again, **changed) == at
    assert at.certified == (goal.value is not None)
    assert np.float32(at.threshold) == at.threshold
    plain = json.loads(msgspec.json.encode(at))
    assert msgspec.json.decode(msgspec.json.encode(at), type=type(at)) == at
    assert plain["fmr"]["low"] <= plain["fmr"]["value"] <= plain["fmr"]["high"]


def test_f1_over_all_pairs_is_near_the_best_of_the_exact_sweep(scores: Scores) -> None:
    curve = sweep(scores)
    tp, fp = curve.n_true_match, curve.n_false_match
    best = float((2 * tp / (tp + fp + curve.n_genuine)).max())
    got = choose(scores, Target(kind="f1")).f1.value
    assert best - (1 - best) * NEAR_FLAT <= got <= best
    assert f1_at(0.0, 0.0, 0.01) == 1.0


def test_a_gap_between_the_classes_is_split_in_the_middle() -> None:
    s = labelled(np.array([0.875, 0.75, 0.25, 0.0]), np.array([1, 1, 0, 0]))
    for kind in ("eer", "f1", "accuracy", "cost"):
        assert choose(s, Target(kind=kind)).threshold == 0.5


def test_neighbouring_float32_scores_are_kept_apart() -> None:
    low = np.float32(0.7)
    high = np.nextafter(low, np.float32(1), dtype=np.float32)
    s = labelled(np.array([high, low] * 20), np.array([1, 0] * 20))
    at = choose(s, Target(kind="accuracy"))
    assert (at.n_false_match, at.n_false_non_match) == (0, 0)
    assert (s.score >= np.float32(at.threshold)).tolist() == s.genuine.tolist()


def test_dearer_false_matches_and_rarer_genuine_pairs_make_it_stricter(scores: Scores) -> None:
    cheap = choose(scores, Target(kind="cost", false_match_cost=0.1))
    dear = choose(scores, Target(kind="cost", false_match_cost=100))
    rare = choose(scores, Target(kind="cost", prior=1e-6))
    assert cheap.threshold < dear.threshold
    assert cheap.threshold < rare.threshold
    assert (rare.prior, rare.prior_source, dear.prior_source) == (1e-6, "stated", "data")


@pytest.mark.parametrize("seed", range(6))
def test_the_best_precision_that_a_refusal_names_is_proven(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(70, 110))
    rows = np.repeat(rng.normal(size=(n, 12)), 2, 0)
    rows += rng.uniform(0.45, 0.5) * rng.normal(size=rows.shape)
    hard = all_pairs(unit_rows(rows), np.repeat(np.arange(n), 2), Cosine())
    with pytest.raises(TargetRefused) as refused:
        choose(hard, Target(kind="precision", value=0.99))
    best = refused.value.refusal.reach
    assert f"the best precision they can prove is {best:.3f}" in (refused.value.hint or "")
    assert 0 < best < 0.99 and choose(hard, Target(kind="precision", value=best)).certified


def test_precision_moves_with_the_prior_and_the_rates_do_not(scores: Scores) -> None:
    here, rare = measure(scores, 0.6), measure(scores, 0.6, prior=1e-4)
    assert rare.fmr == here.fmr
    tmr, fmr = 1 - here.fnmr.value, here.fmr.value
    assert rare.precision.value == pytest.approx(1e-4 * tmr / (1e-4 * tmr + (1 - 1e-4) * fmr))
    n_match = here.n_genuine - here.n_false_non_match + here.n_false_match
    assert here.precision.value == pytest.approx(1 - here.n_false_match / n_match)
    assert rare.precision.low < rare.precision.value < rare.precision.high < here.precision.low


def test_a_proven_fmr_stays_below_the_target_with_room(scores: Scores) -> None:
    at = choose(scores, Target(kind="fmr", value=1e-2))
    assert 0 < at.fmr.value < 1e-2
    assert "proven on" in at.method
    looser = np.nextafter(np.float32(at.threshold), np.float32(-1))
    strict = choose(scores, Target(kind="fmr", value=1e-2, confidence=0.999))
    assert strict.threshold > at.threshold > looser


def test_an_fmr_that_the_data_cannot_prove_is_refused_with_what_is_missing(
    scores: Scores,
) -> None:
    with pytest.raises(DataError, match="cannot prove FMR <= 1e-06") as e:
        choose(scores, Target(kind="fmr", value=1e-6))
    least = smallest_fmr(scores)
    assert "more identities" in e.value.hint
    assert "more impostor comparisons" in e.value.hint
    assert f"{rounded_up(least, 2):.2g}" in e.value.hint
    assert choose(scores, Target(kind="fmr", value=least * 1.01)).certified


def test_an_fmr_that_is_proven_only_where_nothing_matches_is_refused_with_what_can_be_had() -> None:
    """The highest scores are of lookalikes: without one error all genuine ones are missed."""
    rng = np.random.default_rng(5)
    ids = np.repeat(np.arange(60), 4)
    rows = np.repeat(rng.normal(size=(30, 8)), 8, 0) + 0.2 * rng.normal(size=(240, 8))
    rows[: 4 * 8] = rows[:1] + 1e-4 * rng.normal(size=(32, 8))
    hard = all_pairs(unit_rows(rows), ids, Cosine())
    genuine, highest = hard.score[hard.genuine], hard.score[~hard.genuine].max()
    hard.score[hard.genuine] = np.minimum(genuine, highest - np.float32(1e-3))
    least = smallest_fmr(hard)
    with pytest.raises(TargetRefused, match="only where nothing is called a match") as e:
        choose(hard, Target(kind="fmr", value=least * 1.0001))
    refusal = e.value.refusal
    assert refusal.finds_nothing
    (rate, found), *_ = refusal.useful
    assert f"FMR <= {rate:.2g} is the smallest they prove where anything is found" in e.value.hint
    for rate, found in refusal.useful:
        at = choose(hard, Target(kind="fmr", value=rate))
        assert at.certified and at.recall.value == pytest.approx(found) and found > 0
    assert refusal.useful[-1][1] >= 0.5


@pytest.mark.parametrize("seed", range(8))
def test_the_smallest_fmr_that_a_refusal_names_is_proven_as_it_is_written(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(50, 400))
    rows = np.repeat(rng.normal(size=(n, 12)), 2, 0) + 0.3 * rng.normal(size=(2 * n, 12))
    some = all_pairs(unit_rows(rows), np.repeat(np.arange(n), 2), Cosine())
    with pytest.raises(TargetRefused) as e:
        choose(some, Target(kind="fmr", value=1e-7))
    named = float(
        (e.value.hint or "").split("the smallest FMR they can prove is ")[1].split(";")[0]
    )
    assert named >= smallest_fmr(some)
    assert fmr_threshold(some, named, 0.95).bound <= named


def test_many_errors_of_one_pair_of_identities_prove_nothing() -> None:
    """Two hundred false matches between two identities are one observation."""
    n = 2000
    score, is_genuine = np.append(np.linspace(1, 0, n), np.full(50, 2.0)), np.arange(n + 50) >= n
    left = np.append(np.arange(n), 9000 + np.arange(50))
    right = np.where(is_genuine, left, left + n)
    goal = Target(kind="fmr", value=0.1)
    spread = choose(labelled(score, is_genuine, left, right), goal)
    assert 150 < spread.n_false_match < 200
    left[:200], right[:200] = 0, n
    assert choose(labelled(score, is_genuine, left, right), goal).n_false_match == 0


def test_a_precision_that_the_data_cannot_prove_is_refused(scores: Scores) -> None:
    with pytest.raises(DataError, match=r"cannot prove precision >= 0\.999") as e:
        choose(scores, Target(kind="precision", value=0.999))
    assert "more identities with two records or more" in e.value.hint
    rng = np.random.default_rng(0)
    hopeless = labelled(rng.random(4000), rng.random(4000) < 0.5)
    with pytest.raises(DataError) as e:
        choose(hopeless, Target(kind="precision", value=0.9))
    assert "improve the encoder" in e.value.hint


def test_the_review_band_follows_the_costs_and_holds_the_threshold(scores: Scores) -> None:
    goal = Target(kind="cost", prior=0.1, review_cost=0.1)
    at = choose(scores, goal)
    calibrated = fit(scores, 0.1)
    assert at.review_low <= at.threshold <= at.review_high
    assert calibrated.probability(at.review_high, 0.1) >= 0.9 - 1e-9
    assert calibrated.probability(at.review_low, 0.1) <= 0.1 + 1e-9
    within = (scores.score >= at.review_low) & (scores.score < at.review_high)
    assert at.n_review == np.count_nonzero(within) > 0


def test_nobody_is_asked_without_a_review_cost_or_when_it_is_too_dear(scores: Scores) -> None:
    for goal in (Target(kind="cost"), Target(kind="cost", review_cost=0.5)):
        at = choose(scores, goal)
        assert at.review_low == at.threshold == at.review_high
        assert at.n_review == 0


def test_a_larger_gallery_needs_a_smaller_fmr() -> None:
    assert fmr_for_fpir(0.63, 10**6) == pytest.approx(1e-6, rel=0.01)
    assert fmr_for_fpir(0.01, 1) == pytest.approx(0.01)


def test_a_proven_fnmr_is_the_mirror_image_of_a_proven_fmr(scores: Scores) -> None:
    """Turned upside down, missed genuine pairs are what false matches are."""
    at = choose(scores, Target(kind="fnmr", value=0.1))
    assert 0 < at.fnmr.value < 0.1
    assert at.n_false_non_match == np.count_nonzero(scores.score[scores.genuine] < at.threshold)
    same = choose(scores, Target(kind="recall", value=0.9))
    assert (same.threshold, same.certified) == (at.threshold, True)
    strict = choose(scores, Target(kind="fnmr", value=0.1, confidence=0.999))
    assert strict.threshold < at.threshold


def test_a_recall_that_the_data_cannot_prove_is_refused(scores: Scores) -> None:
    with pytest.raises(TargetRefused, match=r"cannot prove FNMR <= 0\.001") as e:
        choose(scores, Target(kind="recall", value=0.999))
    refusal = e.value.refusal
    assert (refusal.n_identities, refusal.n_comparisons) == (250, 250)
    assert refusal.missing_identities == pytest.approx(trials_needed(1e-3, 0.95) - 250, abs=1)
    assert refusal.reach == pytest.approx(1 - 0.05 ** (1 / 250))
    assert "more identities with two records or more" in e.value.hint


def test_the_numbers_of_a_refusal_add_up(scores: Scores) -> None:
    """What the data lack, and what of it falls to the part that proves."""
    with pytest.raises(TargetRefused) as e:
        choose(scores, Target(kind="fmr", value=1e-4))
    refusal = msgspec.structs.replace(e.value.refusal, share=0.5)
    n = refusal.missing_identities
    hint = refused(refusal).hint or ""
    assert hint.startswith(
        f"about {2 * n:,} more identities are needed in your data, of which dev gets 50 %, {n:,} ("
    )
    assert "1 in" not in hint and "too rare to be among these" in hint


def test_a_refusal_is_a_struct_and_its_estimate_says_that_it_is_one(scores: Scores) -> None:
    with pytest.raises(TargetRefused) as e:
        choose(scores, Target(kind="fmr", value=1e-6))
    refusal = e.value.refusal
    assert refusal.reach == smallest_fmr(scores)
    assert refusal.missing_identities > 100
    assert refusal.estimate is not None
    assert refusal.estimate.low <= refusal.estimate.threshold <= refusal.estimate.high
    assert "not a certificate" in refusal.estimate.method
    assert "estimated, not proven" in e.value.hint
    assert msgspec.json.decode(msgspec.json.encode(refusal), type=Refusal) == refusal


def test_an_fpir_that_the_data_cannot_prove_names_the_largest_gallery(scores: Scores) -> None:
    with pytest.raises(TargetRefused, match="gallery of 1,000,000") as e:
        choose(scores, Target(kind="fpir", value=0.01, gallery_size=10**6))
    reach = int(e.value.refusal.reach)
    assert choose(scores, Target(kind="fpir", value=0.01, gallery_size=reach)).certified
    with pytest.raises(TargetRefused):
        choose(scores, Target(kind="fpir", value=0.01, gallery_size=reach * 2))
    with pytest.raises(ConfigError, match="size of the gallery"):
        choose(scores, Target(kind="fpir", value=0.01))


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"kind": "fmr"}, "needs a value"),
        ({"kind": "precision", "value": 1.0}, "needs a value"),
        ({"kind": "f1", "value": 0.5}, "takes no value"),
        ({"kind": "recall"}, "needs a value"),
        ({"kind": "fmr", "value": 0.1, "gallery_size": 10}, "gallery of 10"),
        ({"kind": "fpir", "value": 0.1, "gallery_size": 0}, "gallery of 0"),
        ({"confidence": 0.4}, "confidence"),
        ({"prior": 0.0}, "prior"),
        ({"false_match_cost": 0}, "false_match_cost"),
        ({"review_cost": float("inf")}, "review_cost"),
    ],
)
def test_a_goal_that_makes_no_sense_is_refused(fields: dict[str, float], cause: str) -> None:
    with pytest.raises(ConfigError, match=cause):
        Target(**fields)  # type: ignore[arg-type]


def test_a_threshold_must_be_a_number(scores: Scores) -> None:
    with pytest.raises(DataError, match="not finite"):
        measure(scores, float("nan"))
