"""Rows of the demo's kind in any number: people like those of RLdata10000, some of them twice.

First and last names are those of RLdata10000 as often as there, and in every second person made of
the beginning of one and the end of another, as a large population has more names than a small one.
Birth dates are drawn from its birth dates. A second record has one typing error, as often in a
name, the year, the month or the day as second records have it there.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from records_data import load

TWICE = 0.05
"""Records that are the second one of a person."""
NEW_NAME = 0.5
FIRST, LAST = 1_500, 5_000
"""Names that are made."""
TYPED = {"fname_c1": 0.33, "lname_c1": 0.27, "by": 0.15, "bm": 0.11, "bd": 0.14}
LETTERS, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
Values = np.ndarray[Any, Any]


def rows(n: int, cache: Path, seed: int = 0, twice: float = TWICE) -> pl.DataFrame:
    """A frame of n rows: `record`, `identity`, and the fields of RLdata10000 as text."""
    rng = np.random.default_rng(seed)
    table = load("rldata10000", cache)
    known = dict(
        zip(table.kinds, (np.array(c, object) for c in zip(*table.rows, strict=True)), strict=True)
    )
    n_people = n - int(n * twice)
    drawn = {name: rng.integers(0, len(table.rows), n_people) for name in known}
    drawn["bm"] = drawn["bd"] = drawn["by"]  # a day is one that there is
    people = {name: values[drawn[name]] for name, values in known.items()}
    for name, size in (("fname_c1", FIRST), ("lname_c1", LAST)):
        new = _made(known[name], size, rng)
        weight = 1 / np.arange(20, 20 + size)
        which = np.flatnonzero(rng.random(n_people) < NEW_NAME)
        people[name][which] = rng.choice(new, len(which), p=weight / weight.sum())
    again = rng.choice(n_people, n - n_people, replace=False)
    second = {name: values[again].copy() for name, values in people.items()}
    where = rng.choice(list(TYPED), len(again), p=list(TYPED.values()))
    for i, name in enumerate(where.tolist()):
        second[name][i] = _typed(second[name][i], name, rng)
    order = rng.permutation(n)
    identity = np.concatenate([np.arange(n_people), again])[order]
    both = {name: np.concatenate([people[name], second[name]])[order] for name in known}
    frame = pl.DataFrame({name: values.tolist() for name, values in both.items()})
    ids = pl.Series("record", [f"r{i}" for i in range(n)])
    return frame.select(ids, pl.Series("identity", identity.tolist()), pl.all())


def genuine(frame: pl.DataFrame) -> int:
    """Pairs of one identity."""
    size = frame.group_by("identity").len()["len"].to_numpy()
    return int((size * (size - 1) // 2).sum())


def _made(known: Values, size: int, rng: np.random.Generator) -> Values:
    """New names of a beginning and an end of names that come at least three times."""
    usual = [name for name, times in sorted(Counter(known.tolist()).items()) if times > 2]
    made: dict[str, None] = {}
    while len(made) < size:
        start, end = (usual[i] for i in rng.integers(0, len(usual), 2))
        name = start[: (len(start) + 1) // 2] + end[len(end) // 2 :]
        if name not in usual:
            made[name] = None
    return np.array(list(made), object)


def _typed(value: str, name: str, rng: np.random.Generator) -> str:
    """The value with one character replaced, left out, put in, or two swapped."""
    letters = LETTERS if value[0].isalpha() else DIGITS
    at, new = int(rng.integers(0, len(value))), letters[int(rng.integers(0, len(letters)))]
    kind = 0 if name == "by" else int(rng.integers(0, 4))
    if kind == 1 and len(value) > 1:
        return value[:at] + value[at + 1 :]
    if kind == 2 and name not in ("bm", "bd"):
        return value[:at] + new + value[at:]
    if kind == 3 and at + 1 < len(value):
        return value[:at] + value[at + 1] + value[at] + value[at + 2 :]
    return value[:at] + new + value[at + 1 :]
