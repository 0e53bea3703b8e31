"""One rule for one score and for many, and no second place that knows it."""

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gemel
from gemel.decide.bands import OUTCOMES, Band, SizedBand, in_review, matches
from gemel.decide.categories import Categories, Line
from gemel.decide.outcomes import Pair
from gemel.decide.policy import Policy
from gemel.decide.venn_abers import VennAbers
from gemel.errors import InvalidInput

SOURCE = Path(gemel.__file__).parent
LIMITS = ("threshold", "review_low", "review_high")
NO_DECISION = {
    ("decide/bands.py", "self.review_low <= self.threshold <= self.review_high"),
    ("decide/policy.py", "threshold <= stricter"),
    # The threshold is the number that is looked for: on a curve, or within its own interval.
    ("calibrate/answers/proposal.py", "low <= present.threshold <= high"),
    ("release/explanation.py", "threshold <= at"),
    ("release/explanation.py", "threshold >= at"),
    ("watch/slider.py", "t >= point.threshold"),
    ("watch/slider.py", "p.threshold <= t"),
    ("watch/slider.py", "p.threshold >= t"),
    # How far from the threshold, not on which side.
    ("release/evidence/mistakes.py", "np.abs(score[at] - threshold) < -heap[0][0]"),
}
"""Comparisons with a threshold in them that decide about no score."""


def _is_limit(side: ast.expr) -> bool:
    names = [getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(side)]
    return any(limit in name for name in names for limit in LIMITS)


def test_a_score_meets_a_threshold_in_one_place() -> None:
    found = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            orders = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
            if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], orders):
                continue
            sides = [_is_limit(side) for side in (node.left, *node.comparators)]
            if any(sides) and not (all(sides) and "review" in ast.unparse(node)):
                found.append((path.relative_to(SOURCE).as_posix(), ast.unparse(node)))
    one = [place for place in found if place not in NO_DECISION]
    assert one == [("decide/bands.py", "score >= np.float64(threshold)")]
    assert set(found) >= {p for p in NO_DECISION if "review" not in p[1]}, "an exception is left"


def test_a_band_that_is_moved_stays_as_wide() -> None:
    moved = Band(threshold=0.5, review_low=0.3, review_high=0.6).moved(0.9)
    limits = (moved.review_low, moved.threshold, moved.review_high)
    assert limits == pytest.approx((0.7, 0.9, 1.0))


def test_a_threshold_is_not_rounded_to_the_precision_of_the_scores() -> None:
    score = np.array([0.7], np.float32)
    assert matches(score, float(score[0])).all()
    assert not matches(score, float(score[0]) + 1e-12).any()
    assert in_review(score, 0.5, 0.5).sum() == 0


BAND = Band(threshold=0.5, review_low=0.3, review_high=0.6)
LARGER = Band(threshold=0.55, review_low=0.5, review_high=0.6)
POLICIES = [
    Policy(verify=BAND, search=LARGER, prior=0.1),
    Policy(
        verify=BAND,
        search=LARGER,
        prior=0.1,
        sizes=(
            SizedBand(gallery_size=10, band=BAND, fmr=1e-3),
            SizedBand(gallery_size=100, band=LARGER, fmr=1e-4),
        ),
        categories=Categories(
            column="country", lines={"a": Line(0.0, 1.0), "b": Line(0.1, 0.5), "c": Line(-0.3, 2.0)}
        ),
        venn_abers=VennAbers((0.2, 0.9), (0.0, 0.05, 0.9), (0.01, 0.6, 1.0), 0.1),
        review_width=0.3,
    ),
]
names = st.sampled_from([None, "a", "b", "c", "none such"])
scores = st.one_of(
    st.floats(-2, 2, width=32), st.sampled_from([0.3, 0.5, 0.6, 0.55, 0.2, 0.9, 0.35, 0.4])
)


@pytest.mark.parametrize("policy", POLICIES)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    pairs=st.lists(st.tuples(scores, st.tuples(names, names)), max_size=12),
)
def test_many_scores_are_decided_as_one_by_one(
    policy: Policy, pairs: list[tuple[float, Pair]]
) -> None:
    score = np.array([s for s, _ in pairs])
    categories = [c for _, c in pairs]
    assert [OUTCOMES[c] for c in policy.outcomes(score, categories)] == [
        policy.decide(s, c).outcome for s, c in pairs
    ]
    assert policy.levels(score, categories).tolist() == [policy.level(s, c) for s, c in pairs]
    assert policy.outcomes(score).tolist() == policy.outcomes(score, [None] * len(score)).tolist()


def test_float32_scores_are_decided_as_they_are() -> None:
    score = np.array([0.3, 0.5, 0.55, 0.6], np.float32)
    for policy in POLICIES:
        assert [OUTCOMES[c] for c in policy.outcomes(score)] == [
            policy.decide(s).outcome for s in score.tolist()
        ]


def test_many_scores_with_one_that_is_no_number_are_refused() -> None:
    for policy in POLICIES:
        with pytest.raises(InvalidInput):
            policy.outcomes(np.array([0.1, np.nan]))
