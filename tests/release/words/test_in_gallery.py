"""Whoever searches by a threshold that strangers pass is told so."""

from pathlib import Path

import msgspec
import pytest
from tests.release.conftest import rows
from tests.release.words.test_in_use import rate, used

from gemel.calibrate.goals.target import Target
from gemel.calibrate.goals.use import Use
from gemel.gallery.gallery import Gallery
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.schema import Evidence
from gemel.release.release import Release
from gemel.release.words.in_gallery import in_gallery
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord

replace = msgspec.structs.replace
VERIFY = Use(kind="verify")


@pytest.fixture
def few(release: Release) -> Evidence:
    """For verification; of searches for nobody among 4 records 71 of 100 find a match."""
    evidence = used(release, VERIFY, 0.5)
    seen = replace(evidence.galleries[0], gallery_size=4, fpir=rate(0.71))
    return replace(evidence, galleries=(seen,))


def of(evidence: Evidence, use: Use | None) -> Evidence:
    return replace(evidence, goals=Goals(use=use))


def test_a_threshold_for_two_things_is_said_to_be_none_for_a_gallery(few: Evidence) -> None:
    assert in_gallery(few, 517) == (
        "threshold and probabilities are for two things that are held up against each other, not "
        "for searches in a gallery of 517 records: of 100 searches for something that is not among "
        "4 records, about 71 found a match; among 517, more find a match, how many is not known; "
        "gemel calibrate --for search --gallery-size 517 asks for one that is"
    )
    assert "of 100 searches for something that is not in it, nearly all would match (of 100 " in (
        in_gallery(few, 40)
    ), "ten times as many is told"
    unknown = replace(few, galleries=())
    assert "how often strangers match in it is not known; gemel" in in_gallery(unknown, 517)


def test_it_is_said_where_it_matters(few: Evidence) -> None:
    assert "was not chosen for searches in a gallery of 517 records:" in in_gallery(
        of(few, None), 517
    )
    asked = of(few, Use(kind="search", records=600))
    assert in_gallery(asked, 517).endswith(
        "gemel calibrate --fpir asks for a threshold that few pass"
    )
    assert "--gallery-size 700" in in_gallery(asked, 700), "of another size than it was made for"
    seen = replace(few.galleries[0], fpir=rate(0.0))
    assert in_gallery(replace(few, galleries=(seen,)), 517) == ""
    assert in_gallery(of(replace(few, galleries=()), None), 517) == "", "nothing is known"
    certified = Goals(use=VERIFY, search=Target(kind="fpir", value=0.01))
    assert in_gallery(replace(few, goals=certified), 517) == ""
    assert in_gallery(replace(few, unproven=True), 517) == ""


def test_replies_of_searches_say_it(release: Release, few: Evidence, tmp_path: Path) -> None:
    payloads, _ = rows(4)
    policy = replace(release.policy, classify=None)
    made = release.child(policy=policy, evidence=few, into=tmp_path / "child")
    gallery = Gallery.open(tmp_path / "gallery", space_id=made.space_id, dim=made.encoder.dim)
    with gallery:
        service = Service(made, gallery)
        new = [NewRecord(str(i), row, {"class": str(i)}) for i, row in enumerate(payloads)]
        service.enroll(new)
        identified, classified = service.identify(payloads[0]), service.classify(payloads[0])
        (said,) = service.warnings()
        assert said == identified.warning == classified.warning
        assert f"--gallery-size {len(payloads)}" in said
        service.delete([one.id for one in new[1:]])
        assert service.identify(payloads[0]).warning == "", "one record is two held up together"
