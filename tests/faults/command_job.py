"""Runs commands in child processes that it kills: `command_job.py PROJECT SEED N_KILLS`.

Torch is imported once and each command is a fork. Each is run whole in one copy of the project, and
killed at random moments in another until it has ended there as well. Prints one JSON object.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import onnxscript  # noqa: F401  (imported before the forks, not in each of them)
import torch
import torch._dynamo

from gemel.cli.main import run
from gemel.release.store import Store

COMMANDS = {
    "shrink": ("shrink", "--student", "--take", "student"),
    "sweep": ("train", "--sweep", "learning_rate=0.003,0.00001"),
}


def start(folder: Path, words: tuple[str, ...]) -> int:
    """The id of a process that runs a command in a folder."""
    pid = os.fork()
    if pid:
        return pid
    status = 99
    try:
        os.chdir(folder)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            status = run(words)
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


def killed(folder: Path, words: tuple[str, ...], moments: list[float]) -> tuple[int, int]:
    """How often the command was killed in the folder, and its exit status when it was not."""
    for n, moment in enumerate(moments):
        status = until(start(folder, words), time.monotonic() + moment)
        Store(folder / ".gemel").list()  # what lies there can be read
        if status is not None:
            return n, status
    status = until(start(folder, words), time.monotonic() + 300)
    return len(moments), -1 if status is None else status


def main() -> None:
    """Kill each command, then let it end."""
    project, dice, n = Path(sys.argv[1]), random.Random(sys.argv[2]), int(sys.argv[3])
    said = {}
    for name, words in COMMANDS.items():
        whole, broken = (project.with_name(f"{name}-{how}") for how in ("whole", "broken"))
        for folder in (whole, broken):
            shutil.copytree(project, folder)
        began = time.monotonic()
        status = until(start(whole, words), began + 300)
        took = time.monotonic() - began
        moments = [dice.uniform(0, 0.9 * took) for _ in range(n)]
        said[name] = {"whole": status, "killed": killed(broken, words, moments)}
    print(json.dumps(said))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
