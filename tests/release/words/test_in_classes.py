"""Where hardly anything is ever called unknown, whoever calibrates or classifies is told so."""

from pathlib import Path

import msgspec
import pytest
from tests.release.conftest import rows
from tests.release.words.test_in_use import rate

from gemel.cli.calibrated import render
from gemel.gallery.gallery import Gallery
from gemel.release.evidence.class_levels import ClassEvidence, ClassLevel
from gemel.release.evidence.schema import Evidence
from gemel.release.release import Release
from gemel.release.words.in_classes import in_classes, without_classes
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord
from gemel.tasks.openset import Identification, OpenSet

replace = msgspec.structs.replace
TOLD = (
    "of 100 items of a class that is not enrolled, about 98 are given one all the same (measured "
    "among 20 classes, 1 example each); gemel calibrate --set calibrate.alpha=0.2 calls more of "
    "them unknown, and up to 20 of 100 known ones, on average (now 5); where 10 of 100 such items "
    "are given a class, about 90 of 100 known ones can be told"
)


def having(evidence: Evidence, false_known: float, alpha: float = 0.05) -> Evidence:
    at = Identification(fpir=0.1, threshold=0.5, dir=0.9, fnir=0.1)
    measures = {"accuracy": 0.9, "auroc": 0.9, "oscr": 0.9, "fpr95": 0.2}
    level = ClassLevel(
        shots=1,
        ways=20,
        n_classes=50,
        accuracy=rate(0.9),
        false_unknown=rate(0.01),
        false_known=rate(false_known),
        open_set=OpenSet(n_known=9, n_unknown=9, identification=(at,), **measures),
    )
    classes = ClassEvidence(
        alpha=alpha, guarantee="", n_calibration={1: 36}, dev=(), eval=(level,), unusual=rate(0.0)
    )
    return replace(evidence, classes=classes)


def test_what_is_not_enrolled_is_given_a_class_and_it_is_said(release: Release) -> None:
    assert in_classes(having(release.evidence, 0.98)) == TOLD
    assert in_classes(having(release.evidence, 0.3)) == ""
    assert "calibrate.alpha" not in in_classes(having(release.evidence, 0.9, alpha=0.5))
    assert in_classes(replace(release.evidence, classes=None)) == ""


def test_without_a_policy_it_is_said_by_which_rule_an_item_is_unknown(release: Release) -> None:
    seen = replace(release.evidence.galleries[0], gallery_size=6, fpir=rate(0.36), fnir=rate(0.02))
    evidence = replace(release.evidence, classes=None, galleries=(seen,))
    assert without_classes(evidence) == (
        "gemel gallery classify calls unknown what reaches the threshold with no record: among 6 "
        "records, of 100 items of no class there about 64 were called unknown; of 100 of a class "
        "there, about 2 were called unknown or given a wrong one; in a larger gallery fewer are "
        "called unknown, and more are given a wrong one"
    )
    assert without_classes(having(evidence, 0.98)) == ""


def test_calibrate_and_replies_say_it(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payloads, _ = rows(4)
    evidence = having(release.evidence, 0.98)
    made = release.child(policy=release.policy, evidence=evidence, into=tmp_path / "child")
    render(made)
    assert f"warning: {TOLD}" in capsys.readouterr().err
    assert made.policy.classify is not None
    gallery = Gallery.open(tmp_path / "gallery", space_id=made.space_id, dim=made.encoder.dim)
    with gallery:
        service = Service(made, gallery)
        service.enroll([NewRecord("a", payloads[0], {"class": "a"})])
        assert service.classify(payloads[1]).warning == TOLD


def test_known_items_that_are_called_unknown_too_often_are_told(release: Release) -> None:
    evidence = having(release.evidence, 0.1)
    assert evidence.classes is not None
    (level,) = evidence.classes.eval
    often = replace(level, false_unknown=replace(rate(0.29), low=0.22, high=0.36))
    assert in_classes(replace(evidence, classes=replace(evidence.classes, eval=(often,)))) == (
        "of 100 items of an enrolled class, about 29 are called unknown, where 5 were allowed on "
        "average: 36 classes calibrated it"
    )
