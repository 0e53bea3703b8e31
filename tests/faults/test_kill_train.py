"""Training that is killed at any moment goes on, and ends with the bits of an unbroken run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.encode.encoder import Encoder

JOB = Path(__file__).with_name("train_job.py")
N_KILLS = 20


def write_images(folder: Path) -> None:
    """12 identities of 6 images of 16 x 16: a pattern each, and noise."""
    rng = np.random.default_rng(0)
    for who in range(12):
        (folder / f"{who:02}").mkdir(parents=True)
        pattern = rng.integers(0, 256, (4, 4)).repeat(4, 0).repeat(4, 1)
        for i in range(6):
            pixels = np.clip(pattern + rng.normal(0, 60, (16, 16)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{who:02}" / f"{i}.png")


@pytest.mark.slow
def test_killed_twenty_times_the_weights_are_the_same(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    work = tmp_path / "work"
    done = subprocess.run(
        [sys.executable, JOB, tmp_path / "images", work, str(N_KILLS), "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert len(report["epochs_at_kills"]) == N_KILLS
    assert len(set(report["epochs_at_kills"])) > 2, "the kills were to hit different moments"
    whole = work / "whole"
    history = json.loads((whole / "train.json").read_bytes())["history"]
    for run in map(str, range(report["n_runs"])):
        assert json.loads((work / run / "train.json").read_bytes())["history"] == history
        for name in ("encoder.onnx", "prepare.json", "comparator.json"):
            same = (work / run / "encoder" / name).read_bytes()
            assert same == (whole / "encoder" / name).read_bytes(), f"{name} of run {run} differs"
        left = sorted(p.name for p in (work / run).iterdir())
        assert left == [".lock", "encoder", "epochs.csv", "train.json"]
        assert (work / run / "epochs.csv").read_bytes() == (whole / "epochs.csv").read_bytes()
    assert Encoder.open(work / "0" / "encoder").dim > 1
