"""The page for few examples, run as it stands on a hundred classes with three pictures each."""

import re
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import SETTINGS
from tests.cli.test_images import drawing

from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.cli.main import run
from gemel.config import Config
from gemel.data import records
from gemel.release.release import Release
from gemel.release.store import Store

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "few-examples.md"
QUICK = {
    "GEMEL__TRAIN__MAX_EPOCHS": "4",
    "GEMEL__TRAIN__IMAGE_SIZE": "24",
    "GEMEL__TRAIN__IDENTITIES_PER_BATCH": "16",
    "GEMEL__TRAIN__VIEWS_PER_IDENTITY": "3",
}


def photos(folder: Path, first: int, n: int) -> Path:
    for i in range(first, first + n):
        (folder / f"c{i:03}").mkdir(parents=True)
        for copy in range(3):
            drawing(i, copy).save(folder / f"c{i:03}" / f"{copy}.png")
    return folder


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """What the commands of the page make."""
    folder = tmp_path_factory.mktemp("few")
    photos(folder / "photos", 0, 100)
    code = re.findall(r"^    gemel (.*)$", PAGE.read_text(), flags=re.M)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in {**SETTINGS, **QUICK}.items():
            patch.setenv(name, value)
        for line in code:
            store = Store(folder / ".gemel")
            words = line.replace('"', "").split()
            named = [store.list()[0].id if w == "ID" else w for w in words]
            assert run(named) == 0, line
        assert Config.load(folder / "gemel.toml", {}, {}).split.crossed
    return store.get("stable")


def test_a_small_fmr_is_proven_and_strangers_keep_it(release: Release, tmp_path: Path) -> None:
    evidence = release.evidence
    assert evidence.dev.certified and evidence.data.crossed
    strangers = records.read(photos(tmp_path, 1000, 120))
    rows = release.encoder.encode(strangers.payloads(np.arange(len(strangers))))
    seen = measure(
        all_pairs(rows, strangers.identities, release.comparator), release.policy.verify.threshold
    )
    assert seen.fmr.value <= 0.01
    assert evidence.eval.fnmr.low <= seen.fnmr.value <= evidence.eval.fnmr.high
    assert evidence.dev.n_identities >= 66 and evidence.eval.n_identities >= 33
    assert any("learns from all" in note for note in evidence.notes)
