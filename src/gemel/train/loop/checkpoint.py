"""One file that holds a training run between two epochs, replaced as a whole or not at all.

Tensors are safetensors, everything else is JSON in the same file's header; nothing is pickled. A
kill at any moment leaves the previous file or the next one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gemel.errors import TrainingError
from gemel.files import Held, Lock, write_whole

STATE = "state"
LOCK = ".lock"


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; the hold ends with the process, however it ends.

    Raises:
        TrainingError: another process holds it.
    """
    try:
        lock = Lock(folder / LOCK)
    except Held as e:
        raise TrainingError(
            "another process is training here",
            where=str(folder),
            hint="wait for it, or end it; a run that is killed goes on when started again",
        ) from e
    with lock:
        yield


def write(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Save tensors by name, and JSON values, as one file."""
    whole = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    write_whole(path, save(whole, metadata={STATE: json.dumps(state)}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `write` saved, or None where there is no file.

    Raises:
        TrainingError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt", device="cpu") as f:
            state = json.loads(f.metadata()[STATE])
            # Cloned: the file is mapped, and is about to be replaced.
            tensors = {name: torch.clone(f.get_tensor(name)) for name in f.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as e:
        raise TrainingError(
            f"the checkpoint cannot be read: {e}",
            where=str(path),
            hint="delete it; training then starts from the beginning",
        ) from e
    return tensors, state


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, Tensor]:
    """The moments and step counts of an optimizer, named by parameter number."""
    return {
        f"{prefix}{number}.{name}": value
        for number, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], prefix: str
) -> None:
    """Give an optimizer of the same parameters the state that `optimizer_tensors` named."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix):
            number, name = key[len(prefix) :].split(".", 1)
            moments.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
