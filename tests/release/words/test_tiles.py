"""The key figures of a release, where labels, answers or an estimate alone say something."""

from __future__ import annotations

import msgspec
import pytest

from gemel.calibrate.answers.known import Known, point_of
from gemel.calibrate.rates.intervals import Estimate
from gemel.cli.release_words import summary
from gemel.release.evidence.schema import Evidence
from gemel.release.release import Release
from gemel.release.words.expected import expected
from gemel.release.words.sentence import in_full, sentence
from gemel.release.words.tiles import brief, tiles


def answered(evidence: Evidence, found: Estimate, policy: Release) -> Evidence:
    """What a release would say that answers alone had measured."""
    right = Estimate(value=0.99, low=0.96, high=1.0, n_effective=90.0, method="")
    known = Known(
        n_answers=144,
        n_unsure=0,
        threshold=evidence.eval.threshold,
        precision=right,
        recall=found,
        n_match=1000,
        n_genuine=990.0,
        n_pairs=100_000,
        goal=0.95,
        confidence=0.95,
        proven=True,
        missing=None,
        n_double=0,
        n_agreed=0,
    )
    point = point_of(known, policy.policy.verify)
    return msgspec.structs.replace(
        evidence, unproven=True, labelled=known, dev=point, eval=point, candidates=()
    )


def share(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, n_effective=9.0, method="")


def test_what_answers_do_not_tell_of_missed_pairs_is_not_known_anywhere(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = answered(release.evidence, share(1.0, 0.0, 1.0), release)
    for shown in (tiles(evidence), brief(evidence)):
        assert [figure for name, figure, _ in shown if name == "missed pairs"] == ["not known"]
        assert shown[0][:2] == ("right matches (precision)", "99\N{NO-BREAK SPACE}%")
    for said in (sentence(evidence), in_full(evidence)):
        assert "how many of the pairs that belong together are missed is not known" in said
    monkeypatch.setitem(vars(release), "evidence", evidence)
    rows = dict(summary(release))
    assert rows["FNMR by answers"] == rows["F1 by answers"] == "not known"


def test_what_answers_do_tell_of_missed_pairs_is_told(release: Release) -> None:
    evidence = answered(release.evidence, share(0.8, 0.7, 0.9), release)
    assert ("missed pairs", "20\N{NO-BREAK SPACE}%") in [tile[:2] for tile in tiles(evidence)]
    assert "about 80 of 100 that belong together are found" in sentence(evidence)


def test_what_is_only_expected_is_said_to_be(release: Release) -> None:
    evidence = msgspec.structs.replace(release.evidence, unproven=True)
    assert {of for *_, of in brief(evidence)} == {"estimated, not measured"}
    assert all(figure.startswith("about ") for _, figure, _ in brief(evidence))


def test_a_precision_is_told_with_the_records_it_is_of(release: Release) -> None:
    """The sentence speaks of all records and tiles of eval; those of the page stand beside it."""
    seen = share(0.82, 0.72, 0.895)
    at = msgspec.structs.replace(release.evidence.eval, precision=seen, n_false_match=9)
    evidence = msgspec.structs.replace(release.evidence, eval=at)
    here, everywhere = expected(evidence)
    shown = {name: of for name, _, of in tiles(evidence)}
    assert shown["right matches (precision)"].endswith(
        f" % {here.among}".replace(" %", "\N{NO-BREAK SPACE}%")
    )
    assert here.among == "among the 90 records of eval" and shown["F1"].endswith(here.among)
    assert "among" not in shown["found pairs (recall)"]
    low, high = (round(100 * x) for x in (everywhere.precision.low, everywhere.precision.high))
    assert brief(evidence)[0][2] == f"{low} to {high}\N{NO-BREAK SPACE}%"
    assert f"between {low} and {high} are right among all 300" in sentence(evidence)


def test_a_rate_and_its_limits_are_written_alike(release: Release) -> None:
    rare = share(4.256e-6, 8.509e-7, 2.128e-5)
    at = msgspec.structs.replace(release.evidence.eval, fmr=rare)
    shown = {
        name: rest for name, *rest in tiles(msgspec.structs.replace(release.evidence, eval=at))
    }
    assert shown["false match rate"] == ["1 in 230,000", "1 in 1,200,000 to 1 in 47,000"]
