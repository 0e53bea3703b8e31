"""A comparator that reads payloads decides on pairs, and is refused where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.serve import small

from gemel.encode import comparators
from gemel.errors import ReleaseError
from gemel.gallery.gallery import Gallery
from gemel.release import folder as folders
from gemel.release.release import Head, Release, seal
from gemel.serve.service import Service

PLUGIN = (Path(__file__).parents[1] / "plugged_comparators.py").read_text()


@pytest.fixture
def release(install, tmp_path: Path) -> Release:
    """A small release whose comparator counts the letters that two names share."""
    install("letters", PLUGIN, "gemel.comparators", letters="Letters")
    plain, into = small.release(tmp_path / "plain"), tmp_path / "release"
    with folders.draft(into) as draft:
        kept = [name for name in plain.manifest.files if name != comparators.FILE]
        folders.copy_files(plain.folder, draft, kept)
        comparators.described(tmp_path, {"kind": "letters"}).save(draft)
        seal(draft, into, Head(plain.space_id, plain.modality))
    return Release.open(into)


def test_pairs_are_verified_by_what_their_payloads_say(release: Release) -> None:
    service = Service(release)
    pairs = [("anna", "hannah", 2 / 3), ("anna", "bert", 0.0), ("carl", "carl", 1.0)]
    replies = [service.verify({"first": left}, {"first": right}) for left, right, _ in pairs]
    assert [r.score for r in replies] == pytest.approx([score for *_, score in pairs])
    assert [r.outcome for r in replies] == ["match", "no_match", "match"]


def test_a_search_says_that_it_has_no_payloads(release: Release, tmp_path: Path) -> None:
    with Gallery.open(
        tmp_path / "gallery",
        space_id=release.space_id,
        dim=release.encoder.dim,
        comparator=release.comparator,
        write=True,
    ) as gallery:
        rows = np.eye(3, release.encoder.dim, dtype=np.float32)
        gallery.enroll(["a", "b", "c"], rows)
        with pytest.raises(ReleaseError, match="reads payloads") as caught:
            gallery.search(rows[:1], 2)
    assert "verify pairs with it" in caught.value.hint
