"""A modality that a package adds lives as the built-in ones do: read, train, serve, explain, show.

The package is found by its entry point, as pip would have installed it; nothing in gemel knows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import gemel
from gemel.cli.main import run
from gemel.console import pages
from gemel.encode import modality
from gemel.release.store import Store
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service

SOURCE = "from tests.conformance.toy_series import SERIES\n"


@pytest.fixture
def folder(install: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with the package installed and a file of its records."""
    install("toyseries", SOURCE, "gemel.modalities", series="SERIES")
    modality.named.cache_clear()
    monkeypatch.chdir(tmp_path)
    rng, lines = np.random.default_rng(3), []
    for who in range(40):
        shape = np.cumsum(rng.normal(size=24))
        for record in range(4):
            values = (shape + 0.3 * rng.normal(size=24)).round(4).tolist()
            lines.append({"id": f"s{who}.{record}", "who": f"w{who}", "series": values})
    (tmp_path / "series.json").write_text(json.dumps(lines))
    return tmp_path


def done(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    code = run([*words])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def test_its_whole_life(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done(capsys, "init", "series.json", "--kind", "series", "--identity", "who")
    assert "160" in done(capsys, "data", "check")
    done(capsys, "train", "--set", "train.max_epochs=2")
    made = ["--set", "train.max_epochs=2"]
    done(capsys, "calibrate", "--name", "toy", *made)
    (path,) = (folder / ".gemel" / "releases").iterdir()
    done(capsys, "release", "promote", path.name, "--force", "--reason", "a test")
    enrolled = done(capsys, "gallery", "enroll", "--json")
    assert json.loads(enrolled)["added"] == 160
    release = Store(folder / ".gemel").get("stable")
    assert release.modality == "series"
    assert {c.name for c in release.evidence.candidates} == {"gemel", "values"}

    records = json.loads((folder / "series.json").read_text())
    one, two, other = (json.dumps({"series": records[i]["series"]}) for i in (0, 1, 8))
    hits = json.loads(done(capsys, "gallery", "search", one, "--json"))
    assert hits[0]["id"] == "s0.0" and hits[0]["class"] == "w0"
    assert done(capsys, "verify", one, "s0.0").startswith("match")
    said = json.loads(done(capsys, "explain", one, other, "--json"))
    assert {part["name"] for part in said["parts"]} == {f"stretch {i}" for i in range(1, 5)}
    assert "stretch 1" in done(capsys, "explain", one, two)
    done(capsys, "report", "-o", "report.html")
    html = (folder / "report.html").read_text()
    assert "whether two time series are of one identity" in html
    assert release.evidence.mistakes and "stretch 2" in html


def test_it_is_served(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = gemel.by_identity(dataset := gemel.read("series.json", kind="series"))
    settings = gemel.TrainSettings(max_epochs=1)
    run_ = gemel.train_encoder(dataset, splits, settings, folder / "run")
    goals = gemel.Goals(verify=gemel.Target(kind="f1"))
    release = gemel.build_release(run_.folder, dataset, goals=goals, into=folder / "release")
    items = [{"series": payload} for payload in dataset.payloads(range(8))]
    place = folder / "gallery"
    with gemel.Gallery.open(place, space_id=release.space_id, dim=release.encoder.dim) as gallery:
        service = Service(release, gallery)
        with running(create_app(service, pages=pages.handlers(service))) as url:
            _ask(url, items)
        assert gallery.count() == 8


def _ask(url: str, items: list[Any]) -> None:
    schema = httpx.get(f"{url}/openapi.json").json()["components"]["schemas"]["Payload"]
    assert schema["required"] == ["series"]
    body = {"records": [{"id": str(i), "payload": item} for i, item in enumerate(items)]}
    httpx.post(f"{url}/v1/records", json=body).raise_for_status()
    same = httpx.post(f"{url}/v1/verify", json={"left": items[0], "right": items[0]}).json()
    assert same["score"] == pytest.approx(1, abs=1e-5)
    found = httpx.post(f"{url}/v1/search", json={"query": items[3]}).json()
    assert found["hits"][0]["id"] == "3"
    why = httpx.post(f"{url}/v1/explain", json={"left": items[0], "right": items[4]}).json()
    assert len(why["parts"]) == 4
    examples = httpx.get(f"{url}/console/examples").json()["examples"]
    assert all(list(item) == ["series"] for item in examples)
    for wrong in ({"series": ["a"]}, {"series": [1.0]}, {"serie": [1.0, 2.0]}, "text"):
        reply = httpx.post(f"{url}/v1/verify", json={"left": wrong, "right": items[0]})
        assert reply.status_code == 422 and reply.json()["where"].startswith("left"), wrong
