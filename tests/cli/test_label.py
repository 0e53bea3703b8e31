"""`gemel label`: keys from a pipe, a file of answers, going on, and what comes out."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from gemel.cli.label import opened
from gemel.cli.label_words import so_far
from gemel.cli.project import Project
from gemel.console.labels import Desk, app
from gemel.improve.labels import beside
from gemel.improve.labels.beside import Beside

Gemel = Callable[..., Any]
LABELS = Path(".gemel/labels")


def test_keys_are_answers_and_it_goes_on_where_it_was(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\ny\nb\nx\nyyyyyyyyyuq"))
    said = gemel("label", "--by", "ann")
    assert said.code == 0, said.err
    assert "matches, of 100 by the estimate " in said.err and " prove 95\n" in said.err
    assert "same? y / n / u unsure, b back, q stop" in said.err
    before = said.err[: said.err.index("same? y")]
    assert "measured on labels" in before and "gemel review proposal" in before
    assert "\N{NOT EQUAL TO}" in said.err  # what differs is marked
    assert "10 answers" in said.err and "are right" in said.err
    lines = [json.loads(line) for line in (LABELS / "answers.jsonl").read_text().splitlines()]
    assert [x["said"] for x in lines].count("same") == 11
    assert [x["said"] for x in lines][1:3] == ["same", "withdrawn"]
    assert {x["by"] for x in lines} == {"ann"}
    assert not list(LABELS.glob("work-*")), "embeddings of all records"
    rows = list(csv.DictReader((LABELS / "pairs.csv").read_text().splitlines()))
    assert len(rows) == 10 and set(rows[0]) == {"left", "right", "same"}
    monkeypatch.setattr("sys.stdin", io.StringIO("y"))
    again = gemel("label", "--by", "ann", "--json")
    assert json.loads(again.out)["n_answers"] == 11 and json.loads(again.out)["n_unsure"] == 1
    assert len((LABELS / "answers.jsonl").read_text().splitlines()) == len(lines) + 1
    monkeypatch.setattr("sys.stdin", io.StringIO("y"))
    assert "\n1 question this time; all answers: " in gemel("label", "--by", "ann").err


def test_a_file_answers_until_the_goal_is_proven(project: Path, gemel: Gemel) -> None:
    people = list(csv.DictReader((project / "people.csv").read_text().splitlines()))
    with (project / "told.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["left", "right", "same"])
        for i, one in enumerate(people):
            for two in people[:i]:
                writer.writerow([one["id"], two["id"], int(one["person"] == two["person"])])
    said = gemel("label", "--answers", "told.csv", "--precision", "0.9", "--json")
    assert said.code == 0, said.err
    known = json.loads(said.out)
    assert known["proven"] and known["precision"]["value"] > 0.9
    assert 40 <= known["n_answers"] <= 150
    words = gemel("label", "--answers", "told.csv", "--precision", "0.9").out
    assert "at least 90 is proven" in words
    (project / "told.csv").write_text("left,right,same\n")
    empty = gemel("label", "--answers", "told.csv")
    assert empty.code == 1 and "the file has no records" in empty.err


def test_what_a_file_says_of_other_pairs_is_there_to_learn_from(
    project: Path, gemel: Gemel
) -> None:
    session, _ = opened(Project.open(), Project.open().release())
    first = session.next()
    assert first is not None
    others = [q.pair for part in session.plan.questions for q in part if q != first][-5:]
    lines = [f"{right},{left},1" for left, right in others]
    (project / "some.csv").write_text("\n".join(["left,right,same", *lines, "x,y,1"]) + "\n")
    said = gemel("label", "--answers", "some.csv")
    assert said.code == 0, said.err
    assert "5 other answers are kept" in said.err
    pair = " and ".join(map(repr, first.pair))
    assert f"it does not know {pair}, the next that are drawn at random" in said.err
    assert "some.csv: 1 pair names records that are not here: 'x' and 'y'" in said.err
    kept = (LABELS / "answers.jsonl").read_text().splitlines()
    assert [(a["left"], a["right"]) for a in map(json.loads, kept)] == others, "as planned"
    (project / "some.csv").write_text("left,right,same\nx,y,1\n")
    none = gemel("label", "--answers", "some.csv")
    assert none.code == 1 and "some.csv: no pair of these records: 'x' and 'y'" in none.err


def test_words_of_answers_are_those_that_the_project_names(project: Path, gemel: Gemel) -> None:
    plan = opened(Project.open(), Project.open().release())[0].plan
    (left, right), (one, two) = (part[-1].pair for part in plan.questions[:2])
    (project / "told.csv").write_text(f"left,right,same\n{left},{right},jup\n{one},{two},nö\n")
    unknown = gemel("label", "--answers", "told.csv")
    assert unknown.code == 1 and "data.same_is" in unknown.err
    said = gemel("label", "--answers", "told.csv", "--set", 'data.same_is=["jup"]')
    assert said.code == 0, said.err
    kept = map(json.loads, (LABELS / "answers.jsonl").read_text().splitlines())
    assert [answer["said"] for answer in kept] == ["same", "different"]


def test_of_what_a_file_holds_that_is_refused_a_few_lines_are_shown(
    project: Path, gemel: Gemel
) -> None:
    (project / "told.csv").write_text("left,right,same\n1,2,1\n" + ",x,1\n" * 30)
    said = gemel("label", "--answers", "told.csv")
    assert said.code == 1
    assert said.err.count("refused: ") == 4 and "refused: 27 more" in said.err, said.err


def test_a_file_about_other_records_is_refused_also_where_nothing_is_left_to_ask(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y" * 60))
    assert "is proven" in gemel("label", "--precision", "0.8").err
    (project / "other.csv").write_text("left,right,same\nx,y,1\nx,z,0\n")
    said = gemel("label", "--precision", "0.8", "--answers", "other.csv")
    assert said.code == 1, said.err
    assert "other.csv: no pair of these records: 'x' and 'y', 'x' and 'z'" in said.err
    assert "people.csv, such as '" in said.err


def test_the_page_asks_keeps_and_takes_back_and_answers_no_other_site(project: Path) -> None:
    session, both = opened(Project.open(), Project.open().release(), by="bea")
    desk = Desk(session, Beside(*both), lambda known: so_far(session, known), every=2)
    with TestClient(app(desk, 8765), base_url="http://127.0.0.1:8765") as page:
        assert "Are these two the same?" in page.get("/").text
        assert "innerHTML" not in page.get("/console/label.js").text
        first = page.get("/state").json()
        assert "matches, of 100 by the estimate " in first["known"]
        pair, lines = first["question"]["pair"], first["question"]["lines"]
        assert [x["name"] for x in lines][:2] == ["", "first"]
        assert [lines[0][side][0][0] for side in ("left", "right")] == pair
        assert first["question"]["pictures"] == []
        plain = {"content-type": "text/plain"}
        told = json.dumps({"pair": pair, "said": "same"})
        assert page.post("/answer", content=told, headers=plain).status_code == 401
        assert page.get("/state", headers={"host": "evil.example"}).status_code == 400
        elsewhere = page.post("/answer", json={"pair": ["a", "b"], "said": "same"}).json()
        assert first["kept"] and elsewhere == {**first, "kept": False}
        second = page.post("/answer", json={"pair": pair, "said": "same"}).json()
        assert second["here"] == 1 and second["question"]["pair"] != pair
        lines = (LABELS / "answers.jsonl").read_text().splitlines()
        assert json.loads(lines[-1])["said"] == "same" and json.loads(lines[-1])["by"] == "bea"
        back = page.post("/answer", json={"pair": None, "said": "back"}).json()
        assert back["here"] == 0 and back["question"]["pair"] == pair
        for _ in range(2):
            back = page.post(
                "/answer", json={"pair": back["question"]["pair"], "said": "same"}
            ).json()
        assert back["known"].startswith(f"{session.known().n_answers} answers")


def test_the_page_says_to_stop_only_where_calibrate_takes_what_is_proven(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y" * 60))
    gemel("label", "--precision", "0.8")
    session, both = opened(Project.open(), Project.open().release(), 0.8)
    desk = Desk(session, Beside(*both), lambda known: so_far(session, known), every=2)
    assert "is proven" in desk.state()["known"] and not desk.state()["may_stop"]
    assert "was measured on labels" in gemel("calibrate", "--from-answers").err
    session.is_measured = False
    assert desk.state()["may_stop"]


def test_what_differs_is_told_run_by_run() -> None:
    found = beside.lines(
        {"name": "Meier", "town": "Bern", "zip": ""}, {"name": "Meyer", "zip": "1"}
    )
    assert found[0].left == (("Me", False), ("i", True), ("er", False))
    assert found[0].right == (("Me", False), ("y", True), ("er", False))
    assert [(x.differs, x.lacks) for x in found] == [(True, False), (False, True), (False, True)]


def test_what_both_lack_is_no_line_and_what_one_lacks_is() -> None:
    left, right = (
        {"town": "Bern", "fax": None, "born": ""},
        {"town": "Bern", "fax": "", "born": "1"},
    )
    assert [line.name for line in beside.lines(left, right)] == ["town", "born"]
