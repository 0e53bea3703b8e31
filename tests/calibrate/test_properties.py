"""What holds for any comparisons at all."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.curve_measures import auroc, eer, eer_hull
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.calibrate.scores.sweep import sweep


@st.composite
def comparisons(draw: st.DrawFn) -> Scores:
    """Both classes, few identities, many ties, neighbouring float32 values."""
    grid = [np.float32(x) for x in (-1, 0, 0.5, 0.7, 1)]
    grid += [np.nextafter(x, np.float32(2), dtype=np.float32) for x in grid]
    names = st.integers(0, 5)
    pairs = draw(st.lists(st.tuples(names, names), min_size=2, max_size=40))
    pairs += [(0, 0), (0, 1)]
    score = draw(st.lists(st.sampled_from(grid), min_size=len(pairs), max_size=len(pairs)))
    left, right = np.array(pairs).T
    return labelled(np.array(score), left == right, left, right)


@given(comparisons())
@settings(max_examples=60, deadline=None)
def test_fmr_falls_and_fnmr_rises_with_the_threshold(scores: Scores) -> None:
    curve = sweep(scores)
    assert (np.diff(curve.threshold) < 0).all()
    assert (np.diff(curve.n_false_match) >= 0).all()
    assert (np.diff(curve.n_true_match) >= 0).all()
    for threshold, false, true in zip(
        curve.threshold[1:], curve.n_false_match[1:], curve.n_true_match[1:], strict=True
    ):
        match = scores.score >= threshold
        assert false == np.count_nonzero(match & ~scores.genuine)
        assert true == np.count_nonzero(match & scores.genuine)


@given(comparisons(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_comparisons_and_of_their_sides_does_not_matter(scores: Scores, rnd) -> None:  # type: ignore[no-untyped-def]
    order = np.array(rnd.sample(range(len(scores)), len(scores)))
    other = Scores(
        scores.score[order], scores.genuine[order], scores.right[order], scores.left[order]
    )
    assert measure(other, 0.5) == measure(scores, 0.5)
    assert eer(sweep(other)) == eer(sweep(scores))
    for kind in ("eer", "f1", "accuracy", "cost"):
        goal = Target(kind=kind)
        assert choose(other, goal) == choose(scores, goal)


@given(comparisons())
@settings(max_examples=60, deadline=None)
def test_rates_and_intervals_are_proportions_in_order(scores: Scores) -> None:
    at = choose(scores, Target(kind="f1"))
    for e in (at.fmr, at.fnmr, at.precision, at.recall, at.f1, at.accuracy):
        assert 0 <= e.low <= e.value <= e.high <= 1
    curve = sweep(scores)
    assert 0 <= eer_hull(curve) <= eer(curve) + 1e-12 <= 1 + 1e-12
    assert 0 <= auroc(curve) <= 1
