"""What training says of itself, and of data that is too little for it."""

import io
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Gemel

from gemel.cli import show
from gemel.cli.project import Project
from gemel.cli.train import train_run
from gemel.release.evidence.against_baseline import OnDev, on_dev
from gemel.release.store import Store
from gemel.release.words import learned
from gemel.train.loop import checkpoint

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


def test_of_four_encoders_each_line_says_which(project: Path, gemel: Gemel) -> None:
    said = gemel("train", "--set", "split.crossed=true", "--set", "train.max_epochs=1")
    for at in range(1, 5):
        assert f"encoder {at} of 4, epoch 1 of at most 1: loss" in said.err, said.err
    assert re.search(r"^seconds, the last of four  +[\d.]+$", said.out, re.M), said.out


def test_training_stands_beside_none_and_beside_no_learning(project: Path, gemel: Gemel) -> None:
    found = json.loads(gemel("train", "--json").out)
    names = ["dev MAP@R", "dev MAP@R, untrained", "dev MAP@R, as exported", "dev MAP@R, TF-IDF"]
    assert all(0 <= found[name] <= 1 for name in names)
    assert "nothing shows" not in gemel("train").err
    for command in ("train", "calibrate"):
        last = gemel(command).err.splitlines()[-1]
        assert "TF-IDF without any learning" in last and "(untrained)" in last, last


def test_stopped_it_says_how_to_go_on_and_goes_on(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMEL__TRAIN__SEED", "5")
    write = checkpoint.write

    def stopped(path: Path, *what: Any) -> None:
        write(path, *what)
        if what[-1]["history"][-1]["epoch"] == 1:
            signal.raise_signal(signal.SIGINT)

    # Whoever starts the tests in the background of a shell starts them deaf to it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(checkpoint, "write", stopped)
            said = gemel("train")
    finally:
        signal.signal(signal.SIGINT, before)
    assert said.code == 130
    assert "goes on from the last finished epoch when run again" in said.err
    assert "\nstopped\n" not in said.err, "said once"
    again = gemel("train")
    assert again.code == 0 and "epoch 2 of" in again.err and "epoch 1 of" not in again.err


def test_a_command_that_is_stopped_says_so(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Project, "dataset", stopped)
    said = gemel("calibrate")
    assert (said.code, said.err.splitlines()[-1]) == (130, "stopped")


def test_a_bar_on_a_terminal_says_how_much_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stderr", seen := Terminal())
    clock = [0.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: clock[0])
    with show.progress("training", "steps") as tick:
        for done in range(4):
            clock[0] = 30.0 * done
            tick(done, 10, "loss 0.1")
    # Seven more steps of half a minute each.
    assert re.search(r"3/10 steps .*0:03:30 left loss 0.1", seen.getvalue()), seen.getvalue()


def test_training_that_did_not_help_is_warned_about(project: Path) -> None:
    training = Store(project / ".gemel").get("stable").evidence.training
    assert not learned.on_dev(training, OnDev("MAP@R", 0.9, 0.8, "TF-IDF"))[0]
    doubt, worse = learned.on_dev(training, OnDev("MAP@R", 0.7, 0.8, "TF-IDF"))
    # It did move the network, as gemel calibrate says too: not enough is another thing.
    assert doubt == "on dev, training gives less than doing without"
    assert "Training took" in worse and "gemel calibrate tells" in worse
    assert "with its comparator, which decides" in worse and "by cosine alone, from" in worse
    # Rows are judged by copies too, so that this figure is not that of the first sentence.
    assert f"on the {training.n_dev} records and a varied copy of each that choose" in worse
    surely = learned.on_dev(training, OnDev("MAP@R", 0.7, 0.8, "TF-IDF", span=(-0.15, -0.05)))
    assert surely == (doubt, worse)
    assert worse.replace("\N{NO-BREAK SPACE}", " ").startswith(
        "TF-IDF without any learning reaches MAP@R 80 % on dev where this encoder reaches 70 %"
    )
    # Of thirds another encoder is measured on dev, and on others than those that chose the epoch.
    of_thirds = learned.on_dev(training, OnDev("MAP@R", 0.7, 0.8, "TF-IDF", crossed=True))[1]
    assert "on dev, a third of the identities, where the encoder that never saw them" in of_thirds
    copies = "and a varied copy of each that choose the epoch, by cosine"
    assert f"MAP@R on the {training.n_dev} records {copies}" in of_thirds


def test_a_difference_that_may_be_chance_is_no_less(project: Path) -> None:
    training = Store(project / ".gemel").get("stable").evidence.training
    near = OnDev("MAP@R", 0.883, 0.884, "TF-IDF", span=(-0.012, 0.01))
    doubt, said = learned.on_dev(training, near)
    assert doubt == ""
    assert "the difference, -1.2 to +1.0 points, may be chance. Training took" in said


def test_what_is_compared_on_dev_has_its_interval(project: Path) -> None:
    opened = Project.open(None, None)
    dataset = opened.dataset()
    seen = on_dev(train_run(opened, dataset), dataset)  # it is trained already
    assert seen.span is not None and seen.span[0] <= seen.ours - seen.theirs <= seen.span[1]
