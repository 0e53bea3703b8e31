"""Texts on the command line, from a file of them to a served release.

The texts are docstrings of the standard library: those of one class belong together.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.cli import over_http
from tests.console.test_pages import dumped
from tests.data.sources.formats.test_sheets import workbook

import gemel
from gemel.cli.main import run
from gemel.console import pages
from gemel.release.store import Store
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service

ONE_SPLIT = ("--set", "split.crossed=false")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, docstrings: list[tuple[str, str]]) -> Path:
    """A folder with `texts.csv` and a promoted release of it."""
    folder = tmp_path_factory.mktemp("texts")
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("of", "text"), *docstrings])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["init", "texts.csv", "--kind", "text", "--identity", "of", *ONE_SPLIT]) == 0
        assert run(["data", "check"]) == 0
        few = ["--set", "train.max_epochs=2"]
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


def test_the_release_is_one_of_texts(project: Path) -> None:
    release = Store(project / ".gemel").get("stable")
    assert release.modality == "text"
    compared = {c.name: c for c in release.evidence.candidates}
    assert set(compared) == {"gemel", "TF-IDF"}


def test_a_text_finds_itself_and_what_speaks_for_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = gemel.read("texts.csv", kind="text", identity="of")
    one = texts.payloads([5])[0]
    hits = json.loads(said(capsys, "gallery", "search", one, "--json"))
    assert hits[0]["id"] == texts.ids[5] and hits[0]["class"] == texts.identity_of(5)
    assert said(capsys, "verify", one, str(texts.ids[5])).startswith("match")
    told = json.loads(said(capsys, "gallery", "classify", one, "--json"))
    assert told["label"] == texts.identity_of(5)
    (project / "note.txt").write_text(one, "utf-8")
    assert said(capsys, "verify", "note.txt", str(texts.ids[5])).startswith("match")
    why = json.loads(said(capsys, "explain", one, one.upper() + " Or not.", "--json"))
    assert why["parts"] and all(part["name"] in one.casefold() for part in why["parts"][:1])


def test_a_class_is_named_like_the_column_that_enrolled_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "parts.csv").write_text("key,part,text\nk1,bolt,a short bolt\nk2,nut,a nut\n")
    of = ("--id", "key", "--label", "part")
    said(capsys, "gallery", "enroll", "parts.csv", *of)
    (told,) = json.loads(said(capsys, "gallery", "classify", "parts.csv", *of, "--json"))[:1]
    assert told["label"] == "bolt"
    said(capsys, "gallery", "delete", "k1", "k2")


def test_a_word_is_a_text_to_search_for_and_the_hint_of_one_like_a_file_works(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads(said(capsys, "gallery", "search", "hello", "--json"))
    assert run(["gallery", "search", "hello", "world"]) == 1
    assert "hint: put a text in quotes: 'hello world'" in capsys.readouterr().err
    assert run(["gallery", "search", "hello.txt"]) == 1
    _, hint, *_ = capsys.readouterr().err.split("hint: ")[1].split("'")
    assert json.loads(said(capsys, "gallery", "search", hint, "--json"))


def test_a_text_that_no_path_can_be_or_that_a_folder_is_called_is_searched_for(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert json.loads(said(capsys, "gallery", "search", "時間を返す" * 60, "--json"))
    (project / "hour").mkdir()
    assert json.loads(said(capsys, "gallery", "search", "hour", "--json"))
    assert run(["gallery", "search", "./hour"]) == 1
    assert "'./hour' is a folder of records" in capsys.readouterr().err


def test_a_search_says_why_it_found_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "gallery", "search", "the hour", "--where", "class=nope") == ""
    assert run(["gallery", "search", "the hour", "--where", "class=nope"]) == 0
    assert "nothing found: no record has class=nope" in capsys.readouterr().err


def test_a_table_of_texts_is_many_and_read_as_those_of_the_project(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = gemel.read("texts.csv", kind="text", identity="of")
    with (project / "new.csv").open("w", newline="", encoding="utf-8") as file:
        said_of_it = [(f"n{i}", str(texts.identity_of(i)), texts.payloads([i])[0]) for i in (2, 9)]
        csv.writer(file).writerows([("key", "of", "text"), *said_of_it])
    many = said(capsys, "gallery", "classify", "new.csv", "--id", "key", "--json", "-k", "1")
    found = [(one["id"], one["classes"][0]) for one in json.loads(many)]
    for (id, best), (key, of, text) in zip(found, said_of_it, strict=True):
        alone = json.loads(said(capsys, "gallery", "classify", text, "--json", "-k", "1"))
        assert (id, best["label"]) == (key, of)
        assert best["score"] == pytest.approx(alone["classes"][0]["score"], abs=1e-5)
    asked = said(capsys, "gallery", "identify", "new.csv", "--id", "key", "--json")
    for one, (key, _, text) in zip(json.loads(asked), said_of_it, strict=True):
        alone = json.loads(said(capsys, "gallery", "identify", text, "--json"))
        assert one.pop("id") == key and one["outcome"] == alone["outcome"]
        assert one["score"] == pytest.approx(alone["score"], abs=1e-5)
    shown = said(capsys, "gallery", "identify", "new.csv", "--id", "key")
    assert [line.split()[0] for line in shown.splitlines()] == ["record", "n2", "n9"]
    for words in (("verify", "new.csv", "new.csv"), ("gallery", "search", "new.csv")):
        assert run([*words]) == 1
        told = capsys.readouterr().err
        assert "'new.csv' is a table of records" in told and "gallery classify FILE" in told


def test_a_sheet_of_texts_is_read_as_the_settings_say_of_that_sheet(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = gemel.read("texts.csv", kind="text", identity="of").payloads([2])[0]
    cover: list[list[object]] = [["a", "b"], ["c", "d"]]
    more: list[list[object]] = [["of", "text", "note"], ["x", text, "zebras in quarantine"]]
    workbook(project / "book.xlsx", cover=cover, more=more)
    own = ("data.path=book.xlsx", "data.sheet=more", 'data.ignore=["note"]')
    sets = [word for one in own for word in ("--set", one)]
    many = said(capsys, "gallery", "classify", "book.xlsx", "--json", "-k", "1", *sets)
    alone = json.loads(said(capsys, "gallery", "classify", text, "--json", "-k", "1"))
    (found,) = json.loads(many)
    assert found["classes"][0]["score"] == pytest.approx(alone["classes"][0]["score"], abs=1e-5)


def test_duplicates_and_report(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "duplicates")
    with (project / "clusters.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    texts = gemel.read("texts.csv", kind="text", identity="of")
    assert [*found[0]][:6] == ["cluster", "size", "canonical", "id", "identity", "of"]
    assert {one["id"]: one["text"] for one in found} == dict(
        zip(texts.ids.tolist(), texts.payloads(), strict=True)
    )
    assert "side" not in found[0], "there is one file"
    said(capsys, "duplicates")  # over the earlier result
    said(capsys, "report", "-o", "report.html")
    assert "TF-IDF" in (project / "report.html").read_text()


def test_it_is_served(project: Path) -> None:
    release = Store(project / ".gemel").get("stable")
    with (
        gemel.Gallery.open(
            project / "served", space_id=release.space_id, dim=release.encoder.dim
        ) as gallery,
        running(create_app(Service(release, gallery))) as url,
    ):
        texts = ["Remove all items from D.", "Return the local hour of this date."]
        records = [{"id": str(i), "payload": {"text": t}} for i, t in enumerate(texts)]
        httpx.post(f"{url}/v1/records", json={"records": records}).raise_for_status()
        found = httpx.post(f"{url}/v1/search", json={"query": "the hour of a date"}).json()
        assert found["hits"][0]["id"] == "1"
        for wrong in ({"text": ""}, {"text": 5}, {"body": "x"}, {}):
            reply = httpx.post(f"{url}/v1/verify", json={"left": wrong, "right": "a b"})
            assert reply.status_code == 422, wrong
        many = [f"the {i} th of many" for i in range(300)]
        embedded = httpx.post(f"{url}/v1/embeddings", json={"input": many}, timeout=30).json()
        np.testing.assert_allclose(
            [one["embedding"] for one in embedded["data"]], release.encoder.encode(many), atol=1e-5
        )
        long = "many words in a row " * 40_000
        reply = httpx.post(f"{url}/v1/verify", json={"left": long, "right": long}, timeout=30)
        assert reply.json()["score"] == pytest.approx(1.0, abs=1e-5)
        reply = httpx.post(f"{url}/v1/embeddings", json={"input": [long] * 3}, timeout=30)
        assert "times the work of a small one" in reply.json()["error"]["message"]


def test_classes_of_texts_are_told_apart_and_found_twice_over_http(
    project: Path, docstrings: list[tuple[str, str]], tmp_path: Path
) -> None:
    release = Store(project / ".gemel").get("stable")
    names = ("datetime.date", "zipfile.ZipFile")
    classes = {n: [{"text": t} for of, t in docstrings if of == n][:3] for n in names}
    over_http.answers(release, classes, tmp_path / "gallery")


def test_a_folder_of_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("a/1.txt", "one text"), ("a/2.md", "another"), ("b/3.txt", "a third")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "b" / "empty.txt").write_text(" \n")
    (tmp_path / "b" / "latin.txt").write_bytes("é".encode("latin-1"))
    texts = gemel.read(tmp_path, kind="text", max_bad_ratio=0.5)
    assert texts.ids.tolist() == ["a/1.txt", "a/2.md", "b/3.txt"]
    assert [texts.identity_of(i) for i in range(3)] == ["a", "a", "b"]
    assert {bad.reason for bad in texts.bad} == {"an empty text", "not UTF-8"}


def test_a_table_without_a_text(tmp_path: Path) -> None:
    (tmp_path / "numbers.csv").write_text("of,height\na,1.5\nb,2.5\n")
    with pytest.raises(gemel.GemelError, match="height is a number"):
        gemel.read(tmp_path / "numbers.csv", kind="text", identity="of")


def test_the_page_takes_texts_and_says_what_speaks_for_a_match(
    project: Path, tmp_path: Path
) -> None:
    service = Service(Store(project / ".gemel").get("stable"))
    with running(create_app(service, pages=pages.handlers(service))) as url:
        page = dumped(f"{url}/?example=why", tmp_path).split("<main>")[1].split('id="search"')[0]
    assert page.count("<textarea") == 2
    assert 'class="worths"' in page and 'class="problem"' not in page
