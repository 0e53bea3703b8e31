"""Recordings on the command line, from a folder of them to a served release."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
import soundfile
from litestar.testing import TestClient
from tests.cli import over_http
from tests.console.test_pages import dumped
from tests.encode import voices

import gemel
from gemel.cli.label import opened
from gemel.cli.main import run
from gemel.cli.project import Project
from gemel.console import pages
from gemel.console.labels import Desk, app
from gemel.data.sources import recordings
from gemel.improve.labels.beside import Beside
from gemel.release.store import Store
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `voices` of 30 voices with 4 recordings, and a promoted release of it."""
    folder = tmp_path_factory.mktemp("recordings")
    for i, pitch in enumerate(np.geomspace(80, 320, 30)):
        (folder / "voices" / f"v{i}").mkdir(parents=True)
        for j in range(4):
            file = folder / "voices" / f"v{i}" / f"{j}.wav"
            file.write_bytes(voices.said(float(pitch), 100 * i + j))
    (folder / "voices" / "v0" / "broken.wav").write_bytes(b"RIFF")
    (folder / "voices" / "v0" / "phone.m4a").write_bytes(b"....ftyp")
    (folder / "voices" / "v0" / "notes.txt").write_text("no sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lax = ["--set", "data.max_bad_ratio=0.1"]
        assert run(["init", "voices", "--kind", "audio", *lax]) == 0
        assert run(["data", "check"]) == 0
        few = ["--set", "train.max_epochs=1"]
        assert run(["train", *few]) == 0
        assert run(["calibrate", *few]) == 0
        (path,) = (folder / ".gemel" / "releases").iterdir()
        promote = ["release", "promote", path.name, "--force", "--reason", "a test"]
        assert run(promote) == 0
        assert run(["gallery", "enroll"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    code = run([*words])
    out = capsys.readouterr()
    assert code == 0, out.err
    return out.out


def test_refused_files_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["data", "check"]) == 0
    told = "".join(capsys.readouterr())
    assert "broken.wav" in told and "no recording that can be read" in told
    assert "M4A is not read: save it as WAV" in told and "notes.txt" in told


def test_a_recording_finds_itself_and_what_speaks_for_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hits = json.loads(said(capsys, "gallery", "search", "voices/v7/2.wav", "--json"))
    assert hits[0]["id"] == "v7/2.wav" and hits[0]["class"] == "v7"
    assert said(capsys, "verify", "voices/v7/2.wav", "v7/2.wav").startswith("match")
    why = json.loads(said(capsys, "explain", "voices/v7/2.wav", "voices/v20/1.wav", "--json"))
    assert why["parts"] and all(part["name"].endswith(" s") for part in why["parts"])
    told = json.loads(said(capsys, "gallery", "classify", "voices/v7/2.wav", "--json"))
    assert told["label"] == "v7"
    said(capsys, "duplicates")
    said(capsys, "report", "-o", "report.html")


def test_a_file_that_is_no_recording_is_named_and_not_what_a_request_would_hold(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "noise.wav").write_text("no sound")
    for words in (("verify", "noise.wav", "v7/2.wav"), ("gallery", "search", "noise.wav")):
        assert run([*words]) == 1
        told = capsys.readouterr().err
        assert "error: noise.wav: no recording" in told and "hint: name a sound file" in told
        assert "base64" not in told and "audio" not in told


def test_it_is_served(project: Path) -> None:
    release = Store(project / ".gemel").get("stable")
    assert {c.name for c in release.evidence.candidates} == {"gemel", "bands"}
    item = {"audio": base64.b64encode(Path("voices/v3/0.wav").read_bytes()).decode()}
    place = project / "served"
    with (
        gemel.Gallery.open(place, space_id=release.space_id, dim=release.encoder.dim) as gallery,
        running(create_app(Service(release, gallery))) as url,
    ):
        same = httpx.post(f"{url}/v1/verify", json={"left": item, "right": item["audio"]}).json()
        assert same["score"] == pytest.approx(1, abs=1e-4)
        for wrong in ({"audio": "no"}, {"audio": 5}, {"sound": "x"}, {"audio": "QUJD"}):
            reply = httpx.post(f"{url}/v1/verify", json={"left": wrong, "right": item})
            assert reply.status_code == 422 and reply.json()["where"].startswith("left"), wrong


def test_what_is_long_is_refused_unread_or_heard_once_and_apart(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of 80 kilobytes that lasts ten minutes kept everybody waiting for ten seconds."""

    def hum(seconds: int) -> str:
        file = io.BytesIO()
        sound = np.zeros(seconds * 8000, np.float32)
        sound[:4000:2] = 0.1
        soundfile.write(file, sound, 8000, format="FLAC")
        return base64.b64encode(file.getvalue()).decode()

    def n_read(url: str) -> float:
        metrics = httpx.get(f"{url}/metrics").text
        (count,) = re.findall(r'^gemel_batch_seconds_count{lane="read"} (\S+)', metrics, flags=re.M)
        return float(count)

    decoded, as_it_is = [], recordings.samples

    def counted(data: bytes, rate: int = 0) -> Any:
        decoded.append(len(data))
        return as_it_is(data, rate)

    monkeypatch.setattr(recordings, "samples", counted)
    release = Store(project / ".gemel").get("stable")
    with running(create_app(Service(release))) as url:
        decoded.clear()
        bombs = {"input": [{"audio": hum(590)}] * 20}
        reply = httpx.post(f"{url}/v1/embeddings", json=bombs)
        assert reply.status_code == 422
        assert "at most 100" in reply.json()["error"]["message"]
        assert not decoded
        long, short = hum(300), hum(2)
        reply = httpx.post(f"{url}/v1/verify", json={"left": short, "right": short})
        assert reply.json()["outcome"] == "match" and len(decoded) == 2
        before = n_read(url)
        reply = httpx.post(f"{url}/v1/verify", json={"left": long, "right": short})
        assert reply.status_code == 200 and n_read(url) == before + 2
        assert len(decoded) <= 3, "the long one is decoded beside, and not again"
        alone = release.encoder.encode([base64.b64decode(long), base64.b64decode(short)])
        assert reply.json()["score"] == pytest.approx(float(alone[0] @ alone[1]), abs=1e-4)


def test_voices_are_told_apart_and_found_twice_over_http(project: Path, tmp_path: Path) -> None:
    release = Store(project / ".gemel").get("stable")
    said = {
        voice: [
            {"audio": base64.b64encode(Path(f"voices/{voice}/{i}.wav").read_bytes()).decode()}
            for i in range(3)
        ]
        for voice in ("v2", "v14", "v27")
    }
    over_http.answers(release, said, tmp_path / "gallery")


def test_questions_about_recordings_can_be_heard(capsys: pytest.CaptureFixture[str]) -> None:
    session, both = opened(Project.open(), Project.open().release())
    desk = Desk(session, Beside(*both), lambda known: "", every=2)
    with TestClient(app(desk, 8765), base_url="http://127.0.0.1:8765") as page:
        reply = page.get("/state")
    assert "media-src data:" in reply.headers["content-security-policy"]
    sounds = reply.json()["question"]["sounds"]
    assert len(sounds) == 2 and reply.json()["question"]["pictures"] == []
    for url in sounds:
        kind, _, file = url.partition(";base64,")
        sound, rate = soundfile.read(io.BytesIO(base64.b64decode(file)))
        assert kind == "data:audio/wav" and len(sound) / rate > 0.2 and np.abs(sound).max() > 0.01
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO("q"))
        assert run(["label"]) == 0
    assert "to hear them: gemel label --page" in capsys.readouterr().err


def test_on_a_device_the_same_sound_gives_the_same(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = Store(project / ".gemel").get("stable")
    said(capsys, "export", "-o", str(tmp_path / "device.onnx"))
    session = onnxruntime.InferenceSession(tmp_path / "device.onnx")
    payloads, rows = release.probe_payloads()
    found = [session.run(None, {"sound": recordings.samples(p, 8000)[0]})[0][0] for p in payloads]
    apart = np.abs(np.stack(found) - rows).max(axis=1)
    # A level that lies half way between two may be the next one.
    assert np.mean(apart <= 1e-4) > 0.8 and apart.max() < 5e-3, apart


def test_the_page_takes_recordings_and_says_what_speaks_for_a_match(
    project: Path, tmp_path: Path
) -> None:
    service = Service(Store(project / ".gemel").get("stable"))
    with running(create_app(service, pages=pages.handlers(service))) as url:
        page = dumped(f"{url}/?example=why", tmp_path).split("<main>")[1].split('id="search"')[0]
    assert page.count('class="drop"') == page.count(" kB<") == 2
    assert 'class="worths"' in page and 'class="problem"' not in page
