"""dedupe, taught by answers about pairs: the scores of all pairs of dev and of eval.

Run as a script in an environment of its own: `python peers_dedupe.py JOB.json OUT.npz`. The job has
the columns, the rows of the sides, and answers about pairs of train. The classifier is the one that
dedupe trains, with its cross-validated penalty; it scores every pair, so that no blocking loses
any. It learns from the answers that gemel asked for, or from as many that it asks for itself, as
the job says. Scores that take more memory than the job allows are left out.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import dedupe
import numpy as np

AT_ONCE = 20_000
MOST_ROWS = 3_200
"""Of train, to choose questions from: for each blocking rule dedupe holds every pair of up to
5,000 rows that the rule keeps together, more than 10 GiB where one field is a month."""
GIB = 1 << 30
SIDES = ("dev", "eval")
PERSON = "-person"
Row = dict[str, str | None]


def new(columns: Sequence[str]) -> dedupe.Dedupe:
    """A model that compares every column as text, one that may be missing."""
    fields = [dedupe.variables.String(name, has_missing=True) for name in columns]
    return dedupe.Dedupe(fields, num_cores=0)


def told(columns: Sequence[str], rows: Sequence[Row], answers: list[list[int]]) -> dedupe.Dedupe:
    """The model that has learned from given answers: positions of two rows, and 1 if the same."""
    deduper = new(columns)
    pairs = [(rows[i], rows[j]) for i, j, _ in answers]
    same = np.array([answer for *_, answer in answers])
    deduper.classifier.fit(deduper.data_model.distances(pairs), same)
    return deduper


def asking(columns: Sequence[str], rows: Sequence[Row], n: int, seed: int) -> dedupe.Dedupe:
    """The model that has learned from n answers that it asked for itself."""
    random.seed(seed)
    np.random.seed(seed)
    deduper = new(columns)
    n, most = len(rows), min(len(rows), MOST_ROWS)
    some = range(n) if n == most else sorted(random.sample(range(n), most))
    deduper.prepare_training({i: rows[i] for i in some})
    for _ in range(n):
        (pair,) = deduper.uncertain_pairs()
        same = pair[0][PERSON] == pair[1][PERSON]
        deduper.mark_pairs({"match": [pair] if same else [], "distinct": [] if same else [pair]})
    deduper.train()
    return deduper


def scores(deduper: dedupe.Dedupe, rows: Sequence[Row]) -> np.ndarray:
    """Probability that dedupe gives each pair, in `triu_indices` order."""
    left, right = np.triu_indices(len(rows), 1)
    found = np.empty(len(left), np.float32)
    for start in range(0, len(left), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        pairs = [(rows[i], rows[j]) for i, j in zip(left[part], right[part], strict=True)]
        distances = deduper.data_model.distances(pairs)
        found[part] = deduper.classifier.predict_proba(distances)[:, -1]
    return found


def main(job: Path, out: Path) -> None:
    """Read the job, write the scores."""
    said, begun = json.loads(job.read_text()), time.process_time()
    columns = said["columns"]
    resource.setrlimit(resource.RLIMIT_AS, (said["gib"] * GIB,) * 2)

    def rows(side: str) -> list[Row]:
        lower = [[v.lower() if v else None for v in row] for row in said["rows"][side]]
        return [dict(zip(columns, row, strict=True)) for row in lower]

    train = rows("train")
    for row, person in zip(train, said["people"], strict=True):
        row[PERSON] = person
    arrays = {}
    ways: tuple[tuple[str, Callable[[], dedupe.Dedupe]], ...] = (
        ("given", lambda: told(columns, train, said["answers"])),
        ("asked", lambda: asking(columns, train, said["n"], said["seed"])),
    )
    for name, way in ways:
        if name not in said["ways"]:
            continue
        try:
            deduper = way()
            for side in SIDES:
                arrays[f"{name}|{side}"] = scores(deduper, rows(side))
        except MemoryError:
            print(f"{name}: out of memory", file=sys.stderr)
    np.savez(out, seconds=np.array(time.process_time() - begun), **arrays)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
