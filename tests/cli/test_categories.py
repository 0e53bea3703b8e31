"""Records of two countries, from a file to decisions: each country has a threshold of its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.cli.conftest import LETTERS, SETTINGS, misspelt

from gemel.cli.main import run
from gemel.cli.project import Project
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service

Gemel = Callable[..., Any]
N_PEOPLE = 240
CATEGORY = "data.category=country"


def write_people(path: Path) -> None:
    """Names of `bb` are of four syllables, so that strangers look alike; some have no country."""
    rng = np.random.default_rng(11)

    def word(country: str, n: int) -> str:
        if country == "bb":
            return "".join(rng.choice(["mar", "ino", "lan", "der"], n // 2))
        return "".join(rng.choice(list(LETTERS), n + 2))

    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "person", "country", "first", "last", "note"])
        for person in range(N_PEOPLE):
            country = "bb" if person % 2 else "aa"
            first, last = word(country, 6), word(country, 8)
            for record in range(2):
                name = misspelt(last, rng) if record else last
                stated = "" if person % 40 == 7 else country
                writer.writerow([f"r{person}.{record}", f"p{person}", stated, first, name, "x"])


@dataclass(frozen=True)
class Live:
    """A project that decides by country, its release, and where it is served."""

    folder: Path
    release: Release
    service: Service
    client: httpx.Client


ONE_SPLIT = ("--set", "split.crossed=false")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("countries")
    write_people(folder / "people.csv")
    before, environ = Path.cwd(), dict(os.environ)
    os.chdir(folder)
    os.environ.update(SETTINGS)
    try:
        words = ["init", "people.csv", "--identity", "person", "--id", "id", *ONE_SPLIT]
        said = [CATEGORY, "calibrate.categories=per_category"]
        assert run([*words, *(word for setting in said for word in ("--set", setting))]) == 0
        assert run(["train"]) == 0
        assert run(["calibrate"]) == 0
        (release,) = (folder / ".gemel" / "releases").iterdir()
        words = ["release", "promote", release.name, "--force", "--reason", "a test"]
        assert run(words) == 0
        assert run(["gallery", "enroll"]) == 0
        project = Project.open(folder / "gemel.toml")
        opened = project.release()
        with project.gallery(opened) as gallery:
            service = Service(opened, gallery)
            with running(create_app(service)) as url, httpx.Client(base_url=url) as client:
                yield Live(folder, opened, service, client)
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environ)


@pytest.fixture
def project(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, as the working directory."""
    shutil.copytree(live.folder, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


LEFT = {"first": "marino", "last": "landerma", "note": "x"}
RIGHT = {"first": "marino", "last": "landermar", "note": "x"}


def ask(live: Live, **more: Any) -> dict[str, Any]:
    reply = live.client.post("/v1/verify", json={"left": LEFT, "right": RIGHT, **more})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_the_encoder_does_not_see_the_category(live: Live) -> None:
    assert [f.name for f in live.release.encoder.prepare.fields] == ["first", "last", "note"]


def test_each_country_has_its_threshold_and_between_them_the_higher_counts(live: Live) -> None:
    of = {name: ask(live, category=name)["threshold"] for name in ("aa", "bb")}
    assert of["bb"] > of["aa"]
    for pair in (["aa", "bb"], ["bb", "aa"]):
        reply = ask(live, category=pair)
        assert reply["threshold"] == of["bb"] and reply["category"] == pair


@pytest.mark.parametrize("category", [None, "nowhere", ["aa", None], [None, "nowhere"], ""])
def test_an_unknown_country_is_decided_strictly_and_the_reply_says_so(
    live: Live, category: Any
) -> None:
    reply = ask(live, category=category)
    assert reply["threshold"] == ask(live, category="bb")["threshold"]
    assert reply["category"][1] is None
    assert reply["category"] == ask(live, category=category)["category"]


@pytest.mark.parametrize("category", [7, ["aa"], ["aa", "bb", "aa"], {"left": "aa"}, ["aa", 7]])
def test_what_is_no_category_is_refused(live: Live, category: Any) -> None:
    body = {"left": LEFT, "right": RIGHT, "category": category}
    reply = live.client.post("/v1/verify", json=body)
    assert reply.status_code == 422
    assert reply.json()["where"].startswith("category")


def test_python_and_http_agree(live: Live) -> None:
    for category in ("aa", "bb", ("aa", "bb"), None):
        here = live.service.verify(LEFT, RIGHT, category)
        there = ask(live, category=category)
        assert (here.outcome, here.threshold) == (there["outcome"], there["threshold"])
        assert here.probability == there["probability"]
        decided = live.release.policy.decide(here.score, category)
        assert (decided.outcome, decided.threshold) == (here.outcome, here.threshold)
        assert (here.outcome == "match") == (here.score >= here.threshold)


def test_a_candidate_has_the_category_that_it_was_enrolled_with(live: Live) -> None:
    body = {"query": LEFT, "k": 40, "category": "aa"}
    hits = live.client.post("/v1/search", json=body).json()["hits"]
    by_country = {tuple(hit["category"]): hit["threshold"] for hit in hits}
    assert {pair[0] for pair in by_country} == {"aa"}
    policy = live.release.policy
    for pair, threshold in by_country.items():
        assert threshold == policy.identify(0.5, category=pair).threshold
    for hit in hits:
        assert hit["category"][1] == hit["attributes"]["country"]
        assert (hit["decision"] == "match") == (hit["score"] >= hit["threshold"])


def test_an_explanation_decides_by_the_same_threshold(live: Live) -> None:
    for category in (["aa", "bb"], "aa", None):
        body = {"left": LEFT, "right": RIGHT, "category": category, "parts": "none"}
        why = live.client.post("/v1/explain", json=body).json()
        told = ask(live, category=category)
        assert (why["outcome"], why["threshold"]) == (told["outcome"], told["threshold"])
        assert why["category"] == told["category"]
        seen = live.release.evidence.eval
        assert why["margin"]["fmr_at_threshold"] == seen.fmr.value
        assert why["margin"]["fnmr_at_threshold"] == seen.fnmr.value
    body = {"query": LEFT, "id": "r1.0", "category": "aa", "parts": "none"}
    assert live.client.post("/v1/explain", json=body).json()["category"] == ["aa", "bb"]


def test_records_of_the_project_are_explained_with_their_own_category(
    project: Path, gemel: Gemel
) -> None:
    why = json.loads(gemel("explain", "r0.0", "r1.0", "--json").out)
    assert why["category"] == ["aa", "bb"]
    why = json.loads(gemel("explain", json.dumps(LEFT), "r1.0", "--json").out)
    assert why["category"] == [None, "bb"]
    why = json.loads(gemel("explain", "r0.0", "r1.0", "--category", "bb", "--json").out)
    assert why["category"] == ["bb", "bb"]


def test_the_two_countries_err_about_equally_often(live: Live) -> None:
    found = live.release.evidence.categories
    assert found is not None and found.column == "country"
    aa, bb = sorted(found.rows, key=lambda row: row.category)
    assert aa.threshold is not None and bb.threshold is not None
    assert bb.threshold > aa.threshold
    assert max(aa.fmr.low, bb.fmr.low) <= min(aa.fmr.high, bb.fmr.high)
    assert found.between is not None and found.between.n_impostor > 0
    assert {(c.left, c.right) for c in found.matrix} == {("aa", "aa"), ("aa", "bb"), ("bb", "bb")}


def test_a_worst_category_without_an_error_is_not_named(project: Path) -> None:
    """Nor is it kept back where the false matches are."""
    from msgspec.structs import replace

    from gemel.cli.categories import show_categories

    found = Project.open().release().evidence.categories
    assert found is not None and found.worst_fmr is not None and found.between is not None
    lines: list[str] = []
    none = replace(found.worst_fmr, value=0.0)
    some = replace(found.between, fmr=replace(found.between.fmr, value=0.5))
    show_categories(replace(found, worst_fmr=none, between=some), write=lines.append)
    (worst,) = [line for line in lines if line.startswith("worst FMR")]
    assert worst.startswith("worst FMR: none seen in any category; with 95 % confidence")
    assert any(line.startswith("all false matches are between categories") for line in lines)


def test_the_table_is_shown(project: Path, gemel: Gemel) -> None:
    shown = gemel("release", "show").out
    assert "(between, or of unknown)" in shown and "worst FMR" in shown and "FMR between" in shown
    facts = json.loads(gemel("release", "show", "--json").out)
    assert facts["policy"]["categories"]["column"] == "country"
    assert len(facts["evidence"]["categories"]["rows"]) == 2
    assert "country: aa 240, bb 228, (unknown) 12" in gemel("data", "check").out


def test_the_same_goal_finds_the_release_and_a_changed_country_does_not(
    project: Path, gemel: Gemel
) -> None:
    first = json.loads(gemel("calibrate", "--json").out)["manifest"]["id"]
    assert len(json.loads(gemel("release", "list", "--json").out)) == 1
    people = project / "people.csv"
    people.write_text(people.read_text().replace("p1,bb,", "p1,aa,"))
    again = json.loads(gemel("calibrate", "--json").out)["manifest"]
    assert again["id"] != first and again["space_id"] == live_space(project)


def live_space(project: Path) -> str:
    return Project.open(project / "gemel.toml").release().space_id


def test_one_threshold_for_all_and_rates_of_each(project: Path, gemel: Gemel) -> None:
    said = gemel("calibrate", "--set", "calibrate.categories=report", "--json")
    policy = json.loads(said.out)["policy"]
    assert policy["categories"] is None
    name = json.loads(said.out)["manifest"]["id"]
    found = json.loads(gemel("release", "show", name, "--json").out)["evidence"]["categories"]
    assert {row["threshold"] for row in found["rows"]} == {policy["verify"]["threshold"]}
    rates = {row["category"]: row["fmr"]["value"] for row in found["rows"]}
    assert rates["bb"] > 2 * rates["aa"]
    off = gemel("calibrate", "--set", "calibrate.categories=off", "--json")
    name = json.loads(off.out)["manifest"]["id"]
    assert "categories" not in gemel("release", "show", name).out


def test_the_worst_category_proves_its_fmr_or_is_named(project: Path, gemel: Gemel) -> None:
    words = ["calibrate", "--set", "calibrate.categories=worst", "--set", "calibrate.target=fmr"]
    said = gemel(*words, "--set", "calibrate.value=0.2", "--json")
    policy = json.loads(said.out)["policy"]
    assert policy["categories"] is None
    one = gemel(*words, "--set", "calibrate.value=0.2", "--set", "calibrate.categories=report",
                "--json")  # fmt: skip
    assert policy["verify"]["threshold"] > json.loads(one.out)["policy"]["verify"]["threshold"]
    refused = gemel(*words, "--set", "calibrate.value=0.0005")
    assert refused.code == 1 and "Traceback" not in refused.err
    assert "cannot prove FMR <= 0.0005" in refused.err


@pytest.mark.parametrize(
    ("column", "settings", "message"),
    [
        ("county", [], "did you mean 'country'?"),
        ("person", [], "cannot be the category as well"),
        ("country", ["data.ignore=[\"country\"]"], "take it off the ignored ones"),
        ("", ["calibrate.categories=per_category"], "name it in data.category"),
        ("country", ["calibrate.categories=each"], "calibrate.categories"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(
    project: Path, gemel: Gemel, column: str, settings: list[str], message: str
) -> None:
    if not column:  # the run of all columns but the country
        settings = [*settings, 'data.ignore=["country"]']
    words = [w for s in (f"data.category={column}", *settings) for w in ("--set", s)]
    said = gemel("calibrate", *words)
    assert said.code == 1 and "Traceback" not in said.err
    assert message in said.err


def test_an_empty_column_and_a_column_of_single_records_are_refused(
    project: Path, gemel: Gemel
) -> None:
    lines = (project / "people.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    refused = (("", "no record of dev has a category"), ("c{}", "three identities"))
    for value, message in refused:
        changed = [[*r[:2], value.format(i), *r[3:]] for i, r in enumerate(rows)]
        (project / "people.csv").write_text("\n".join([lines[0], *map(",".join, changed)]) + "\n")
        said = gemel("calibrate")
        assert said.code == 1 and message in said.err, said.err


def test_the_category_may_be_the_class_of_enrolled_records(
    live: Live, gemel: Gemel, tmp_path: Path
) -> None:
    path = tmp_path / "few.csv"
    path.write_text("id,country,first,last,note\nx,aa,anna,weber,y\n")
    words = ("gallery", "enroll", path, "--id", "id", "--label", "country", "--dry-run")
    said = gemel(*words, "-c", live.folder / "gemel.toml")
    assert said.code == 0 and "would enroll 1 record " in said.err, said.err
