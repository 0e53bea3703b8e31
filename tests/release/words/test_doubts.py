"""Where matches mean little, that is said with what helps."""

import math

import msgspec
import pytest
from tests.release.words.conftest import rate

from gemel.calibrate.goals.target import Kind, Target, in_words
from gemel.calibrate.goals.use import Use
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.schema import Evidence
from gemel.release.words.doubts import USUAL, cost_of_proof, repair, warning

replace = msgspec.structs.replace


def test_few_right_matches_are_warned_about(mostly_false: Evidence) -> None:
    said = warning(mostly_false)
    assert "of 100 matches only about 4 are right among all 901" in said, "as the promise says"
    assert "among all 901, take --precision 0.8, with --for search" in said, "0.95 is refused here"
    assert "--for verify" in said
    good = replace(mostly_false, eval=replace(mostly_false.eval, precision=rate(0.95)))
    assert not warning(good)
    thinned = replace(mostly_false, eval=replace(mostly_false.eval, precision=rate(0.6)))
    assert "are right among all 901" in warning(thinned), "fine on eval, not on the whole file"


def test_beside_a_goal_of_searches_it_is_said_to_be_of_pairs(mostly_false: Evidence) -> None:
    goals = replace(mostly_false.goals, search=Target(kind="fpir", value=0.05))
    assert warning(replace(mostly_false, goals=goals)) == (
        f"of pairs, not of searches: {warning(mostly_false)}"
    )


@pytest.mark.parametrize(
    ("f1", "fmr", "kind", "warns"),
    [
        (0.66, 0.4, "f1", True),
        (0.7, 0.4, "f1", False),
        (0.7, 0.99, "f1", True),
        (0.4, 0.01, "accuracy", False),
        (0.7, 0.99, "accuracy", True),
        (0.6, 0.99, "cost", False),
    ],
)
def test_what_a_yes_to_all_does_as_well_is_warned_about(
    mostly_false: Evidence, f1: float, fmr: float, kind: Kind, warns: bool
) -> None:
    """A yes to all reaches F1 2/3 where half belong together; few matches may be meant so."""
    at = replace(mostly_false.eval, precision=rate(0.9), prior=0.5, prior_source="stated")
    at = replace(at, f1=rate(f1), fmr=replace(rate(fmr), low=fmr - 0.05))
    goals = Goals(verify=Target(kind=kind))
    said = warning(replace(mostly_false, eval=at, goals=goals))
    assert ("tells next to nothing apart" in said) == warns
    assert ("--fmr 0.05" in said) == warns


@pytest.mark.parametrize(("reach", "named"), [(0.876, "--precision 0.7,"), (0.7, "")])
def test_the_goal_that_is_named_is_one_that_is_not_refused(
    mostly_false: Evidence, reach: float, named: str
) -> None:
    goal, points = in_words(USUAL), mostly_false.points
    (usual,) = (p for p in points if p.goal == goal)
    others = tuple(p for p in points if p.goal != goal)
    assert usual.refusal is not None
    refusal = replace(usual.refusal, reach=reach)
    found = replace(mostly_false, points=(*others, replace(usual, refusal=refusal)))
    assert (named or "prove no precision above one half") in warning(found)
    stated = replace(found.eval, prior_source="stated"), Goals(use=Use(kind="search", records=901))
    asked = f"a goal for that is --for search --precision {math.floor(100 * reach) / 100:g}"
    assert asked in warning(replace(found, eval=stated[0], goals=stated[1]))
    helps = repair("matches are right", found, found.eval.threshold)
    assert helps.startswith("to search or to find" if named else "more identities to learn from")
    assert helps.endswith("--for verify")
    proven = replace(usual, dev=mostly_false.dev, refusal=None)
    assert "--precision 0.85" in warning(replace(found, points=(*others, proven)))


def test_what_a_proof_misses_is_told_where_it_is_much(mostly_false: Evidence) -> None:
    dev = replace(mostly_false.dev, n_identities=52, fmr=rate(0.0022), fnmr=rate(0.847))
    curve = replace(
        mostly_false.dev_curve, fmr=(0.0, 0.0022, 0.01, 0.1), fnmr=(1, 0.847, 0.62, 0.2)
    )
    asked = Goals(verify=Target(kind="fmr", value=0.01))
    dear = replace(mostly_false, dev=replace(dev, certified=True), dev_curve=curve, goals=asked)
    assert cost_of_proof(dear) == (
        "52 identities prove FMR <= 0.01 only where 0.0022 was counted: of 100 pairs that belong "
        "together about 85 are missed there, and about 62 where 0.01 is counted; the more "
        "identities, the nearer the two"
    )
    assert not cost_of_proof(replace(dear, dev=replace(dev, certified=True, fnmr=rate(0.7))))
    assert not cost_of_proof(replace(dear, dev=dev)) and not cost_of_proof(mostly_false)
