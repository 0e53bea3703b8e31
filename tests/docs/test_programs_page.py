"""The calls on the page about programs are answered as they stand, by a real service."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serve import small

from gemel.gallery.gallery import Gallery
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service

TEXT = (Path(__file__).parents[2] / "docs" / "how-to" / "call-from-programs.md").read_text()
HERE = "http://127.0.0.1:8080"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    release = small.release(tmp_path / "release")
    space = {"space_id": release.space_id, "dim": small.DIM}
    with (
        Gallery.open(tmp_path / "gallery", **space) as gallery,
        running(create_app(Service(release, gallery))) as url,
    ):
        yield url


def test_every_line_of_curl_is_answered(url: str) -> None:
    (block,) = [b for b in re.findall(r"```sh\n(.*?)```", TEXT, flags=re.S) if "curl" in b]
    first, *lines = block.splitlines()
    assert first == f"URL={HERE}" and len(lines) > 8
    replies = {}
    for line in lines:
        curl, *words, address = shlex.split(line.replace("$URL", url))
        assert curl == "curl"
        said = dict(zip(words[::2], words[1::2], strict=True))
        body, method = said.pop("--json", None), said.pop("-X", None)
        assert not said, line
        reply = httpx.request(
            method or ("POST" if body else "GET"),
            address,
            content=body,
            headers={"content-type": "application/json"} if body else {},
        )
        assert reply.status_code == 200, (line, reply.text)
        replies[line.rpartition("/v1/")[2]] = reply.json()
    assert replies["records"]["added"] == 1
    assert [hit["id"] for hit in replies["search"]["hits"]] == ["c7"]
    assert replies["identify"]["record"] == "c7"


def test_the_python_runs(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = next(b for b in re.findall(r"```python\n(.*?)```", TEXT, flags=re.S) if "Client(" in b)
    found: dict[str, object] = {}
    exec(compile(code.replace(HERE, url), "call-from-programs.md", "exec"), found)
    assert "c7" in capsys.readouterr().out
    many = found["many"]
    assert isinstance(many, list) and len(many) == 100
