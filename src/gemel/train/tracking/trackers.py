"""Where the epochs of a run are written while it learns: a CSV always, and loggers by name.

A tracker is shown all epochs so far after each, so that a run that was killed and goes on leaves
what an uninterrupted one does. No tracker changes what is learned, or the name of the run.
"""

from __future__ import annotations

import contextlib
import csv
import io
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gemel.errors import ConfigError
from gemel.files import write_whole
from gemel.release.run import Epoch, RunSettings
from gemel.settings import Tracker
from gemel.train.scale import ranks

CSV = "epochs.csv"
TENSORBOARD = "tensorboard"
MLFLOW = "mlflow.json"
"""The MLflow run of this folder, so that it goes on."""
PROJECT = "gemel"
COLUMNS = (
    *("epoch", "loss", "dev_metric", "mean_similarity", "effective_rank", "active_negatives"),
    *("gap_10", "gap_50", "gap_90"),
)

Track = Callable[[Sequence[Epoch]], None]
"""Takes in all epochs so far, after each of them."""


def figures(epoch: Epoch) -> dict[str, float]:
    """What an epoch reached, by the names of `COLUMNS`; what was not measured is left out."""
    found = {
        "loss": epoch.loss,
        "dev_metric": epoch.metric,
        "mean_similarity": epoch.mean_similarity,
        "effective_rank": epoch.effective_rank,
    }
    if epoch.batches is not None:
        found["active_negatives"] = epoch.batches.active
        found |= dict(zip(COLUMNS[-3:], epoch.batches.hardness, strict=True))
    return {name: value for name, value in found.items() if value is not None}


@contextlib.contextmanager
def tracked(folder: Path, trackers: Sequence[Tracker], settings: RunSettings) -> Iterator[Track]:
    """What writes the epochs of a run into its folder, and into the loggers that were named.

    Of several processes only the first one writes.

    Args:
        folder: of the run.
        trackers: besides the CSV.
        settings: of the run, which loggers show beside the curves.
    Raises:
        ConfigError: the package of a logger is not installed.
    """
    if not ranks.is_first():
        yield lambda epochs: None
        return
    with contextlib.ExitStack() as open_ones:
        made = [csv_of(folder / CSV)]
        made += [open_ones.enter_context(TRACKERS[name](folder, settings)) for name in trackers]

        def track(epochs: Sequence[Epoch]) -> None:
            for one in made:
                one(epochs)

        yield track


def csv_of(path: Path) -> Track:
    """What keeps a CSV with one line for each epoch; 0 is the untrained network."""

    def track(epochs: Sequence[Epoch]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({"epoch": e.epoch, **figures(e)} for e in epochs)
        write_whole(path, text.getvalue().encode())

    return track


@contextlib.contextmanager
def tensorboard(folder: Path, settings: RunSettings) -> Iterator[Track]:
    """What writes an event file into a folder of the run: `tensorboard --logdir`."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as e:
        raise _missing("tensorboard") from e
    # What a killed run left may end amid an epoch: the whole history is written once more.
    shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)
    writer: Any = SummaryWriter(str(folder / TENSORBOARD))
    written: set[int] = set()

    def track(epochs: Sequence[Epoch]) -> None:
        for epoch in epochs:
            if epoch.epoch not in written:
                for name, value in figures(epoch).items():
                    writer.add_scalar(name, value, epoch.epoch)
                written.add(epoch.epoch)
        writer.flush()

    with contextlib.closing(writer):
        writer.add_text("settings", msgspec.json.encode(settings).decode())
        yield track


@contextlib.contextmanager
def mlflow(folder: Path, settings: RunSettings) -> Iterator[Track]:
    """What writes a run of MLflow, wherever MLFLOW_TRACKING_URI says, named as the folder is.

    Raises:
        ConfigError: MLflow is not installed, or its server does not take what it is told.
    """
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError as e:
        raise _missing("mlflow") from e
    try:
        client: Any = MlflowClient()
        said = _mlflow_run(client, folder, settings)
        with _ended(client, said["run"]):
            yield lambda epochs: _to_mlflow(client, folder, said, epochs)
    except MlflowException as e:
        raise ConfigError(
            f"MLflow: {str(e).strip().splitlines()[0]}",
            where="train.trackers",
            hint="name its server in MLFLOW_TRACKING_URI, or take it out of train.trackers; what "
            "was trained is kept, and gemel train goes on",
        ) from e


def _mlflow_run(client: Any, folder: Path, settings: RunSettings) -> dict[str, Any]:
    """Name of the run of this folder, and how many epochs it has: begun, or gone on with."""
    from mlflow.entities import Param

    if (folder / MLFLOW).is_file():
        said = msgspec.json.decode((folder / MLFLOW).read_bytes(), type=dict[str, Any])
        client.update_run(said["run"], status="RUNNING")
        return said
    found = client.get_experiment_by_name(PROJECT)
    of = found.experiment_id if found else client.create_experiment(PROJECT)
    run = client.create_run(of, run_name=folder.name).info.run_id
    params = [Param(name, str(v)) for name, v in msgspec.to_builtins(settings).items()]
    client.log_batch(run, params=params)
    return {"run": run, "epochs": 0}


def _to_mlflow(client: Any, folder: Path, said: dict[str, Any], epochs: Sequence[Epoch]) -> None:
    from mlflow.entities import Metric

    now = round(1000 * time.time())
    new = [(e.epoch, figures(e)) for e in epochs[said["epochs"] :]]
    of_all = [Metric(k, float(v), now, at) for at, found in new for k, v in found.items()]
    client.log_batch(said["run"], of_all)
    said["epochs"] = len(epochs)
    write_whole(folder / MLFLOW, msgspec.json.encode(said))


@contextlib.contextmanager
def _ended(client: Any, run: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)


TRACKERS: dict[Tracker, Callable[..., contextlib.AbstractContextManager[Track]]] = {
    "tensorboard": tensorboard,
    "mlflow": mlflow,
}


def _missing(package: str) -> ConfigError:
    return ConfigError(
        f"{package} is not installed",
        where="train.trackers",
        hint=f"pip install 'gemel[{package}]', or take it out of train.trackers",
    )
