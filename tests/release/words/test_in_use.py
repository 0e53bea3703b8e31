"""The use that is named decides which errors a release speaks of."""

import re

import msgspec
import pytest

from gemel.calibrate.goals.use import Use
from gemel.calibrate.rates.intervals import Estimate
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.schema import Evidence
from gemel.release.release import Release
from gemel.release.words.headline import headline
from gemel.release.words.sentence import in_full, sentence

replace = msgspec.structs.replace


def rate(value: float) -> Estimate:
    return Estimate(value=value, low=0.95 * value, high=value, n_effective=1000.0, method="")


def used(release: Release, use: Use, prior: float) -> Evidence:
    """Three of 100 pairs are missed, one of 1,000 others matched, 97 of 100 matches are right."""
    at = replace(
        release.evidence.eval,
        precision=rate(0.97),
        fnmr=rate(0.03),
        fmr=rate(0.001),
        n_false_match=9,
        prior=prior,
        prior_source="stated",
    )
    seen = replace(release.evidence.galleries[-1], fpir=rate(0.02), fnir=rate(0.04))
    return replace(
        release.evidence,
        eval=at,
        goals=Goals(use=use),
        galleries=(replace(seen, gallery_size=100),),
    )


def test_duplicates_are_right_or_wrong_and_found_or_missed(release: Release) -> None:
    found = used(release, Use(kind="duplicates", records=10_000), 0.0001)
    assert sentence(found) == (
        "Of 100 matches about 97 are right among 10,000 records; of 100 pairs that belong "
        "together, about 3 are missed: counted on eval, not proven."
    )


def test_what_few_pairs_leave_open_is_told_as_an_interval(release: Release) -> None:
    found = used(release, Use(kind="duplicates", records=10_000), 0.0001)
    few = Estimate(value=0.17, low=0.06, high=0.35, n_effective=30.0, method="")
    seen = replace(few, value=0.83, low=0.65, high=0.94)
    found = replace(found, eval=replace(found.eval, fnmr=few, recall=seen))
    for goals in (found.goals, Goals()):
        assert "between 6 and 35 are missed" in sentence(replace(found, goals=goals))
    first = headline(found, "products").sentences[0].replace("\N{NO-BREAK SPACE}", " ")
    assert "finds 83 % (between 65 % and 94 %) of the pairs that belong together" in first
    assert "and 97 % of the pairs it calls a match are right" in first


def test_where_none_was_missed_it_is_said_of_how_many(release: Release) -> None:
    """Of 119 pairs none was: that leaves open whether it is one of 40."""
    found = used(release, Use(kind="duplicates", records=10_000), 0.0001)
    none = Estimate(value=0.0, low=0.0, high=0.025, n_effective=119.0, method="")
    at = replace(found.eval, fnmr=none, n_genuine=119)
    for goals in (found.goals, Goals()):
        said = sentence(replace(found, eval=at, goals=goals)).lower()
        assert "none of 119 pairs that belong together is missed, so at most 3 of 100" in said
    wide = replace(at, fnmr=replace(none, high=0.14))
    assert "is missed, so at most 14 of 100" in sentence(replace(found, eval=wide)).lower()


def test_a_verification_is_told_by_both_kinds_of_pairs(release: Release) -> None:
    found = used(release, Use(kind="verify"), 0.5)
    assert sentence(found) == (
        "Of 1,000 pairs that do not belong together, about 1 is called a match; of 100 pairs that "
        "belong together, about 3 are missed; of 100 matches about 97 are right if half of those "
        "compared belong together: counted on eval, not proven."
    )


@pytest.mark.parametrize(("records", "told"), [(100, None), (1_000, 18)])
def test_a_search_finds_or_finds_a_stranger(
    release: Release, records: int, told: int | None
) -> None:
    """Ten times the gallery: 1 - 0.98 ** 10 = 18 % of strangers."""
    text = sentence(used(release, Use(kind="search", records=records), 0.001))
    assert text.startswith(
        "Of 100 searches for something that is among 100 records, about 96 find it; of 100 for "
        "something that is not, about 2 find a match"
    )
    assert "matches" not in text and "pairs" not in text
    among = re.search(r"match; in a gallery of 1,000 records about (\d+) would", text)
    assert (int(among[1]) if among else None) == told


@pytest.mark.parametrize(
    ("counted", "told"),
    [
        (0.02, "between 2 and 34 of 100 find a match"),
        (0.2, "more find a match, how many is not known"),
    ],
)
def test_of_a_far_larger_gallery_no_more_is_told_than_what_was_measured_bounds(
    release: Release, counted: float, told: str
) -> None:
    """Twenty times as large: at least what was counted, at most as if strangers were alike."""
    found = used(release, Use(kind="search", records=2_000), 0.001)
    seen = replace(found.galleries[0], fpir=rate(counted))
    assert sentence(replace(found, galleries=(seen,))) == (
        "Measured in galleries of 100 records: of 100 searches for something that is there, about "
        f"96 find it; of 100 for something that is not, about {100 * counted:.0f} find a match; "
        f"in one of 2,000 fewer find it, and {told}: counted on eval, not proven."
    )


def test_what_was_proven_is_said_before_what_was_counted(release: Release) -> None:
    found = used(release, Use(kind="duplicates", records=10_000), 0.0001)
    target = replace(found.target, kind="precision", value=0.9)
    found = replace(found, goals=Goals(verify=target, use=found.goals.use))
    said = "Of 10 matches, at most 1 is wrong, with 95 % confidence"
    assert in_full(found).startswith(said)
    assert "about 97 are right among 10,000 records" in in_full(found)
    n = release.evidence.data.sides["dev"].n_records
    assert sentence(found) == (
        f"{said}, among {n} records like these, as many as dev has; of 100 pairs that belong "
        "together, about 3 are missed."
    )
