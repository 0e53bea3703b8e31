"""Commands that make encoders, killed at any moment, end as if they had not been."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gemel.cli.main import run
from gemel.release.store import Store

JOB = Path(__file__).with_name("command_job.py")
N_KILLS = 2
WORDS = [f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "re", "so") for b in ("ta", "ve", "xi")]
SETTINGS = """[data]
path = "texts.csv"
kind = "text"
identity = "topic"
[train]
max_epochs = 1
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, object]]]:
    """The folder with a whole and a broken copy for each command, and what the job says."""
    base = tmp_path_factory.mktemp("killed")
    project, rng = base / "project", np.random.default_rng(0)
    project.mkdir()
    with (project / "texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["topic", "text"])
        for topic in range(40):
            own = rng.choice(WORDS, 4)
            for _ in range(3):
                writer.writerow([topic, " ".join(rng.permutation([*own, *rng.choice(WORDS, 3)]))])
    (project / "gemel.toml").write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        assert run(["train"]) == 0
        assert run(["calibrate"]) == 0
        (path,) = (project / ".gemel" / "releases").iterdir()
        assert run(["release", "promote", path.name, "--force", "--reason", "a test"]) == 0
    done = subprocess.run(
        [sys.executable, JOB, project, "0", str(N_KILLS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for name, one in found.items():
        n, status = one["killed"]
        assert (one["whole"], status) == (0, 0), (name, one)
        assert n, f"{name} ended before it was killed"
    return base, found


def encoders(folder: Path) -> dict[str, bytes]:
    """Networks and thresholds of what was made, by the name of their space."""
    out = {}
    for manifest in Store(folder / ".gemel").list():
        release = Store(folder / ".gemel").get(manifest.id)
        out[release.space_id] = (release.folder / "policy.json").read_bytes()
    return out


def test_a_smaller_release_is_the_same_and_stands_there_once(said) -> None:
    base, _ = said
    whole, broken = encoders(base / "shrink-whole"), encoders(base / "shrink-broken")
    assert len(whole) == 2 and whole == broken
    assert len(Store(base / "shrink-broken" / ".gemel").list()) == 2
    drafts = [p.name for p in (base / "shrink-broken" / ".gemel" / "releases").iterdir()]
    assert len([name for name in drafts if not name.startswith(".")]) == 2
    assert not list((base / "shrink-broken" / ".gemel" / "runs").glob("shrinking-*"))


def test_a_sweep_goes_on_where_it_was(said) -> None:
    base, _ = said
    runs = [
        {
            path.parent.name: json.loads(path.read_bytes())["history"]
            for path in (base / f"sweep-{how}" / ".gemel" / "runs").glob("*/train.json")
        }
        for how in ("whole", "broken")
    ]
    assert len(runs[0]) == 3 and runs[0] == runs[1]
    for name in runs[0]:
        files = [
            base / f"sweep-{how}" / ".gemel" / "runs" / name / "encoder" / "encoder.onnx"
            for how in ("whole", "broken")
        ]
        assert files[0].read_bytes() == files[1].read_bytes(), name
