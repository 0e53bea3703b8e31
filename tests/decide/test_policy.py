"""A policy decides at its threshold, survives JSON, and refuses nonsense."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.policy import policy_of
from gemel.calibrate.goals.target import Target
from gemel.calibrate.probability.fit import fit
from gemel.calibrate.scores.scores import Scores
from gemel.decide.bands import Band, SizedBand
from gemel.decide.categories import Categories, Line, pair_of
from gemel.decide.policy import FILE, Policy
from gemel.decide.ratio import Logistic
from gemel.decide.rules import parse
from gemel.decide.venn_abers import VennAbers
from gemel.errors import ConfigError, InvalidInput, ReleaseError


@pytest.fixture
def policy() -> Policy:
    return Policy(
        verify=Band(threshold=0.5, review_low=0.4, review_high=0.6),
        search=Band(threshold=0.7, review_low=0.7, review_high=0.7),
        prior=0.1,
        likelihood=Logistic(10.0, -5.0),
    )


def test_the_band_is_closed_below_and_open_above(policy: Policy) -> None:
    scores = [0.39, 0.4, 0.5, 0.59, 0.6]
    outcomes = [policy.decide(score).outcome for score in scores]
    assert outcomes == ["no_match", "review", "review", "review", "match"]


def test_a_search_has_its_own_threshold(policy: Policy) -> None:
    assert [policy.identify(s).outcome for s in (0.69, 0.7)] == ["no_match", "match"]
    assert policy.identify(0.7).threshold == 0.7


def test_the_probability_is_that_of_the_prior(policy: Policy) -> None:
    assert policy.decide(0.5).probability == pytest.approx(0.1)


def test_a_float32_score_just_below_the_threshold_does_not_match() -> None:
    below = np.float32(0.7)
    limit = float(below) + 1e-12  # rounds to the score in float32
    at = Band(threshold=limit, review_low=limit, review_high=limit)
    assert Policy(verify=at, search=at, prior=0.5).decide(below).outcome == "no_match"


def test_not_a_number_is_refused(policy: Policy) -> None:
    with pytest.raises(InvalidInput):
        policy.decide(float("nan"))


def test_what_was_chosen_is_what_is_decided(toy: Scores, tmp_path: Path) -> None:
    at = choose(toy, Target(kind="f1"))
    policy = policy_of(at, likelihood=fit(toy))
    policy.save(tmp_path)
    loaded = Policy.load(tmp_path)
    assert loaded == policy
    match = np.array([loaded.decide(score).outcome == "match" for score in toy.score])
    assert np.count_nonzero(match & ~toy.genuine) == at.n_false_match
    assert np.count_nonzero(~match & toy.genuine) == at.n_false_non_match


def test_a_wide_interval_is_for_review_and_never_makes_a_match(policy: Policy) -> None:
    steps = VennAbers((0.2, 0.9), (0.0, 0.05, 0.9), (0.01, 0.6, 1.0), 0.1)
    watched = msgspec.structs.replace(policy, venn_abers=steps, review_width=0.3)
    assert Policy.from_json(watched.to_json()) == watched
    seen = [watched.decide(s) for s in (0.1, 0.3, 0.7, 0.95)]
    assert [d.outcome for d in seen] == ["no_match", "review", "review", "match"]
    assert seen[1].interval == pytest.approx((0.05, 0.6))
    only_shown = msgspec.structs.replace(watched, review_width=1.0)
    assert [only_shown.decide(s).outcome for s in (0.3, 0.7)] == ["no_match", "match"]
    assert policy.decide(0.3).interval is None


def test_a_policy_from_before_likelihoods_had_shapes_still_opens(policy: Policy) -> None:
    new = policy.to_json()
    likelihood = b'"likelihood": {"slope": 10.0, "intercept": -5.0}'
    old = new[: new.index(b'"likelihood"')] + likelihood + b"}"
    assert Policy.from_json(old) == policy


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"null", b'{"verify": 1}', b'{"verify": {"threshold": null}}']
)
def test_a_broken_file_is_named(text: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(text)
    with pytest.raises(ReleaseError, match="no readable policy") as e:
        Policy.load(tmp_path)
    assert e.value.where == str(tmp_path / FILE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=FILE):
        Policy.load(tmp_path)


def test_an_unknown_key_is_refused(policy: Policy) -> None:
    text = policy.to_json().replace(b'"prior"', b'"priro": 1, "prior"')
    with pytest.raises(ReleaseError, match="priro"):
        Policy.from_json(text)


@pytest.mark.parametrize(
    ("low", "threshold", "high"),
    [(0.5, 0.4, 0.6), (0.1, 0.4, 0.3), (float("-inf"), 0.0, 0.0), (0.0, float("nan"), 0.0)],
)
def test_thresholds_out_of_order_are_refused(low: float, threshold: float, high: float) -> None:
    with pytest.raises(ConfigError):
        Band(threshold=threshold, review_low=low, review_high=high)


@pytest.mark.parametrize(
    ("prior", "slope"), [(0.0, 1.0), (5e-324, 1.0), (1.0, 1.0), (0.5, -1.0), (0.5, 0.0)]
)
def test_a_prior_or_slope_that_makes_no_sense_is_refused(prior: float, slope: float) -> None:
    at = Band(threshold=0.5, review_low=0.5, review_high=0.5)
    with pytest.raises(ConfigError):
        Policy(verify=at, search=at, prior=prior, likelihood=Logistic(slope, 0.0))


def test_a_policy_by_category_survives_json_and_one_without_asks_for_none(policy: Policy) -> None:
    assert policy.decide(0.5, "a") == policy.decide(0.5) and policy.decide(0.5).category is None
    lines = {"a": Line(0.0, 1.0), "b": Line(0.1, 2.0)}
    by = replace(policy, categories=Categories(column="country", lines=lines))
    loaded = Policy.from_json(by.to_json())
    assert loaded == by
    decided = loaded.decide(1.1, "b")
    assert (decided.threshold, decided.category) == (pytest.approx(1.1), ("b", "b"))
    assert decided.probability == pytest.approx(policy.decide(0.5).probability)
    assert loaded.identify(1.1, category=("a", "b")).outcome == "no_match"
    assert loaded.identify(1.1, category="a").outcome == "match"


def test_the_review_band_moves_with_the_category(policy: Policy) -> None:
    lines = {"a": Line(0.0, 1.0), "b": Line(0.1, 2.0)}
    by = replace(policy, categories=Categories(column="country", lines=lines))
    for score, pair in ((0.45, "a"), (1.2, "b"), (1.2, ("a", "b")), (1.2, None)):
        assert by.decide(score, pair).outcome == "review"
    assert by.decide(0.65, "a").outcome == "match"
    assert by.decide(0.65, "b").outcome == "no_match"


def sized(*steps: tuple[int, float]) -> Policy:
    at = Band(threshold=0.5, review_low=0.5, review_high=0.5)
    sizes = tuple(
        SizedBand(gallery_size=n, band=Band(threshold=t, review_low=t, review_high=t), fmr=0.1)
        for n, t in steps
    )
    return Policy(verify=at, search=at, prior=0.1, sizes=sizes)


def test_the_threshold_of_a_search_is_that_of_the_next_larger_size() -> None:
    policy = sized((10, 0.6), (100, 0.7), (1000, 0.8))
    thresholds = [policy.identify(0.0, n).threshold for n in (0, 1, 10, 11, 100, 1000, None)]
    assert thresholds == [0.6, 0.6, 0.6, 0.7, 0.7, 0.8, 0.8]
    assert [policy.identify(0.75, n).outcome for n in (100, 101)] == ["match", "no_match"]
    assert policy.decide(0.55).outcome == "match"
    assert Policy.from_json(policy.to_json()) == policy


def test_above_the_largest_size_what_would_match_is_for_review() -> None:
    policy = sized((10, 0.6), (100, 0.7))
    assert policy.largest_gallery == 100
    assert [policy.identify(s, 101).outcome for s in (0.69, 0.7)] == ["no_match", "review"]
    assert sized().largest_gallery is None


@pytest.mark.parametrize("steps", [((10, 0.6), (10, 0.7)), ((10, 0.6), (20, 0.5)), ((0, 0.5),)])
def test_sizes_that_make_no_sense_are_refused(steps: tuple[tuple[int, float], ...]) -> None:
    with pytest.raises(ConfigError):
        sized(*steps)


def test_a_rule_is_named_where_it_took_a_match_away_and_nowhere_else(policy: Policy) -> None:
    ruled = replace(policy, rules=(parse("a differs: review"), parse("b differs: no_match")))
    left = {"a": 1, "b": 1}
    for right, said in (
        (left, ("match", None)),
        ({"a": 2, "b": 1}, ("review", "a differs: review")),
        ({"a": 2, "b": 2}, ("no_match", "b differs: no_match")),
    ):
        decision = ruled.ruled(ruled.decide(0.9), left, right)
        assert (decision.outcome, decision.rule) == said
    below = ruled.decide(0.1)
    assert ruled.ruled(below, left, {"a": 2, "b": 2}) == below, "there is nothing to take away"


def test_a_policy_expires_after_its_last_day(toy: Scores) -> None:
    policy = policy_of(choose(toy, Target()), expires="2027-01-31")
    assert [policy.has_expired(date(2027, *d)) for d in ((1, 31), (2, 1))] == [False, True]
    assert not policy_of(choose(toy, Target())).has_expired(date(2999, 1, 1))
    with pytest.raises(ConfigError, match="no date"):
        policy_of(choose(toy, Target()), expires="soon")


@pytest.mark.parametrize("category", [5, ("a", "b", "c")])
def test_what_is_no_category_is_refused_in_words(category: Any) -> None:
    with pytest.raises(InvalidInput, match="neither a category nor one of each side"):
        pair_of(category)
