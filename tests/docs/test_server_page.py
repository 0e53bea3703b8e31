"""The page on servers: its commands take a release elsewhere, its files are what they say."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.conftest import finished
from tests.serve import small

from gemel.cli.main import run
from gemel.config import PREFIX, Config
from gemel.serve.http.routes.table import TABLE
from gemel.telemetry import EVENTS, METRICS

__all__ = ["finished"]
TEXT = (Path(__file__).parents[2] / "docs" / "how-to" / "put-on-a-server.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, flags=re.S)


@contextmanager
def serving(words: list[str]) -> Iterator[str]:
    """A process of `gemel serve`, and its address."""
    command = [sys.executable, "-m", *words, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = (json.loads(line) for line in process.stderr if line.startswith("{"))
            port = next(line["url"] for line in lines if line["event"] == "service_started")
            yield f"http://127.0.0.1:{port.rpartition(':')[2]}"
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


def ask(url: str, key: str = "") -> Any:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as got:
        return got.read().decode()


def test_the_commands_take_a_release_to_a_server_and_back_from_a_copy(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing but the release and the records travels."""
    there, here, checked = blocks("sh")
    (built,) = (finished / ".gemel" / "releases").iterdir()
    monkeypatch.chdir(finished)
    assert run(shlex.split(there.splitlines()[0])[1:]) == 0
    server = tmp_path / "people"
    shutil.copytree(built, server / "incoming" / built.name)
    shutil.copy(finished / "people.csv", server)
    (server / "gemel.toml").touch()
    monkeypatch.chdir(server)
    keys = []
    *lines, last = [shlex.split(line.replace("ID", built.name[:12])) for line in here.splitlines()]
    lines[0][-1] = f"incoming/{built.name}"
    for words in lines:
        capsys.readouterr()
        # two epochs on 120 people prove little: what the gates say of that is none of this page
        words += ["--force"] if "promote" in words else []
        assert run(words[1:]) == 0, capsys.readouterr().err
        if "keys" in words:
            keys.append(capsys.readouterr().out.strip())
    with serving(last) as url:
        assert json.loads(ask(url + "/readyz"))["release"] == built.name
        assert json.loads(ask(url + "/v1/records", keys[0])) == {"count": 180}
        assert "gemel_ready 1" in ask(url + "/metrics", keys[1])
    shutil.copytree(server / ".gemel", tmp_path / "back" / ".gemel")
    monkeypatch.chdir(tmp_path / "back")
    for line in checked.splitlines():
        assert run(shlex.split(line)[1:]) == 0, line
    left = {p.name for p in (server / ".gemel").iterdir()}
    assert {name for name in left if f"`{name}`" in TEXT} >= {
        *("releases", "store.db", "gallery", "ledger.db", "ledger.key", "keys.json"),
    }


def test_what_is_added_is_whole_and_the_same_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    release = small.release(tmp_path / "incoming")
    monkeypatch.chdir(tmp_path)
    shelf = tmp_path / ".gemel" / "releases"
    assert run(["release", "add", "incoming", "--dry-run"]) == 0 and not shelf.exists()
    refused = "next: gemel gallery enroll FILE -r .*; gemel release promote would refuse it \\("
    for said in (refused, "is on the shelf already"):
        capsys.readouterr()
        assert run(["release", "add", "incoming"]) == 0
        seen = capsys.readouterr()
        assert seen.out.strip() == release.id and re.search(said, seen.err)
    (shelf / release.id / "policy.json").unlink()  # as where another means copied half of it
    for more in ([], ["--dry-run"]):
        assert run(["release", "add", "incoming", *more]) == 1
        assert "policy.json" in capsys.readouterr().err
    shutil.rmtree(shelf)
    (tmp_path / "incoming" / "policy.json").unlink()
    assert run(["release", "add", "incoming"]) == 1
    assert "policy.json" in capsys.readouterr().err and not shelf.exists()
    assert run(["release", "add", "nowhere"]) == 1


def test_the_files_name_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    (unit,) = blocks("ini")
    parsed = configparser.ConfigParser()
    parsed.read_string(unit)
    assert "gemel serve" in parsed["Service"]["ExecStart"]
    deployment, scraped, rules = map(yaml.safe_load, blocks("yaml"))
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert deployment["spec"]["replicas"] == 1, "a gallery has one writer"
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    free = {route.path for route in TABLE if route.role is None}
    probes = [probe for name, probe in container.items() if name.endswith("Probe")]
    assert len(probes) == 3 and {probe["httpGet"]["path"] for probe in probes} <= free
    (said,) = container["env"]
    assert Config.load(None, {said["name"]: said["value"]}).serve.allowed_hosts == ("gemel.prod",)
    assert said["name"].startswith(PREFIX) and "authorization" in scraped["scrape_configs"][0]
    known = {metric.name for metric in METRICS}
    for rule in rules["groups"][0]["rules"]:
        assert set(re.findall(r"gemel_\w+", rule["expr"])) <= known, rule
    named = re.search(r"Logs are JSON lines.*?\n\n", TEXT, flags=re.S)
    assert named is not None and {"release_refused", "ledger_failed"} <= set(EVENTS)
    words = set(re.findall(r"`(\w+)`", named[0])) - {"rolled_back", "warning"}
    assert words <= set(EVENTS), words
