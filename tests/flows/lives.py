"""What a release has to do for a user once it is made, whatever it was taught by."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from gemel.cli.main import run
from gemel.gallery.gallery import Gallery
from gemel.release.store import Store
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service


def lives(capsys: pytest.CaptureFixture[str], left: str, right: str) -> str:
    """Promote the latest release of the working folder, decide on two texts by every way, report.

    Returns:
        The report.
    """
    store = Store(".gemel")
    release = store.get(store.list()[0].id)
    why = ("--force", "--reason", "a test")
    _said(capsys, "release", "promote", release.id, *why)
    _said(capsys, "gallery", "enroll")
    same = json.loads(_said(capsys, "verify", left, right, "--json"))
    explained = json.loads(_said(capsys, "explain", left, right, "--json"))
    assert explained["score"] == pytest.approx(same["score"], abs=1e-5)
    assert explained["parts"], "nothing speaks for or against"
    words = left.casefold()
    assert all(part["name"].casefold() in words for part in explained["parts"] if part["left"])
    (hit, *_) = hits = json.loads(_said(capsys, "gallery", "search", left, "--json"))
    assert hit["score"] >= same["score"] - 1e-5, "what is enrolled holds the right one at least"
    told = json.loads(_said(capsys, "gallery", "classify", left, "-k", "1000", "--json"))
    (own,) = [one for one in told["classes"] if one["label"] == hit["class"]]
    first = [one["id"] for one in hits if one["score"] >= hit["score"] - 1e-5]
    assert own["support_id"] in first, "the class is known by its record nearest to the query"
    _said(capsys, "duplicates")
    dim = release.encoder.dim
    with (
        Gallery.open(Path("served"), space_id=release.space_id, dim=dim) as gallery,
        running(create_app(Service(release, gallery))) as url,
    ):
        body = {"left": {"text": left}, "right": right}
        for verb in ("verify", "explain"):
            reply = httpx.post(f"{url}/v1/{verb}", json=body, timeout=30)
            assert reply.status_code == 200, reply.text
            assert reply.json()["score"] == pytest.approx(same["score"], abs=1e-5), verb
    _said(capsys, "report", "-o", "report.html")
    return Path("report.html").read_text()


def _said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    code = run(words)
    seen = capsys.readouterr()
    assert code == 0, (words, seen.err)
    return seen.out
