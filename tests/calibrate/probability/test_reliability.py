"""Curves over priors are what direct computation gives, and show a wrong calibration."""

import json

import msgspec
import numpy as np
import pytest

from gemel.calibrate.probability.fit import cllr, cross_entropy
from gemel.calibrate.probability.reliability import Reliability, reliability
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.decide.bands import Band
from gemel.decide.policy import Policy
from gemel.decide.ratio import Logistic
from gemel.decide.venn_abers import VennAbers

AT = Band(threshold=0.0, review_low=0.0, review_high=0.0)
TRUE = Logistic(2.0, 0.0)
"""Of genuine N(1, 1) and impostor N(-1, 1)."""


@pytest.fixture(scope="module", params=[20_000, 200_000], ids=["exact", "binned"])
def scores(request: pytest.FixtureRequest) -> Scores:
    rng = np.random.default_rng(0)
    n = request.param
    genuine = rng.random(n) < 0.3
    return labelled(rng.normal(size=n) - 1 + 2 * genuine, genuine)


def of(scores: Scores, likelihood: Logistic, prior: float = 0.1) -> Reliability:
    found = reliability(scores, Policy(verify=AT, search=AT, prior=prior, likelihood=likelihood))
    assert found is not None
    return found


def test_curves_equal_direct_computation(scores: Scores) -> None:
    found = of(scores, TRUE)
    assert found.cllr == pytest.approx(cllr(scores, TRUE), rel=1e-5)
    for odds, cost in list(zip(found.prior_odds, found.cross_entropy, strict=True))[::9]:
        prior = 1 / (1 + 10**-odds)
        assert cost == pytest.approx(cross_entropy(scores, TRUE, prior), rel=1e-4)
    llr = TRUE.llrs(scores.score)
    for i in (10, 50, 90):
        assert found.genuine_above[i] == pytest.approx(
            (llr[scores.genuine] >= found.llr[i]).mean(), abs=1e-3
        )
        assert found.impostor_above[i] == pytest.approx(
            (llr[~scores.genuine] >= found.llr[i]).mean(), abs=1e-3
        )


def test_right_probabilities_lie_on_the_diagonal_and_cost_little_more_than_the_least(
    scores: Scores,
) -> None:
    found = of(scores, TRUE)
    n = 0
    for b in found.bins:
        n += b.n_genuine + b.n_impostor
        if min(b.n_genuine, b.n_impostor) > 100:
            assert b.probability == pytest.approx(b.share, abs=0.05)
    assert n == len(scores)
    for cost, least in zip(found.cross_entropy, found.least_cross_entropy, strict=True):
        assert least <= cost + 1e-9 <= 1.01
    assert found.cllr - found.least_cllr < 0.01
    assert [c.least.stakes.prior for c in found.costs] == [0.1, 0.05, 0.01, 0.001]
    assert all(c.actual.normalised >= c.least.normalised for c in found.costs)


def test_overconfident_probabilities_are_shown_to_mislead(scores: Scores) -> None:
    found, right = of(scores, Logistic(8.0, 0.0)), of(scores, TRUE)
    assert found.least_cllr == pytest.approx(right.least_cllr)
    assert found.cllr > 2 * right.cllr
    assert max(found.cross_entropy) > 1.2
    steep = [b for b in found.bins if 0.7 < b.probability < 0.999]
    assert steep
    assert all(b.share < b.probability for b in steep)


def test_it_is_small_plain_json(scores: Scores) -> None:
    text = msgspec.json.encode(of(scores, TRUE))
    assert len(text) < 20_000
    assert msgspec.json.decode(text, type=Reliability) == of(scores, TRUE)
    assert "NaN" not in text.decode()
    assert None not in json.loads(text)["llr"]


def test_wide_intervals_are_counted_as_the_policy_would_review_them(scores: Scores) -> None:
    steps = VennAbers((0.0, 1.0), (0.0, 0.2, 0.9), (0.1, 0.9, 1.0), 0.3)
    policy = Policy(
        verify=AT, search=AT, prior=0.3, likelihood=TRUE, venn_abers=steps, review_width=0.5
    )
    found = reliability(scores, policy)
    assert found is not None
    wanted = sum(policy.decide(s).outcome == "review" for s in scores.score[:20_000].tolist())
    part = reliability(labelled(scores.score[:20_000], scores.genuine[:20_000]), policy)
    assert part is not None
    assert part.n_wide == wanted > 0


def test_without_a_likelihood_there_is_nothing_to_judge(scores: Scores) -> None:
    assert reliability(scores, Policy(verify=AT, search=AT, prior=0.3)) is None
