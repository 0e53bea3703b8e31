"""The demo in a reduced size: the whole life, and nothing of it twice."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.programs import fetching

from gemel.cli import demo, demo_records
from gemel.data.records import from_rows, read
from gemel.data.sources.packages import rldata10000

LETTERS = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
FETCHED: list[Path] = []


def records(cache: Path) -> Any:
    """Records in the shape of the real ones, made here since tests have no network."""
    FETCHED.append(cache)
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    people: list[str] = []
    for person in range(260):
        row = {
            "fname_c1": "".join(rng.choice(LETTERS, 6)),
            "lname_c1": "".join(rng.choice(LETTERS, 8)),
            "by": float(rng.integers(1930, 2000)),
            "bm": float(rng.integers(1, 13)),
        }
        rows.append(row)
        people.append(str(person))
        if person < 120:
            at = int(rng.integers(8))
            name = row["lname_c1"]
            rows.append({**row, "lname_c1": name[:at] + "X" + name[at + 1 :]})
            people.append(str(person))
    return from_rows(rows, identities=people)


def everything(folder: Path) -> dict[str, int]:
    """When each file of runs and releases was written."""
    found = [p for part in ("runs", "releases") for p in (folder / ".gemel" / part).rglob("[!.]*")]
    return {str(p): p.stat().st_mtime_ns for p in found}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL__TRAIN__MAX_EPOCHS", "2")


@pytest.mark.usefixtures("quick")
def test_the_demo_goes_through_the_whole_life_and_then_finds_it_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"

    def go() -> tuple[str, str]:
        project = demo_records.prepare(folder, 300, 0, records)
        demo.run(project, stay=False)
        seen = capsys.readouterr()
        return seen.out, seen.err

    out, err = go()
    assert "gemel" in out and "recall_at_1" in out and "threshold" in out
    assert re.search(r"verify: (match|review|no_match), score", err)
    assert re.search(r"search: \S+ match", err) and (folder / "report.html").stat().st_size > 10_000
    before = everything(folder)
    out, err = go()
    assert "already" in err and "verify: " in err
    assert everything(folder) == before
    assert len(FETCHED) == 1


def test_fewer_records_keep_whole_identities(tmp_path: Path) -> None:
    dataset = records(tmp_path)
    fewer = demo_records.some(dataset, 100)
    sizes = np.bincount(fewer.identities, minlength=260)
    whole = np.bincount(dataset.identities, minlength=260)
    assert len(fewer) == 100 and (sizes > 1).sum() == 25
    assert all(n in (0, whole[i]) for i, n in enumerate(sizes))


def test_records_written_and_read_again_are_the_same(tmp_path: Path) -> None:
    dataset = records(tmp_path)
    demo_records.write(dataset, tmp_path / "x.csv")
    again = read(tmp_path / "x.csv", identity="identity", id="record")
    assert again.payloads() == dataset.payloads()
    assert [again.identity_of(i) for i in range(9)] == [dataset.identity_of(i) for i in range(9)]


@pytest.mark.usefixtures("quick")
def test_the_real_records_in_a_reduced_size(
    tmp_path: Path, gemel: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with fetching():
        rldata10000(tmp_path / "demo" / "cache")
    monkeypatch.chdir(tmp_path)
    words = ["demo", "--folder", "demo", "--rows", "400", "--port", "0", "--no-serve"]
    said = gemel(*words)
    assert said.code == 0, said.err
    assert "licence" in said.err and "TF-IDF" in said.out
