"""Pictures with captions on the command line, from a folder of them to a served release.

The project is made by the code and the commands of the page: letters of two fonts that matplotlib
brings, and their Unicode names.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from pathlib import Path

import httpx
import pytest
from tests.console.test_pages import dumped

import gemel
from gemel.cli.main import run
from gemel.console import pages
from gemel.release.store import Store
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "pictures-and-texts.md"
E_ACUTE = "latin small letter e with acute"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page says, done: a folder `letters` with captions, and a release of it."""
    folder, text = tmp_path_factory.mktemp("captions"), PAGE.read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    (commands,) = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GEMEL__TRAIN__MAX_EPOCHS", "2")
        exec(compile(code, PAGE.name, "exec"), {})
        with (folder / "letters" / "captions.csv").open("a", encoding="utf-8") as file:
            file.write("gone.png,no such file\n")
        for line in commands.splitlines():
            made = [path.name for path in (folder / ".gemel" / "releases").glob("*")]
            assert run(shlex.split(line.replace("ID", *made[:1] or [""]))[1:]) == 0, line
    assert 'kind = "image_text"' in (folder / "gemel.toml").read_text()
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


def test_each_kind_finds_the_other_among_letters_that_training_has_not_seen(project: Path) -> None:
    release = Store(project / ".gemel").get("stable")
    assert release.modality == "image_text" and release.comparator.kind == "kinds"
    ways = {(way.query, way.found): way.points[-1] for way in release.evidence.directions}
    assert set(ways) == {("text", "image"), ("image", "text")}
    for way in ways.values():
        # By chance, 10 of the others are found.
        by_chance = 10 / way.gallery_size
        assert way.recall_at_k[10].value > by_chance + 0.3
    ours, chance = release.evidence.candidates
    assert chance.name == "chance" and ours.point.f1.value > chance.point.f1.value + 0.1


def test_one_threshold_serves_two_of_one_kind_as_well(project: Path) -> None:
    found = Store(project / ".gemel").get("stable").evidence.categories
    assert found is not None and found.column == "kind" and found.between is not None
    of = {row.category: row for row in found.rows}
    assert set(of) == {"image", "text"} and of["image"].n_genuine > 0
    for row in of.values():
        assert row.fmr.value < 0.1


def test_a_text_finds_pictures_and_what_speaks_for_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hits = json.loads(said(capsys, "gallery", "search", E_ACUTE, "--where", "kind=image", "--json"))
    assert {hit["kind"] for hit in hits} == {"image"}
    capsys.readouterr()
    assert run(["gallery", "search", E_ACUTE, "--where", "kind=picture"]) == 0
    told = capsys.readouterr()
    assert told.out == "" and "no record has kind=picture; kind is image or text" in told.err
    assert any(hit["class"].startswith("latin small letter e with") for hit in hits)
    hits = json.loads(said(capsys, "gallery", "search", "letters/00e9-DejaVuSans.png", "--json"))
    assert hits[0]["id"] == "00e9-DejaVuSans.png"
    assert said(capsys, "verify", "letters/00e9-DejaVuSans.png", E_ACUTE).startswith("match")
    for left, right in (("letters/00e9-DejaVuSans.png", E_ACUTE), (E_ACUTE, "00e9-DejaVuSans.png")):
        why = json.loads(said(capsys, "explain", left, right, "--json"))
        assert why["parts"]
    file = "letters/00e9-DejaVuSans.png"
    told = json.loads(said(capsys, "gallery", "classify", file, "--json"))
    assert told["label"].startswith("latin small letter")
    said(capsys, "duplicates")
    said(capsys, "report", "-o", "report.html")


def test_it_is_served(project: Path) -> None:
    release = Store(project / ".gemel").get("stable")
    file = (project / "letters" / "00e9-DejaVuSans.png").read_bytes()
    picture, text = {"image": base64.b64encode(file).decode()}, {"text": E_ACUTE}
    with (
        gemel.Gallery.open(
            project / "served", space_id=release.space_id, dim=release.encoder.dim
        ) as gallery,
        running(create_app(Service(release, gallery))) as url,
    ):
        same = httpx.post(f"{url}/v1/verify", json={"left": picture, "right": text}).json()
        back = httpx.post(f"{url}/v1/verify", json={"left": E_ACUTE, "right": picture}).json()
        assert same["outcome"] == "match"
        assert back["score"] == pytest.approx(same["score"], abs=1e-5)
        records = [{"id": "p", "payload": picture}, {"id": "t", "payload": text}]
        httpx.post(f"{url}/v1/records", json={"records": records}).raise_for_status()
        for kind, id in (("image", "p"), ("text", "t")):
            body = {"query": text, "where": {"kind": kind}}
            found = httpx.post(f"{url}/v1/search", json=body).json()
            assert [hit["id"] for hit in found["hits"]] == [id]
        body = {"left": text, "right": picture}
        why = httpx.post(f"{url}/v1/explain", json=body).json()
        assert why["parts"], why
        for wrong in ({**picture, **text}, {"sound": "x"}, {"text": ""}, {"image": "no"}, {}):
            reply = httpx.post(f"{url}/v1/verify", json={"left": wrong, "right": text})
            assert reply.status_code == 422 and reply.json()["where"].startswith("left"), wrong


def test_the_page_takes_a_picture_or_a_text_on_each_side(project: Path, tmp_path: Path) -> None:
    service = Service(Store(project / ".gemel").get("stable"))
    with running(create_app(service, pages=pages.handlers(service))) as url:
        page = dumped(f"{url}/?example=why", tmp_path).split("<main>")[1].split('id="search"')[0]
    assert page.count("<textarea") == page.count('class="drop"') == 2
    assert re.search(r'class="outcome (match|no_match)"', page) and 'class="problem"' not in page
    # One of the two is a picture, tinted; the other is a text, told by words.
    assert page.count('class="map"') == 1 and 'class="worths"' in page
