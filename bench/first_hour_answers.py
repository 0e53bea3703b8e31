"""Answers that teach: gemel after so many of them, after all labels, and dedupe beside it.

A person who does not err answers what `gemel label` asks about the train records; then `gemel
train` learns from the answers, as the command does. All labels of train are what answers can come
to.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from records_contestants import environment
from records_data import Table

from gemel.data.dataset import Dataset
from gemel.improve.labels.answers import Answers
from gemel.improve.labels.questions import plan
from gemel.improve.labels.session import Session
from gemel.improve.labels.teaching import Teaching
from gemel.release.evidence.goals import Goals
from gemel.release.make import unproven
from gemel.release.release import Release
from gemel.release.run import Run
from gemel.train.comparators.taught import lesson

GIB = 8
"""Of memory, for dedupe."""
DEDUPE = Path(__file__).parent / "requirements-dedupe.txt"
Pair = tuple[str, str]


@dataclass(frozen=True)
class Person:
    """Knows which of the records are of one person.

    Attributes:
        dataset: the records, without identities.
        identities: (n,) of them.
    """

    dataset: Dataset
    identities: np.ndarray

    @property
    def place(self) -> dict[str, int]:
        """Position of each id."""
        return {name: i for i, name in enumerate(self.dataset.ids.tolist())}

    def answers(self, release: Release, n: int, folder: Path, seed: int) -> dict[Pair, bool]:
        """What the first n questions of `gemel label` are answered, in their order."""
        both, at = (self.dataset, self.dataset), self.place
        made = plan(release, self.dataset, folder, seed=seed)
        session = Session(
            made, Answers(folder), "person", teaching=Teaching.of(release, both, made)
        )
        said: dict[Pair, bool] = {}
        while len(said) < n and (question := session.next()) is not None:
            one, two = (self.identities[at[name]] for name in question.pair)
            said[question.pair] = bool(one == two)
            session.say(question, "same" if one == two else "different")
        return said


def taught(run: Run, dataset: Dataset, said: dict[Pair, bool], folder: Path) -> Release:
    """The release that `gemel train` makes of a run and some answers."""
    learned = lesson(run, dataset, said)
    return unproven.build(run.folder, dataset, goals=Goals(), lesson=learned, into=folder)


def dedupe(
    table: Table, seed: int, cache: Path, n: int, given: tuple[Person, dict[Pair, bool]] | None
) -> dict[str, dict[str, np.ndarray]]:
    """Dedupe's scores of dev and eval: `asked`, after n answers that it asked for, and `given`.

    Without those that take more memory than `GIB`, and without `given` if nothing is given.
    """
    python, sides = environment(cache, DEDUPE), table.split(seed).sides()
    job: dict[str, Any] = {
        "columns": list(table.kinds),
        "rows": {side: [table.rows[i] for i in idx] for side, idx in sides.items()},
        "people": table.identities[sides["train"]].tolist(),
        "ways": ["asked"],
        "n": n,
        "seed": seed,
        "gib": GIB,
    }
    if given is not None:
        person, said = given
        at = person.place
        job["answers"] = [[at[a], at[b], int(same)] for (a, b), same in said.items()]
        job["ways"].append("given")
    with tempfile.TemporaryDirectory() as folder:
        where, out = Path(folder) / "job.json", Path(folder) / "out.npz"
        where.write_text(json.dumps(job))
        script = Path(__file__).with_name("peers_dedupe.py")
        done = subprocess.run([python, script, where, out], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"dedupe failed:\n{done.stderr[-3000:]}")
        with np.load(out) as arrays:
            return {
                name: {side: arrays[f"{name}|{side}"] for side in ("dev", "eval")}
                for name in ("given", "asked")
                if f"{name}|eval" in arrays
            }
