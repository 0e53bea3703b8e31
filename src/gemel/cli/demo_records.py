"""The records of the demo as an ordinary project: a CSV file and the settings for it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gemel.cli import show, template
from gemel.cli.guess import look_at
from gemel.cli.project import Project
from gemel.config import FILE
from gemel.data.schema import as_text
from gemel.files import write_whole

if TYPE_CHECKING:
    from gemel.data.records import Dataset

Fetch = Callable[[Path], "Dataset"]
"""Gives the records, given a folder to cache them in."""


def prepare(folder: Path, rows: int, port: int, fetch: Fetch) -> Project:
    """The project of the demo; its files are written unless they are there.

    Args:
        folder: becomes the project.
        rows: records at most.
        port: of the page.
        fetch: gives all records.
    """
    settings, source = folder / FILE, folder / f"records-{rows}.csv"
    folder.mkdir(parents=True, exist_ok=True)
    if not source.is_file():
        with show.progress("fetching the records (2 MB, once)"):
            dataset = fetch(folder / "cache")
        write(some(dataset, rows), source)
    if not settings.is_file():
        said = {"data.identity": "identity", "data.id": "record"}
        guess = look_at(source, said, {})
        settings.write_text(template.render(guess, folder), encoding="utf-8")
    return Project.open(settings, flags={"data.path": source.name, "serve.port": port})


def some(dataset: Dataset, rows: int) -> Dataset:
    """At most so many records, in whole identities; half of them, if there are, of several."""
    if rows >= len(dataset):
        return dataset
    sizes = np.bincount(dataset.identities)[dataset.identities]
    order = np.lexsort((dataset.identities, sizes == 1))
    several = order[: int((sizes > 1).sum())]
    whole = np.flatnonzero(np.diff(dataset.identities[several], append=-1))
    end = whole[whole < rows // 2].max(initial=-1) + 1
    single = order[len(several) :][: rows - end]
    return dataset.take(np.sort(np.concatenate([several[:end], single])))


def write(dataset: Dataset, path: Path) -> None:
    """Write rows as CSV with their ids and identities; the file appears whole."""
    names = [f.name for f in dataset.fields]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["record", "identity", *names])
    for i, row in enumerate(dataset.payloads()):
        values = [as_text(row[name]) for name in names]
        writer.writerow([dataset.ids[i], dataset.identity_of(i), *values])
    write_whole(path, text.getvalue().encode())
