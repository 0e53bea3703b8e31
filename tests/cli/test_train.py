"""What training says of itself, and of data that is too little for it."""

import json
from pathlib import Path

from tests.cli.conftest import Gemel

from gemel.release.evidence.against_baseline import OnDev
from gemel.release.store import Store
from gemel.release.words import learned

FEW = "12 identities have two records or more in dev: below about 30"


def test_few_identities_are_told_before_training(project: Path, gemel: Gemel) -> None:
    """120 people, 60 of them with two records: enough to start, too few to prove much."""
    assert FEW in gemel("data", "check").err
    assert any(FEW in note for note in json.loads(gemel("data", "check", "--json").out)["notes"])
    assert FEW in gemel("train", "--dry-run").err
    assert f"warning: {FEW}" in gemel("train").err
    said = gemel("init", "people.csv", "--force").err
    assert "split.crossed" in said and "two records or more in dev: below about 30" in said
    assert "crossed = true" in Path("gemel.toml").read_text()
    said = gemel("init", "people.csv", "--force", "--set", "split.crossed=false").err
    assert "60 identities have two records or more: below about 30" in said


def test_training_stands_beside_none_and_beside_no_learning(project: Path, gemel: Gemel) -> None:
    found = json.loads(gemel("train", "--json").out)
    names = ["dev MAP@R", "dev MAP@R, untrained", "dev MAP@R, as exported", "dev MAP@R, TF-IDF"]
    assert all(0 <= found[name] <= 1 for name in names)
    assert "nothing shows" not in gemel("train").err
    for command in ("train", "calibrate"):
        last = gemel(command).err.splitlines()[-1]
        assert "TF-IDF without any learning" in last and "(untrained)" in last, last


def test_training_that_did_not_help_is_warned_about(project: Path) -> None:
    training = Store(project / ".gemel").get("stable").evidence.training
    assert learned.on_dev(training, OnDev("MAP@R", 0.9, 0.8, "TF-IDF"))[0]
    helped, worse = learned.on_dev(training, OnDev("MAP@R", 0.7, 0.8, "TF-IDF"))
    assert not helped
    assert worse.replace("\N{NO-BREAK SPACE}", " ").startswith(
        "TF-IDF without any learning reaches MAP@R 80 % on dev where this encoder reaches 70 %"
    )
