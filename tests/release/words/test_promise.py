"""Whether eval keeps a promise is answered once: report and gates never disagree."""

from pathlib import Path

import msgspec
import pytest

from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.by_category import Breakdown, Worst
from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.calibrate.rates.searches import SearchPoint
from gemel.release import gates
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.schema import Evidence, RuleCost
from gemel.release.release import Release
from gemel.release.words.card import card
from gemel.release.words.expected import at_prior
from gemel.release.words.promise import kept_promise
from gemel.release.words.sentence import in_full

HOLDS, replace = "target holds on eval", msgspec.structs.replace


def rate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, n_effective=1000.0, method="")


def measured(point: OperatingPoint, **rates: Estimate | float) -> OperatingPoint:
    return replace(point, **rates)


def kept(release: Release, into: Path, evidence: Evidence) -> bool:
    """What report and gates say of a release with this evidence, which has to be the same."""
    child = release.child(evidence=evidence, into=into)
    said = "contradicts" not in card(child).headline.headline
    passed = all(g.passed for g in gates.run(child).gates if g.name in (HOLDS, "rules"))
    assert said == passed == kept_promise(evidence).kept
    return said


FINE = {"fmr": rate(0.01, 0.008, 0.012), "fnmr": rate(0.2, 0.15, 0.25)}
F1 = rate(0.8, 0.75, 0.85)
FMR_UP = {"fmr": rate(0.02, 0.018, 0.022), "fnmr": rate(0.2, 0.15, 0.25)}
FNMR_UP = {"fmr": rate(0.01, 0.008, 0.012), "fnmr": rate(0.3, 0.27, 0.33)}


@pytest.mark.parametrize(
    ("kind", "rates", "f1", "holds"),
    [
        ("f1", FMR_UP, rate(0.79, 0.74, 0.84), True),  # nothing was said about the FMR
        ("f1", FINE, rate(0.6, 0.5, 0.7), False),
        ("f1", FINE, rate(0.145, 0.01, 0.77), False),  # too few to be sure, and less than half
        ("eer", FMR_UP, F1, False),
        ("cost", FNMR_UP, F1, False),
        ("eer", FINE, rate(0.6, 0.5, 0.7), True),
    ],
)
def test_a_goal_without_a_rate_is_held_to_what_its_choice_looked_at(
    release: Release,
    tmp_path: Path,
    kind: str,
    rates: dict[str, Estimate],
    f1: Estimate,
    holds: bool,
) -> None:
    evidence = release.evidence
    evidence = replace(
        evidence,
        goals=Goals(verify=Target(kind=kind, prior=0.1)),  # type: ignore[arg-type]
        dev=measured(evidence.dev, prior=0.1, f1=F1, **FINE),
        eval=measured(evidence.eval, prior=0.1, f1=f1, **rates),
    )
    assert kept(release, tmp_path / "child", evidence) is holds


def test_fewer_genuine_comparisons_on_eval_break_no_promise(
    release: Release, tmp_path: Path
) -> None:
    """The same error rates at a lower prior: F1 and precision fall, nothing is worse."""
    evidence = release.evidence
    rates = {"fmr": rate(0.01, 0.009, 0.011), "fnmr": rate(0.2, 0.19, 0.21)}
    f1, low_f1 = rate(0.842, 0.83, 0.85), rate(0.727, 0.71, 0.74)
    precision, low_precision = rate(0.889, 0.87, 0.9), rate(0.667, 0.62, 0.7)
    dev = measured(evidence.dev, prior=0.0909, f1=f1, precision=precision, **rates)
    there = measured(evidence.eval, prior=0.0244, f1=low_f1, precision=low_precision, **rates)
    best = replace(evidence, goals=Goals(), dev=dev, eval=there)
    assert kept(release, tmp_path / "f1", best)
    goals = Goals(verify=Target(kind="precision", value=0.88))
    assert kept(release, tmp_path / "precision", replace(best, goals=goals))
    stricter = Goals(verify=Target(kind="precision", value=0.95))
    assert not kept(release, tmp_path / "stricter", replace(best, goals=stricter))
    assert at_prior(there, "f1", 0.0909).value == pytest.approx(0.842, abs=1e-3)
    assert at_prior(there, "precision", 0.0909).value == pytest.approx(0.889, abs=1e-3)
    same = replace(best, goals=goals, eval=measured(there, prior=0.0909))
    assert not kept(release, tmp_path / "same", same), "at its own prior it is worse"


def test_one_category_far_above_the_limit_breaks_the_promise(
    release: Release, tmp_path: Path
) -> None:
    goals = Goals(verify=Target(kind="fmr", value=0.02), categories="worst")
    for low, holds in ((0.01, True), (0.03, False)):
        worst = Worst(category="b", value=0.04, low=low, high=1.0, n_judged=2)
        found = Breakdown(
            column="country", confidence=0.95, rows=(), between=None, worst_fmr=worst,
            worst_fnmr=None, matrix=(),
        )  # fmt: skip
        evidence = replace(
            release.evidence,
            goals=goals,
            categories=found,
            eval=measured(release.evidence.eval, **FINE),
        )
        assert kept(release, tmp_path / str(low), evidence) is holds
        said = card(release.child(evidence=evidence, into=tmp_path / f"card {low}")).headline
        assert "within every country" in said.sentences[2]
        assert ("FMR of category b" in said.sentences[2]) != holds


def test_an_fpir_is_held_to_at_every_size_of_the_gallery(release: Release, tmp_path: Path) -> None:
    goals = Goals(search=Target(kind="fpir", value=0.05))
    for low, holds in ((0.01, True), (0.06, False)):
        found = tuple(
            SearchPoint(
                gallery_size=size, threshold=0.9, fpir=fpir, fnir=rate(0.1, 0.0, 0.2), n_probes=90,
                n_mated=90, recall_at_k={},
            )
            for size, fpir in ((10, rate(0.1, low, 0.2)), (20, rate(0.04, 0.0, 0.2)))
        )  # fmt: skip
        evidence = replace(release.evidence, goals=goals, searches=found)
        assert kept(release, tmp_path / str(low), evidence) is holds
        assert holds or "gallery of 10, promised at most 0.05" in kept_promise(evidence).broken


def test_what_rules_take_counts_as_missed(release: Release, tmp_path: Path) -> None:
    evidence = replace(
        release.evidence,
        goals=Goals(verify=Target(kind="recall", value=0.75)),
        eval=measured(release.evidence.eval, recall=rate(0.8, 0.75, 0.85), **FINE),
    )
    assert kept(release, tmp_path / "without", evidence)
    cost = RuleCost(rule="left.born != right.born", n_checked=90, lost=rate(0.2, 0.15, 0.25))
    assert not kept_promise(replace(evidence, rules=(cost,))).kept


def test_a_proven_precision_is_of_the_prior_it_was_proven_at(release: Release) -> None:
    evidence = replace(
        release.evidence,
        goals=Goals(verify=Target(kind="precision", value=0.9)),
        dev=measured(release.evidence.dev, prior=0.1),
        eval=measured(release.evidence.eval, prior=0.02),
    )
    assert "if 1 of 10 compared are genuine" in in_full(evidence)
