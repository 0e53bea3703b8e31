"""The key figures of a release, where labels, answers or an estimate alone say something."""

from __future__ import annotations

import msgspec
import pytest

from gemel.calibrate.answers.known import Known, point_of
from gemel.calibrate.rates.intervals import Estimate
from gemel.cli.release import summary
from gemel.release.evidence.schema import Evidence
from gemel.release.release import Release
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
