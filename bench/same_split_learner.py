"""One learner of `bench_same_split.py` on one set, in a process of its own.

    python bench/same_split_learner.py SET LEARNER FOLDER [--steps STEPS_OF_AN_EPOCH]

It writes FOLDER/rows.npy, the embeddings of eval, and FOLDER/said.json. Clock and memory are read
from before the training records are prepared to where what was learned is ready for use: of gemel
that is an exported encoder that was compared with torch, of a peer its network in memory.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import same_split_peers as peers
import torch
from same_split_data import BEHIND, GEMEL, SENTENCES, SETS, split

from gemel.arrays import Float32
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.encode.encoder import Encoder
from gemel.settings import TrainSettings
from gemel.train import fit, loop


def here(
    dataset: Dataset, splits: Splits, settings: TrainSettings, folder: Path
) -> tuple[peers.Encode, dict[str, Any]]:
    """What `gemel train` makes of these settings; it encodes with the exported network."""
    steps: dict[str, Any] = {}

    def stamp(step: loop.Step) -> None:
        steps["steps_of_an_epoch"] = step.n_steps
        steps["after"] = time.process_time()

    run = fit.train(dataset, splits, settings, folder / "run", progress=stamp)
    history = run.training.history
    said = {
        "steps_of_an_epoch": steps["steps_of_an_epoch"],
        "epochs": history[-1].epoch,
        "kept_epoch": run.training.best.epoch,
        "dev_map_at_r": max(epoch.metric for epoch in history),
        "cpu_s_after_the_last_step": time.process_time() - steps["after"],
        "settings": msgspec.to_builtins(run.training.settings),
    }
    return Encoder.open(run.encoder).encode, said


def high_water_mb() -> float:
    """Most memory that this process has had, MB; not that of the one that started it."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1e3 if found else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=SETS)
    parser.add_argument("learner")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    one, who = SETS[args.set], args.learner
    with tempfile.TemporaryDirectory() as scratch:
        dataset = one.read(Path(scratch))
        splits = split(args.set, dataset)
        peers.warm(who)
        before, begun = high_water_mb(), time.process_time()
        if who == GEMEL:
            encode, said = here(dataset, splits, one.settings, args.folder)
        elif who == BEHIND:
            behind = TrainSettings(backbone=one.settings.backbone)
            encode, said = here(dataset, splits, behind, args.folder)
        elif who == SENTENCES:
            encode, said = peers.sentences(dataset, splits, one.settings, args.steps)
        else:
            encode, said = peers.metric_learning(dataset, splits, one.settings, args.steps, who)
        said["cpu_s"] = time.process_time() - begun
        said["peak_mb"] = high_water_mb()
        said["peak_mb_above_start"] = said["peak_mb"] - before
        rows: Float32 = encode(dataset.payloads(splits.eval))
    args.folder.mkdir(parents=True, exist_ok=True)
    np.save(args.folder / "rows.npy", rows)
    (args.folder / "said.json").write_text(json.dumps(said))
    print(args.set, who, json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
