"""Why a release decides as it does: parts, margin in error rates, precedents."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.serve import small

import gemel
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.data.dataset import Dataset
from gemel.errors import InvalidInput
from gemel.release.explanation import Explanation
from gemel.release.precedents import N_AROUND, Precedents
from gemel.release.release import Release


@pytest.fixture(scope="module")
def genuine(people: Dataset) -> tuple[dict[str, object], dict[str, object]]:
    """Two records of one person."""
    left, right = people.payloads([0, 1])
    return left, right


def test_it_says_what_the_policy_says(
    release: Release, genuine: tuple[dict[str, object], dict[str, object]]
) -> None:
    found = gemel.explain(release, *genuine)
    rows = release.encoder.encode(list(genuine))
    score = float(release.comparator.score(rows[:1], rows[1:])[0])
    decision = release.policy.decide(found.score)
    assert found.score == pytest.approx(score, abs=1e-6)
    assert (found.outcome, found.threshold, found.probability) == (
        decision.outcome,
        decision.threshold,
        decision.probability,
    )
    assert (found.stage, found.release, found.space) == ("verify", release.id, release.space_id)
    assert {part.name for part in found.parts} == {"first", "last", "born"}
    for part in found.parts:
        assert part.outcome == release.policy.decide(found.score - part.lost).outcome


def test_it_is_json_and_comes_back(
    release: Release, genuine: tuple[dict[str, object], dict[str, object]]
) -> None:
    found = gemel.explain(release, *genuine)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Explanation) == found


def test_without_parts_the_decision_is_the_same(
    release: Release, genuine: tuple[dict[str, object], dict[str, object]]
) -> None:
    whole, found = (gemel.explain(release, *genuine, parts=p) for p in (True, False))
    assert found.parts == () and found.lost_in_sum == 0
    assert msgspec.structs.replace(
        whole, parts=(), lost_in_sum=0.0, score=0.0, nothing=0.0
    ) == msgspec.structs.replace(found, score=0.0, nothing=0.0)
    assert found.score == pytest.approx(whole.score, abs=1e-6)


def test_the_margin_is_what_eval_measured(release: Release, people: Dataset) -> None:
    rows = people.payloads(range(len(people)))
    evidence = release.evidence
    for i, j in ((0, 1), (0, 2), (4, 9), (6, 7)):
        found = gemel.explain(release, rows[i], rows[j], parts=False)
        margin = found.margin
        assert margin is not None
        assert margin.fmr_at_threshold == evidence.eval.fmr.value
        assert margin.fnmr_at_threshold == pytest.approx(evidence.eval.fnmr.value)
        assert (margin.n_genuine, margin.n_impostor) == (
            evidence.eval.n_genuine,
            evidence.eval.n_impostor,
        )
        if found.outcome == "match":
            assert margin.fmr_at_score <= margin.fmr_at_threshold
            assert margin.fnmr_at_score >= margin.fnmr_at_threshold
        else:
            assert margin.fmr_at_score >= margin.fmr_at_threshold
            assert "instead of" in margin.text


def test_precedents_are_all_comparisons_of_the_gold_set(release: Release) -> None:
    gold, known = release.gold, release.precedents
    assert known is not None
    scores = all_pairs(gold.embeddings, gold.identities, release.comparator)
    assert len(known.score) == len(scores)
    np.testing.assert_allclose(known.score, np.sort(scores.score), atol=1e-5)
    assert known.genuine.sum() == scores.genuine.sum()
    assert ((gold.identities[known.left] == gold.identities[known.right]) == known.genuine).all()
    again = release.comparator.score(gold.embeddings[known.left], gold.embeddings[known.right])
    np.testing.assert_allclose(again, known.score, atol=1e-5)


@pytest.mark.parametrize("score", [-2.0, 0.0, 0.7, 0.95, 2.0])
def test_the_nearest_precedents_are_the_nearest(release: Release, score: float) -> None:
    known = release.precedents
    assert known is not None
    found = known.nearest(score)
    for same in (True, False):
        expected = np.sort(np.abs(known.score[known.genuine == same] - score))[:3]
        got = [abs(p.score - score) for p in found if p.genuine == same]
        np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("score", [-2.0, 0.0, 0.7, 0.95, 2.0])
def test_only_comparisons_with_scores_like_it_stand_around_a_score(
    release: Release, score: float
) -> None:
    known = release.precedents
    assert known is not None
    genuine, impostor = known.score[known.genuine], known.score[~known.genuine]
    reach = 0.05 * (np.quantile(genuine, 0.95) - np.quantile(impostor, 0.05))
    distance = np.sort(np.abs(known.score - score))
    near = min(np.count_nonzero(distance <= reach), N_AROUND)
    around = known.around(score)
    assert (around is None) == (near < 10)
    assert (around is None) == (abs(score) > 1)
    if around is not None:
        assert around.n == near
        assert around.within == pytest.approx(distance[near - 1], abs=1e-6)
        inside = np.abs(known.score - score) <= around.within + 1e-6
        assert around.n_genuine <= np.count_nonzero(known.genuine[inside])


def test_a_gold_set_of_one_identity_or_none_is_no_error(release: Release) -> None:
    gold = release.gold
    for idx in (np.flatnonzero(gold.identities == gold.identities[0]), np.zeros(0, np.int64)):
        some = type(gold)(gold.embeddings[idx], gold.identities[idx], gold.ids[idx])
        known = Precedents.of(some, release.comparator)
        assert not (~known.genuine).any()
        assert known.around(0.5) is None


def test_a_release_without_evidence_and_gold_explains_the_parts(tmp_path: Path) -> None:
    release = small.image_release(tmp_path / "release")
    found = gemel.explain(release, small.picture(0), small.picture(1))
    assert found.margin is None and found.around is None and found.nearest == ()
    assert len(found.parts) == 32


def test_what_cannot_be_encoded_is_named_with_its_side(release: Release) -> None:
    good = {"first": "anna", "last": "berg", "born": 1950}
    for bad, where in (({"frist": "x"}, "frist"), ({"born": "x"}, "born")):
        with pytest.raises(InvalidInput) as e:
            gemel.explain(release, good, bad)
        assert e.value.where == f"right.{where}"
    with pytest.raises(InvalidInput) as e:
        gemel.explain(release, {}, good)
    assert e.value.where == "left"
