"""How values are written belongs to the release: files, words, JSON, HTTP and Python read alike."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from litestar.testing import TestClient

import gemel as library
from gemel.cli.main import run
from gemel.errors import InvalidInput

Gemel = Callable[..., Any]
SETTINGS = """\
[data]
path = "people.csv"
identity = "person"
id = "id"
missing = ["N/A"]

[data.columns]
born = "date:dmy"

[train]
max_epochs = 1

[calibrate]
target = "f1"
"""
ROW = {"name": "emma koch", "city": "ulm", "born": "3/4/1980", "weight": "88,25"}


def write(path: Path) -> None:
    """Two records each of 90 people; a city that is N/A, days first, a decimal comma."""
    rng = np.random.default_rng(5)
    rows = []
    for person in range(90):
        name = "".join(rng.choice(list("abcdefghijklmnop"), 9))
        born = f"{rng.integers(1, 28):02}/{rng.integers(1, 13):02}/{rng.integers(1940, 2000)}"
        weight = f"{rng.integers(50, 100)},{rng.integers(10, 99)}"
        for i in range(2):
            city = "N/A" if rng.random() < 0.2 else "".join(rng.choice(list("qrstuvwxyz"), 6))
            rows.append([f"r{person}.{i}", f"p{person}", name, city, born, weight])
    names = ["id", "person", "name", "city", "born", "weight"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose gemel.toml loses, after training, all that it said of how values are read."""
    folder = tmp_path_factory.mktemp("reading")
    write(folder / "people.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("gemel.toml").write_text(SETTINGS)
        assert run(["train"]) == 0
        assert run(["calibrate"]) == 0
        name = next(Path(".gemel/releases").iterdir()).name
        assert run(["release", "promote", name, "--force", "--reason", "a test"]) == 0
        text = SETTINGS.replace('missing = ["N/A"]', "").replace('born = "date:dmy"', "")
        Path("gemel.toml").write_text(text)
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ({"city": "N/A"}, {"city": None}),
        ({"city": "  "}, {"city": None}),
        ({"weight": "N/A"}, {"weight": None}),
        ({"born": "03/04/1980"}, {"born": "1980-04-03"}),
        ({"weight": "88,5"}, {"weight": 88.5}),
    ],
)
def test_command_http_and_python_read_a_value_alike(
    here: Path, capsys: pytest.CaptureFixture[str], written: dict[str, Any], plain: dict[str, Any]
) -> None:
    stable = library.Store(".gemel").get("stable")
    service = library.Service(stable)
    other = {"name": "emma koch", "born": "1980-04-03", "weight": 88.25}
    base = {**other, "city": "ulm"}
    expected = service.verify({**base, **plain}, other).score
    assert service.verify({**base, **written}, other).score == expected
    with TestClient(library.create_app(service), base_url="http://127.0.0.1") as client:
        body = {"left": {**base, **written}, "right": other}
        assert client.post("/v1/verify", json=body).json()["score"] == expected
    capsys.readouterr()
    assert run(["verify", json.dumps({**base, **written}), json.dumps(other), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["score"] == expected
    said = []
    for row in (plain, written):
        assert run(["explain", json.dumps({**base, **row}), json.dumps(other), "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]


def test_a_file_is_enrolled_as_the_records_of_the_project(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gallery", "enroll"]) == 0
    people = pl.read_csv("people.csv", infer_schema=False)
    people.write_ndjson("people.jsonl")
    for file in ("people.csv", "people.jsonl"):
        capsys.readouterr()
        assert run(["gallery", "enroll", file, "--id", "id", "--label", "person", "--json"]) == 0
        done = json.loads(capsys.readouterr().out)
        assert (done["added"], done["updated"], done["unchanged"]) == (0, 0, 180)
    no_city = people.filter(pl.col("city") == "N/A").row(0, named=True)
    words = [f"{name}={no_city[name]}" for name in ("name", "city", "born", "weight")]
    assert run(["gallery", "search", *words, "--json"]) == 0
    (hit, *_) = json.loads(capsys.readouterr().out)
    assert hit["id"] == no_city["id"] and hit["city"] is None


def test_another_row_does_not_change_how_a_date_is_read(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"x{i},a{i},emma,ulm,03/04/1980,60" for i in range(150)]
    text = "\n".join(["id,person,name,city,born,weight", *rows])
    Path("unsure.csv").write_text(text)
    Path("other.csv").write_text(f"{text}\ny,b,karl,bonn,04/25/1991,61")
    label = ("--id", "id", "--label", "person", "--json")
    stable = library.Store(".gemel").get("stable")
    fields = stable.encoder.prepare.fields
    for file, born in (("unsure.csv", []), ("other.csv", [None])):
        assert run(["gallery", "enroll", file, "--dry-run", *label]) == 0
        data = library.read(file, id="id", fields=fields)
        assert [row["born"] for row in data.payloads()] == ["1980-04-03"] * 150 + born
    assert "read as missing" in capsys.readouterr().err
    with pytest.raises(InvalidInput) as caught:
        library.Service(stable).embed([{"born": "04/25/1991"}])
    assert "the day comes first" in caught.value.hint


def test_settings_that_read_otherwise_ask_for_another_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--set", 'data.missing=["N/A"]', "--set", 'data.columns={"born":"date:dmy"}']
    assert run(["calibrate", "--dry-run", *words]) == 0, capsys.readouterr().err
    assert run(["calibrate", "--dry-run", *words, "--set", 'data.missing=["N/A","nix"]']) == 1
    assert "gemel train" in capsys.readouterr().err


def test_phone_numbers_are_shown_as_their_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gemel: Gemel
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["key,name,phone"]
    for i, name in enumerate(f"{a}{b} {b}{a}son" for a in "ABCDEF" for b in "opqrs"):
        lines.append(f"k{i},{name},(212) 555-01{i:02}")
    Path("people.csv").write_text("\n".join(lines) + "\n")
    assert gemel("init", "people.csv").code == 0
    assert '# read as phone: "phone"' in Path("gemel.toml").read_text()
    said = gemel("data", "check")
    assert said.code == 0 and "phone (phone)" in said.out, said.err
