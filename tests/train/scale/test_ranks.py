"""Two processes of torchrun do what one does: gradients, resuming, files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the first of two processes found."""
    folder = tmp_path_factory.mktemp("ranks")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    words = [*torchrun, "--nproc-per-node", "2", str(SCRIPT), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "said.json").read_text())
    assert found["processes"] == 2
    return found


def test_gradients_are_those_of_one_process_however_batches_divide(said: dict[str, Any]) -> None:
    assert set(said["apart"]) == {"8/0", "7/0", "1/0", "9/2"}
    assert max(said["apart"].values()) < 1e-6


def test_a_run_that_stopped_ends_with_the_same_bits(said: dict[str, Any]) -> None:
    assert said["resumed"] == said["whole"] != []
    assert np.isfinite(said["whole"]).all()


def test_what_processes_cannot_share_is_refused(said: dict[str, Any]) -> None:
    assert "different steps: 3, 4" in said["steps"]
    assert "normalises over a batch" in said["batch"]
