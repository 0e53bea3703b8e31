"""`gemel report`: HTML, and the card as the service shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tests.serve import small

from gemel.release.store import Store
from gemel.release.words.card import Card
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service

Gemel = Callable[..., Any]


def test_the_card_on_the_command_line_is_the_one_served(project: Path, gemel: Gemel) -> None:
    said = gemel("report", "--json")
    assert said.code == 0, said.err
    assert not Path("report.html").exists()
    release = Store(".gemel").get("stable")
    with running(create_app(Service(release))) as url:
        first, again = httpx.get(f"{url}/v1/card"), httpx.get(f"{url}/v1/card")
    assert first.status_code == 200
    assert first.headers["x-gemel-release"] == release.id
    assert first.json() == again.json() == json.loads(said.out)
    assert msgspec.json.decode(first.content, type=Card).details.id == release.id


def test_a_release_without_evidence_has_none(tmp_path: Path) -> None:
    with running(create_app(Service(small.release(tmp_path / "small")))) as url:
        reply = httpx.get(f"{url}/v1/card")
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert "evidence.json" in reply.json()["detail"]


def test_the_page_is_written_whole_or_announced(project: Path, gemel: Gemel) -> None:
    said = gemel("report", "-o", "out.html", "--dry-run")
    assert said.code == 0
    assert not Path("out.html").exists()
    assert gemel("report", "-o", "out.html").code == 0
    assert Path("out.html").read_text().startswith("<!doctype html>")
    assert not list(Path().glob("*.draft"))


def test_a_report_is_named_by_its_release_and_says_what_it_replaces(
    project: Path, gemel: Gemel
) -> None:
    name = f"report-{Store('.gemel').get('stable').short_id}.html"
    first, again = gemel("report"), gemel("report")
    assert (first.code, again.code) == (0, 0)
    assert f"wrote {name}\n" in first.err
    assert f"wrote {name} over the file that is there" in again.err
    assert Path(name).stat().st_size > 10_000
