"""What training says of itself, and of data that is too little for it."""

import json
from pathlib import Path

from tests.cli.conftest import Gemel

from gemel.cli.train import _doubt
from gemel.release.store import Store

FEW = "12 identities have two records or more in dev: below about 30"


def test_few_identities_are_told_before_training(project: Path, gemel: Gemel) -> None:
    """120 people, 60 of them with two records: enough to start, too few to prove much."""
    assert FEW in gemel("data", "check").err
    assert any(FEW in note for note in json.loads(gemel("data", "check", "--json").out)["notes"])
    assert FEW in gemel("train", "--dry-run").err
    assert f"warning: {FEW}" in gemel("train").err
    said = gemel("init", "people.csv", "--force").err
    assert "60 identities have two records or more: below about 30" in said


def test_training_stands_beside_none_and_beside_no_learning(project: Path, gemel: Gemel) -> None:
    found = json.loads(gemel("train", "--json").out)
    names = ["dev MAP@R", "dev MAP@R, untrained", "dev MAP@R, as exported", "dev MAP@R, TF-IDF"]
    assert all(0 <= found[name] <= 1 for name in names)
    assert "did not help" not in gemel("train").err
    said = gemel("calibrate")
    assert "TF-IDF without any learning" in said.err
    assert "(untrained)" in said.err


def test_training_that_did_not_help_is_warned_about(project: Path) -> None:
    training = Store(project / ".gemel").get("stable").evidence.training
    assert not _doubt(training, {"as exported": 0.9, "TF-IDF": 0.8})
    worse = _doubt(training, {"as exported": 0.7, "TF-IDF": 0.8})
    assert "below 80" in worse.replace("\N{NO-BREAK SPACE}", " ")
