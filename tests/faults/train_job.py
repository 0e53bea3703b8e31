"""Trains in child processes that it kills: `train_job.py IMAGES WORK N_KILLS SEED`.

Torch is imported once and each run is a fork, so that a moment of death costs no import. Runs take
the folders WORK/0, WORK/1, ... : a killed run is started again in its folder, and after it has
finished the next one begins. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import onnxscript  # noqa: F401  (imported before the forks, not in each of them)
import torch
import torch._dynamo

from gemel.data import records, splits
from gemel.data.dataset import Dataset
from gemel.release.run import REPORT
from gemel.settings import TrainSettings
from gemel.train.fit import CHECKPOINT, train
from gemel.train.loop import checkpoint

SETTINGS = TrainSettings(
    loss="triplet", max_epochs=12, patience=12, identities_per_batch=8, views_per_identity=4
)


def start(dataset: Dataset, folder: Path) -> int:
    """The id of a process that trains into the folder."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        train(dataset, splits.by_identity(dataset), SETTINGS, folder)
        status = 0
    finally:
        os._exit(status)


def until(pid: int, deadline: float) -> int | None:
    """Exit status of the process, or None if it was killed at the deadline."""
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        # Waiting for a moment in time is the point here.
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def look(folder: Path) -> int:
    """Epochs that are safe in the folder; raises if a file in it cannot be read."""
    if (folder / REPORT).exists():
        return len(json.loads((folder / REPORT).read_bytes())["history"])
    found = checkpoint.read(folder / CHECKPOINT)
    return len(found[1]["history"]) if found else 0


def main() -> None:
    """Kill until there have been enough deaths, then let the last run finish."""
    images, work, n_kills, seed = (
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]),
        sys.argv[4],
    )
    dataset = records.read(images)
    dice = random.Random(seed)
    began = time.monotonic()
    if until(start(dataset, work / "whole"), began + 300) != 0:
        raise SystemExit("the unbroken run failed")
    duration = time.monotonic() - began
    # The export takes most of a run; most deaths are to be while weights change, so that a run
    # that has learned is mostly left alone.
    learning = json.loads((work / "whole" / REPORT).read_bytes())["learning_seconds"]
    epochs: list[int] = []
    run = 0
    while True:
        learned = look(work / str(run)) > SETTINGS.max_epochs
        spared = len(epochs) == n_kills or (learned and dice.random() < 0.8)
        moment = 300 if spared else dice.uniform(0, duration - learning if learned else learning)
        status = until(start(dataset, work / str(run)), time.monotonic() + moment)
        if status is None:
            epochs.append(look(work / str(run)))
        elif status != 0:
            raise SystemExit(f"run {run} failed with {status} after {len(epochs)} kills")
        elif len(epochs) < n_kills:
            run += 1
        else:
            break
    print(json.dumps({"epochs_at_kills": epochs, "n_runs": run + 1, "duration": duration}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
