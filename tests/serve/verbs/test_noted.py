"""What was asked stands in the ledger without a name: no id of a record, and no class."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.serve import small
from tests.serve.small import ROWS

from gemel.gallery.gallery import Gallery
from gemel.ledger.bodies import Classified, Identified, Searched
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return small.release(tmp_path / "release", threshold=0.5)


def test_who_was_found_is_masked(release: Release, tmp_path: Path) -> None:
    space = {"space_id": release.space_id, "dim": small.DIM}
    with (
        Gallery.open(tmp_path / "gallery", **space) as gallery,
        Ledger.open(tmp_path / "ledger.db") as ledger,
    ):
        service, masks = Service(release, gallery, ledger), ledger.masks
        service.enroll([NewRecord("CASE-1", ROWS[1], {"class": "PERSON-1"})])
        assert service.search(ROWS[1]).hits[0].id == "CASE-1"
        assert service.identify(ROWS[1]).record == "CASE-1"
        assert service.classify(ROWS[1]).label == "PERSON-1"
        ledger.flush()
        (searched,) = (e.read(Searched) for e in ledger.of_kind("search"))
        assert searched.best is not None and searched.best[0] == masks.of("CASE-1")
        (identified,) = (e.read(Identified) for e in ledger.of_kind("identify"))
        assert identified.record == masks.of("CASE-1")
        (classified,) = (e.read(Classified) for e in ledger.of_kind("classify"))
        assert classified.label == masks.of("PERSON-1")
        assert classified.support == masks.of("CASE-1")
        assert {searched.key, identified.key, classified.key} == {masks.name}
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.*"))
    assert b"CASE-" not in stored and b"PERSON-" not in stored
