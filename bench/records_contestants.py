"""How each contestant comes to its scores of the pairs of dev and of eval.

A contestant takes a table, its splits and a folder of its own and gives an `Outcome`. Peers run in
a virtual environment that is made here, since their pins differ from gemel's; gemel goes the way a
user's model goes: train, export, encode with ONNX Runtime, compare.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from peers_records import PEERS, SIDES, Variants
from records_data import Table

from gemel.data.splits import Splits
from gemel.encode import comparators
from gemel.encode.encoder import Encoder
from gemel.settings import TrainSettings

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements-peers.txt"
GEMEL = HERE.parent / "src" / "gemel"
LEARNED = tuple(GEMEL / part for part in ("data", "encode", "train"))


@dataclass(frozen=True)
class Outcome:
    """Scores by variant and side, and the seconds that all variants together took."""

    variants: Variants
    seconds: float


Contestant = Callable[[Table, Splits, Path], Outcome]


def contestants(cache: Path) -> dict[str, Contestant]:
    """All contestants by name; the peers' environment is made in `cache` when it is needed."""
    peers: dict[str, Contestant] = {name: partial(_peer, name, cache) for name in PEERS}
    return {**peers, "gemel": _gemel}


def _gemel(table: Table, splits: Splits, folder: Path) -> Outcome:
    """The encoder and comparator that `gemel train` makes with its default settings."""
    from gemel.train.fit import train

    dataset = table.dataset()
    # A finished run is taken as it is, but not when gemel itself has changed since.
    stamp, key = folder / "gemel.key", code()
    if not (stamp.is_file() and stamp.read_text() == key):
        shutil.rmtree(folder / "gemel", ignore_errors=True)
    run = train(dataset, splits, TrainSettings(), folder / "gemel")
    stamp.write_text(key)
    start = time.perf_counter()
    encoder = Encoder.open(run.encoder)
    comparator = comparators.load(run.encoder)
    scores = {}
    for side in SIDES:
        rows = encoder.encode(dataset.payloads(splits.sides()[side]))
        square = comparator.matrix(rows, rows)
        scores[side] = square[np.triu_indices(len(rows), 1)]
    return Outcome({"default": scores}, run.training.seconds + time.perf_counter() - start)


def code(parts: Sequence[Path] = LEARNED, *, apart_from: Sequence[str] = ()) -> str:
    """Digest of everything that decides what gemel learns and how it scores, or of other parts."""
    files = [file for part in parts for file in sorted(part.rglob("*.py"))]
    files = [file for file in files if file.name not in apart_from]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _peer(name: str, cache: Path, table: Table, splits: Splits, folder: Path) -> Outcome:
    """The peer's scores; kept in `folder` and used again while job, code and pins are the same."""
    sides = splits.sides()
    job = {
        "kinds": table.kinds,
        "rows": table.rows,
        "sides": {side: idx.tolist() for side, idx in sides.items()},
        "train_identity": table.identities[sides["train"]].tolist(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps(job))
    module = PEERS[name].partition(":")[0]
    code = [*sorted(HERE.glob(f"{module}*.py")), HERE / "peers_vectors.py", REQUIREMENTS]
    files = [folder / "job.json", HERE / "peers_records.py", *code]
    key = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    stamp, result = folder / f"{name}.key", folder / f"{name}.npz"
    if not (result.is_file() and stamp.is_file() and stamp.read_text() == key):
        stamp.unlink(missing_ok=True)
        _run(peers_python(cache), folder, name)
        stamp.write_text(key)
    with np.load(result) as arrays:
        variants: Variants = {}
        for label in arrays.files:
            if "|" in label:
                variant, _, side = label.rpartition("|")
                variants.setdefault(variant, {})[side] = arrays[label]
        return Outcome(variants, float(arrays["seconds"]))


def _run(python: Path, folder: Path, name: str) -> None:
    command = [str(python), str(HERE / "peers_records.py"), str(folder), name]
    done = subprocess.run(command, capture_output=True, text=True, env=_single_threaded())
    if done.returncode:
        raise SystemExit(f"{name} failed in {folder}:\n{done.stderr[-3000:]}")


def _single_threaded() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def peers_python(cache: Path) -> Path:
    """The interpreter of the peers' environment."""
    return environment(cache / "bench-venv", REQUIREMENTS)


def environment(folder: Path, requirements: Path) -> Path:
    """The interpreter of an environment, made again when its pins have changed."""
    python, stamp = folder / "bin" / "python", folder / requirements.name
    if not (stamp.is_file() and stamp.read_text() == requirements.read_text()):
        print(f"making {folder} for the peers", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
        environment = {k: v for k, v in os.environ.items() if k != "PIP_CONSTRAINT"}
        subprocess.run(pip, check=True, env=environment)
        stamp.write_text(requirements.read_text())
    return python
