"""How many matches are right in use, whatever rate was promised."""

import msgspec
import pytest
from tests.release.words.conftest import rate

from gemel.calibrate.goals.use import Use
from gemel.calibrate.rates.intervals import Estimate
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.schema import Evidence
from gemel.release.release import Release
from gemel.release.words.expected import expected, right_matches
from gemel.release.words.sentence import in_full, sentence

replace = msgspec.structs.replace


def test_the_promise_ends_with_how_many_matches_are_right(mostly_false: Evidence) -> None:
    """Three times the records: a third of the share of genuine pairs, so about 3.6 in 100."""
    end = "of 100 matches about 10 are right among the 301 records of eval, about 4 among all 901"
    assert right_matches(mostly_false) == end
    assert in_full(mostly_false).endswith(f"; {end}.")
    assert (
        "of 100 matches about 4 are right among all 901 records;" in sentence(mostly_false).lower()
    )
    here, everywhere = expected(mostly_false)
    assert here.prior == pytest.approx(3 * everywhere.prior)
    false = (1 - everywhere.precision.value) / everywhere.precision.value
    assert false == pytest.approx(3 * 9, rel=0.01), "three times the false matches"


@pytest.mark.parametrize("use", [None, Use(kind="duplicates")])
def test_few_strangers_leave_open_how_many_matches_are_right(
    mostly_false: Evidence, use: Use | None
) -> None:
    """No one of 288 strangers matched: where 1 of 100 is genuine, half of 100 may be wrong."""
    all_right = Estimate(value=1.0, low=0.282, high=1.0, n_effective=50.0, method="")
    at = replace(
        mostly_false.eval,
        precision=all_right,
        n_false_match=0,
        n_impostor=288,
        prior=0.01,
        prior_source="stated",
    )
    said = sentence(replace(mostly_false, eval=at, goals=Goals(use=use)))
    assert "of 100 matches between 28 and 100 are right if 1 of 100 compared are" in said.lower()
    assert "all are right" not in said
    assert ("None of 288 pairs that do not belong together is called a match" in said) == (not use)
    at = replace(at, precision=replace(all_right, value=0.93, low=0.86), n_false_match=1)
    said = sentence(replace(mostly_false, eval=at, goals=Goals(use=use)))
    assert said.startswith("Of 100 matches between 86 and 100 are right")
    at = replace(at, precision=replace(all_right, low=0.95), n_false_match=0)
    assert "Of 100 matches all are" in sentence(
        replace(mostly_false, eval=at, goals=Goals(use=use))
    )


def test_a_stated_prior_is_what_matches_are_expected_at(mostly_false: Evidence) -> None:
    stated = replace(mostly_false, eval=replace(mostly_false.eval, prior_source="stated"))
    assert right_matches(stated) == (
        "of 100 matches about 10 are right if 1 of 1,000 compared are genuine"
    )


def test_a_search_for_nobody_is_told_with_the_size_of_its_gallery(release: Release) -> None:
    at = release.evidence.galleries[-1]
    seen = replace(at, fpir=rate(0.83), gallery_size=1700)
    found = replace(release.evidence, galleries=(seen,), goals=Goals())
    assert right_matches(found).endswith(
        "of 100 searches for something that is not among 1,700 records, about 83 find a match"
    )
