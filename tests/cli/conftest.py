"""A small project of people with typing errors, taken through its whole life once."""

import csv
import importlib
import inspect
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gemel.cli.main import run

FIRST = "anna berta carla doris emma frida greta hanna ida johanna karl ludwig max otto paul"
LAST = "mueller schmidt schneider fischer weber wagner becker schulz hoffmann koch bauer"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
N_PEOPLE = 120
SETTINGS = {"GEMEL__TRAIN__MAX_EPOCHS": "2", "GEMEL__SERVE__PORT": "0"}


def misspelt(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(len(word)))
    return word[:at] + LETTERS[int(rng.integers(26))] + word[at + 1 :]


def write_people(path: Path) -> None:
    rng = np.random.default_rng(7)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "person", "first", "last", "town", "born"])
        for person in range(N_PEOPLE):
            first = str(rng.choice(FIRST.split()))
            last = "".join(rng.choice(LAST.split(), 2))
            town = "".join(rng.choice(list(LETTERS), 8))
            born = f"{rng.integers(1930, 2000)}-{rng.integers(1, 13):02}-{rng.integers(1, 28):02}"
            for record in range(2 if person % 2 else 1):
                name = misspelt(last, rng) if record else last
                writer.writerow([f"r{person}.{record}", f"p{person}", first, name, town, born])


@dataclass(frozen=True)
class Said:
    """What a command line wrote, and how it ended."""

    code: int
    out: str
    err: str


Gemel = Callable[..., Said]


@pytest.fixture
def gemel(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Gemel:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)

    def call(*words: str | Path) -> Said:
        capsys.readouterr()
        code = run([str(w) for w in words])
        seen = capsys.readouterr()
        return Said(code, seen.out, seen.err)

    return call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a trained encoder, a promoted release and an enrolled gallery."""
    folder = tmp_path_factory.mktemp("finished")
    write_people(folder / "people.csv")
    before, environ = Path.cwd(), dict(os.environ)
    os.chdir(folder)
    os.environ.update(SETTINGS)
    try:
        assert run(["init", "people.csv", "--set", "split.crossed=false"]) == 0
        assert run(["train"]) == 0
        assert run(["calibrate", "--name", "first"]) == 0
        release = next((folder / ".gemel" / "releases").iterdir()).name
        assert run(["release", "promote", release, "--force", "--reason", "a test"]) == 0
        assert run(["gallery", "enroll"]) == 0
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environ)
    return folder


@pytest.fixture
def people(empty: Path) -> Path:
    """A file of people in an empty working directory."""
    write_people(empty / "people.csv")
    return empty / "people.csv"


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished project, as the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


MODULES = """
argparse calendar codecs collections configparser csv datetime decimal difflib fractions ftplib gzip
http.client imaplib io ipaddress json logging lzma mailbox pathlib pdb pickle queue random sched
selectors shelve smtplib socket sqlite3 ssl statistics string subprocess tarfile tempfile textwrap
threading trace uuid wave weakref zipfile
"""


def _docstrings() -> Iterator[tuple[str, str]]:
    """The class and the text of each docstring of a method; an inherited one is of one class."""
    seen: set[str] = set()
    for module in MODULES.split():
        found = importlib.import_module(module)
        for name, kind in sorted(vars(found).items()):
            if not inspect.isclass(kind) or kind.__module__ != module:
                continue
            texts = {
                " ".join(text.split())
                for member in vars(kind).values()
                if callable(member) and len(text := inspect.getdoc(member) or "") > 60
            } - seen
            seen |= texts
            if len(texts) > 1:
                yield from ((f"{module}.{name}", text) for text in sorted(texts)[:6])


@pytest.fixture(scope="session")
def docstrings() -> list[tuple[str, str]]:
    """Real texts without a network: class and text of methods of the standard library."""
    return list(_docstrings())
