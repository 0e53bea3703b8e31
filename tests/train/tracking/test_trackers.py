"""Epochs of a run end up once each where people look at them, also if the run was killed."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gemel.errors import ConfigError
from gemel.release.run import Epoch, RunSettings, named_by
from gemel.settings import TrainSettings
from gemel.train import loop
from gemel.train.task import resolve
from gemel.train.towers import Defaults
from gemel.train.tracking.trackers import CSV, TENSORBOARD, tracked

SETTINGS: RunSettings = resolve(TrainSettings(), Defaults(), n_drawn=28)
PLAN = loop.Plan(max_epochs=4, patience=4, learning_rate=1e-2)


class Stop(Exception):
    """A kill."""


def trained(problem: Any, tower: Any, folder: Path, *trackers: Any) -> list[Epoch]:
    """A run that is stopped in its third epoch and goes on."""

    def stop(step: loop.Step) -> None:
        if (step.epoch, step.step) == (3, 2):
            raise Stop

    for progress in (stop, None):
        try:
            with tracked(folder, trackers, SETTINGS) as track:
                session = loop.Session(folder / "c", "k", progress, track)
                found: list[Epoch] = problem.fit(tower(), PLAN, session)
        except Stop:
            continue
    return found


def test_the_csv_has_a_line_for_each_epoch(problem, tower, tmp_path: Path) -> None:
    history = trained(problem, tower, tmp_path)
    with (tmp_path / CSV).open() as file:
        lines = list(csv.DictReader(file))
    assert [int(line["epoch"]) for line in lines] == [0, 1, 2, 3, 4]
    assert [float(line["dev_metric"]) for line in lines] == [e.metric for e in history]
    assert lines[0]["loss"] == "" and float(lines[4]["loss"]) == history[4].loss


def test_tensorboard_reads_what_was_written(problem, tower, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = trained(problem, tower, tmp_path, "tensorboard")
    read = EventAccumulator(str(tmp_path / TENSORBOARD))
    read.Reload()
    metric = [(e.step, e.value) for e in read.Scalars("dev_metric")]
    assert metric == [(e.epoch, pytest.approx(e.metric)) for e in history]
    assert [e.step for e in read.Scalars("loss")] == [1, 2, 3, 4]


def test_mlflow_has_one_run_of_all_epochs(
    problem, tower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="65 MB: pip install 'gemel[mlflow]'")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "kept").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    (tmp_path / "run").mkdir()
    history = trained(problem, tower, tmp_path / "run", "mlflow")
    client = MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("gemel").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["loss"] == SETTINGS.loss
    found = client.get_metric_history(run.info.run_id, "dev_metric")
    assert [(m.step, m.value) for m in found] == [(e.epoch, e.metric) for e in history]


def test_a_logger_that_is_not_installed_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    with (
        pytest.raises(ConfigError, match="mlflow is not installed") as caught,
        tracked(tmp_path, ["mlflow"], SETTINGS),
    ):
        pass
    assert "gemel[mlflow]" in caught.value.hint


def test_a_logger_changes_no_name_of_a_run() -> None:
    plain = TrainSettings(learning_rate=0.1)
    assert named_by(plain) == named_by(msgspec.structs.replace(plain, trackers=("tensorboard",)))
