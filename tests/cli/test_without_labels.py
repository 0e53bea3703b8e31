"""A file of customers in which no column says who is who: from init to duplicates and searches."""

import csv
import io
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy.special import logit
from tests.cli.conftest import SETTINGS, Gemel, write_people

from gemel import Goals, Target, build_release
from gemel.cli.label import answers_about
from gemel.cli.main import run
from gemel.cli.project import Project
from gemel.data.records import read
from gemel.improve import comparison
from gemel.improve.labels.answers import Answers
from gemel.improve.labels.aside import Aside
from gemel.improve.labels.questions import plan
from gemel.improve.labels.session import Session
from gemel.improve.labels.teaching import Teaching
from gemel.improve.records import Compared
from gemel.release import genuine
from gemel.release.make.unproven import build
from gemel.release.release import Release
from gemel.release.run import Run
from gemel.release.words.headline import headline
from gemel.train.comparators.taught import lesson
from gemel.watch.report import render


@pytest.fixture(scope="module")
def unproven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of which nothing but the records is known, after init and train."""
    folder = tmp_path_factory.mktemp("unproven")
    write_people(folder / "all.csv")
    frame = pl.read_csv(folder / "all.csv")
    frame.drop("person").write_csv(folder / "people.csv")
    before, environ = Path.cwd(), dict(os.environ)
    os.chdir(folder)
    os.environ.update(SETTINGS)
    try:
        assert run(["init", "people.csv"]) == 0
        assert run(["train"]) == 0
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environ)
    return folder


@pytest.fixture(autouse=True)
def inside(unproven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(unproven)


def test_init_says_what_can_be_done_without_labels_and_check_says_the_same(
    gemel: Gemel, tmp_path: Path
) -> None:
    said = gemel("init", "people.csv", "-o", tmp_path / "gemel.toml")
    assert said.code == 0
    assert "nothing says which records belong together: gemel train estimates it" in said.err
    assert "then: gemel train" in said.err
    assert "0 identities" not in said.err

    checked = gemel("data", "check")
    assert checked.code == 0
    assert "marked as unproven" in checked.err


def test_duplicates_are_found_without_a_single_label(gemel: Gemel, tmp_path: Path) -> None:
    out = tmp_path / "pairs.csv"
    said = gemel("duplicates", "-o", tmp_path / "clusters.csv", "--pairs", out, "--json")
    summary = json.loads(said.out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(p["left"], p["right"]) for p in rows}
    assert {p["probability_is"] for p in rows} == {"unproven"}
    right = {(a, b) for a, b in found if a.split(".")[0] == b.split(".")[0]}
    assert len(right) >= 55  # of 60
    assert len(right) >= 0.9 * len(found)
    assert summary["unproven"] is True
    assert summary["false_links"]["at_most"] is None
    assert "estimated" in summary["false_links"]["basis"]


def test_it_says_in_what_matches_differ_and_label_speaks_of_the_same_ones(
    gemel: Gemel, tmp_path: Path
) -> None:
    said = gemel("duplicates", "-o", tmp_path / "clusters.csv", "--json")
    summary = json.loads(said.out)
    assert {*summary["differing"]} >= {"first", "last"}
    words = gemel("duplicates", "-o", tmp_path / "clusters.csv").out
    assert re.search(r"^of 100 matches differ in +\w+ \d+.*gemel label teaches it$", words, re.M)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO("q"))
        asked = gemel("label").err
    assert f"{summary['n_matches']:,} matches, of 100 by the estimate" in asked


def test_keys_propose_what_the_release_takes_to_belong_together(
    gemel: Gemel, tmp_path: Path
) -> None:
    found = {}
    for engine in ("exact", "keys"):
        pairs, out = tmp_path / f"{engine}.csv", tmp_path / "clusters.csv"
        said = gemel("duplicates", "--engine", engine, "-o", out, "--pairs", pairs, "--json")
        found[engine] = set(pl.read_csv(pairs).select("left", "right").rows())
    reach = json.loads(said.out)["reach"]
    assert reach["basis"].startswith("pairs of its own records that the release takes")
    assert 20 <= reach["n_pairs"] <= 40  # half of 60, to tell by
    assert len(found["keys"]) >= 0.95 * len(found["exact"])


def test_a_share_that_is_the_same_in_both_places_is_said_once(gemel: Gemel, tmp_path: Path) -> None:
    words = gemel("duplicates", "-o", tmp_path / "clusters.csv").out.splitlines()
    (said,) = (line for line in words if line.startswith("share of genuine pairs"))
    share = said.split()[4].rstrip(",")
    assert said.count(share) == 1 and ", as where the release was calibrated" in said


def test_a_named_share_moves_the_threshold_to_the_same_probability(gemel: Gemel) -> None:
    for prior in (0.05, 1e-4):
        seen = json.loads(gemel("duplicates", "--prior", prior, "--json").out)
        at, own = seen["threshold"], seen["release_threshold"]
        # Scores are log-odds up to a constant.
        assert at + logit(prior) == pytest.approx(own + logit(seen["release_prior"]), abs=1e-4)
    assert at > own


def test_whoever_decides_by_it_says_that_it_is_unproven(gemel: Gemel) -> None:
    pair = ['{"first": "anna", "town": "aa"}', '{"first": "anna", "town": "aa"}']
    said = gemel("verify", *pair, "--json")
    assert json.loads(said.out)["unproven"] is True
    assert "warning: unproven release" in said.err
    assert gemel("gallery", "enroll").code == 0
    for word in ("search", "identify"):
        seen = gemel("gallery", word, "first=anna", "last=muellerkoch")
        assert seen.code == 0
        assert seen.err.count("unproven release") == 1
    assert "unproven" in gemel("release", "list").out
    shown = gemel("release", "show").out
    assert "unproven: nothing says which records belong together" in shown
    assert "on eval" not in shown


def test_an_explanation_says_why_no_known_comparison_stands_beside_it(gemel: Gemel) -> None:
    one, two = pl.read_csv("people.csv")["id"].to_list()[:2]
    said = gemel("explain", one, two)
    assert said.code == 0, said.err
    assert "no comparisons of a known answer beside it: without labels it is not" in said.out
    assert "FMR" not in said.out and "genuine" not in said.out
    assert json.loads(gemel("explain", one, two, "--json").out)["margin"] is None


def test_card_and_report_promise_nothing(gemel: Gemel, unproven: Path) -> None:
    card = json.loads(gemel("report", "--json").out)
    assert card["unproven"] is True
    assert card["promise"].startswith("Unproven: estimated from how records agree, not measured.")
    assert card["operating_points"][0]["dev"]["certified"] is False
    folder = next((unproven / ".gemel" / "releases").iterdir())
    release = Release.open(folder)
    page = render(release)
    assert "Unproven: an estimate without labels" in page
    assert "Expected, not measured:" in page and page.count("estimated, not measured") >= 2
    data = json.loads(page.split('id="slider-data">')[1].split("</script>")[0])
    point = release.evidence.eval
    assert data["points"][data["own"]][0] == point.threshold
    wrong = data["impostor"] * data["points"][data["own"]][1]
    assert wrong == pytest.approx(point.n_false_match, abs=0.6)
    assert "Just a match" in page and "Just no match" in page and "<h3>False matches" not in page
    shown = release.evidence.mistakes
    at = {kind: [m.score for m in shown if m.kind == kind] for kind in ("match", "no_match")}
    assert len(at["match"]) == len(at["no_match"]) == 20
    assert at["no_match"] == sorted(at["no_match"], reverse=True)
    assert at["no_match"][0] < point.threshold <= at["match"][0] == min(at["match"])


def test_the_report_opens_with_what_training_noted(unproven: Path) -> None:
    release = Release.open(next((unproven / ".gemel" / "releases").iterdir()))
    noted = msgspec.structs.replace(release.evidence, notes=("a household is taken for different",))
    assert headline(noted, "records").sentences[-1] == "A household is taken for different."


def test_the_doctor_speaks_of_no_labels_where_there_are_none(gemel: Gemel) -> None:
    said = gemel("doctor")
    assert said.code == 0 and "collapse" in said.out
    assert "label" not in said.out + said.err.replace("without labels", "")
    assert json.loads(gemel("doctor", "--json").out)["looked_at"] == 0


@pytest.mark.parametrize("flags", [["--fmr", "0.01"], ["--f1"], ["--for", "search"]])
def test_answers_prove_a_precision_and_nothing_else(gemel: Gemel, flags: list[str]) -> None:
    said = gemel("calibrate", "--from-answers", *flags)
    assert said.code == 2 and "--from-answers proves a precision: leave" in said.err


def test_answers_prove_what_was_estimated(
    gemel: Gemel, unproven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "answered"
    shutil.copytree(unproven, folder)
    monkeypatch.chdir(folder)
    few = gemel("calibrate", "--from-answers")
    assert few.code == 1
    assert "0 answers about pairs drawn for " in few.err
    assert "do not prove 95 of 100 matches right: about " in few.err
    assert "more are needed" in few.err and "prove no --precision yet" in few.err
    ids = pl.read_csv("people.csv")["id"].to_list()
    told = [(a, b, int(a.split(".")[0] == b.split(".")[0])) for a in ids for b in ids if a < b]
    with Path("told.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("left", "right", "same"), *told])
    known = json.loads(gemel("label", "--answers", "told.csv", "--precision", ".85", "--json").out)
    assert known["proven"], known
    estimated = gemel("calibrate", "--json").err.splitlines()
    assert "gemel label" in estimated[-1] and not any("training helped" in x for x in estimated)
    said = gemel("calibrate", "--from-answers", "--precision", ".85", "--json")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert "unproven" not in facts["manifest"] or facts["manifest"]["unproven"] is False
    assert facts["sentence"].startswith("Of 100 matches at least 85 are right, with 95 %")
    assert facts["policy"]["verify"]["threshold"] == pytest.approx(known["threshold"])
    moved = gemel("release", "promote", facts["manifest"]["id"])
    assert moved.code == 0, moved.err
    assert "pass  proven by answers" in moved.err
    shown = gemel("release", "show").out
    assert "precision by answers" in shown and "unproven" not in shown
    found = gemel("duplicates", "-o", "c.csv", "--json")
    summary = json.loads(found.out)
    assert "unproven" not in found.err and summary["unproven"] is False
    assert summary["threshold"] == pytest.approx(known["threshold"])
    assert summary["false_links"]["at_most"] <= 0.2 * summary["n_matches"]
    assert "by" in summary["false_links"]["basis"] and "answers" in summary["false_links"]["basis"]
    by_keys = gemel("duplicates", "-o", "c.csv", "--engine", "keys", "--json")
    of_others = json.loads(by_keys.out)["false_links"]
    assert of_others["at_most"] is None and "proposed by exact" in of_others["basis"]
    page = render(Release.open(folder / ".gemel" / "releases" / facts["manifest"]["id"]))
    assert "Proven by people" in page and "Unproven" not in page
    assert "holds at the threshold of the release alone" in page and "Just a match" in page
    again = gemel("calibrate", "--from-answers", "--precision", ".85", "--json")
    assert json.loads(again.out)["manifest"]["id"] == facts["manifest"]["id"]


def test_people_are_asked_about_pairs_that_the_estimate_calls_unlikely(
    unproven: Path, tmp_path: Path
) -> None:
    release = Release.open(next((unproven / ".gemel" / "releases").iterdir()))
    records = read("people.csv", id="id")
    likelihood, prior = release.policy.likelihood, release.policy.prior
    assert likelihood is not None
    lowest = plan(release, records, tmp_path).strata[-1].low
    assert likelihood.score_at(1e-4, prior) <= lowest < likelihood.score_at(1e-3, prior)


def test_people_are_asked_about_alike_pairs_that_keys_do_not_propose(
    unproven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Release.open(next((unproven / ".gemel" / "releases").iterdir()))
    records = read("people.csv", id="id")
    everything = {q.pair for q in plan(release, records, tmp_path / "exact").every}
    monkeypatch.setattr(comparison, "EXACT_ROWS", 50)
    made = plan(release, records, tmp_path / "keys")
    proposed, aside = ({q.pair for q in qs} for qs in (sum(made.questions, ()), made.aside))
    assert made.engine == "keys" and len(proposed) < 0.5 * len(everything)
    assert proposed.isdisjoint(aside) and everything <= proposed | aside
    assert made.n_aside == len(made.aside)  # so few records are all looked at
    teaching = Teaching.of(release, (records, records), made)
    session = Session(made, Answers(tmp_path / "said"), "ann", teaching=teaching)
    asked = []
    for _ in range(60):
        asked.append(session.next())
        session.say(asked[-1], "same" if asked[-1].left[:4] == asked[-1].right[:4] else "different")
    n_aside = sum(q.pair in aside for q in asked)
    assert n_aside >= 10 and session.n_drawn == 20 and session.n_teaching == 40
    assert session.known().n_answers <= 20


def test_pairs_across_two_files_stand_for_all_of_both(
    unproven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Release.open(next((unproven / ".gemel" / "releases").iterdir()))
    records = read("people.csv", id="id")
    n = len(records) // 2
    left, right = (records.take(np.arange(n) + k * n) for k in (0, 1))
    compared = Compared.of(release, left, right)
    job = comparison.planned(release, compared, "keys")
    found = comparison.compared_in(release, compared, tmp_path, job)
    monkeypatch.setattr("gemel.improve.labels.aside.EXACT_ROWS", n)
    aside = Aside.of(release, compared, found, -9.0, 0)
    assert len(aside.pairs) and aside.each == pytest.approx(n * n / (n // 2) ** 2)
    assert aside.pairs.left.max() < n <= aside.pairs.right.min()
    assert len(aside.best(10 * aside.each)) == 10


def test_too_few_answers_are_not_said_to_teach(
    gemel: Gemel, unproven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(unproven, tmp_path / "few")
    monkeypatch.chdir(tmp_path / "few")
    monkeypatch.setattr("sys.stdin", io.StringIO("ynq"))
    few = gemel("label")
    assert few.code == 0 and "2 answers teach gemel train nothing yet: 20 are the least" in few.err
    assert "next: gemel train learns" not in few.err
    monkeypatch.setattr("sys.stdin", io.StringIO("n" * 30))
    alike = gemel("label", "--limit", "30")
    assert "32 answers" in alike.err
    rows = list(csv.DictReader(Path(".gemel/labels/pairs.csv").read_text().splitlines()))
    assert len({r["same"] for r in rows}) == 2 and "learns from 32 answers" in alike.err


def test_answers_teach_and_the_next_training_says_so(
    gemel: Gemel, unproven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "taught"
    shutil.copytree(unproven, folder)
    monkeypatch.chdir(folder)
    ids = pl.read_csv("people.csv")["id"].to_list()
    told = [(a, b, int(a.split(".")[0] == b.split(".")[0])) for a in ids for b in ids if a < b]
    with Path("told.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("left", "right", "same"), *told])
    said = gemel("label", "--answers", "told.csv", "--precision", ".999", "--limit", "60")
    assert said.code == 0, said.err
    assert "next: gemel train learns from 60 answers" in said.err
    rows = list(csv.DictReader((folder / ".gemel/labels/pairs.csv").read_text().splitlines()))
    assert len(rows) == 60 and len({r["same"] for r in rows}) == 2
    before = {p.name for p in (folder / ".gemel/releases").iterdir()}
    trained = gemel("train", "--json")
    assert trained.code == 0, trained.err
    assert "learned from 60 answers about pairs" in trained.err
    facts = json.loads(trained.out)
    assert facts["sentence"].startswith(
        "Unproven: estimated from how records agree and 60 answers about pairs, not measured."
    )
    after = {p.name for p in (folder / ".gemel/releases").iterdir()}
    (made,) = after - before
    release = Release.open(folder / ".gemel/releases" / made)
    taught = release.evidence.taught
    assert taught is not None and taught.n_answers == 60 and release.is_unproven
    assert taught.n_same == sum(r["same"] == "1" for r in rows)
    project = Project.open()
    dataset = project.dataset()
    trained_on = Run.open(project.run_of(release, dataset), dataset)
    of_lesson = lesson(trained_on, dataset, answers_about(project, dataset))
    assert of_lesson is not None
    embeddings = release.encoder.encode(dataset.payloads())
    left, right = of_lesson.likely
    scores = release.comparator.score(embeddings[left], embeddings[right])
    assert scores.min() > -1e-3, "pairs that it takes to belong together, by what it learned"
    fewer = replace(of_lesson, likely=of_lesson.likely[:, :40])
    goals = release.evidence.goals
    other = build(trained_on.folder, dataset, goals=goals, into=tmp_path / "own", lesson=fewer)
    shared = genuine.read(other)
    assert shared is not None, "what it proposes is chosen by the pairs of the lesson"
    assert sum(len(side.of(())) for side in (shared.train, shared.eval)) == 40
    again = gemel("train", "--json")  # nothing new was said
    assert json.loads(again.out)["manifest"]["id"] == facts["manifest"]["id"]
    known = json.loads(gemel("label", "--answers", "told.csv", "--limit", "3", "--json").out)
    assert known["n_teaching"] == 0  # of the taught release all questions are drawn at random
    found = json.loads(gemel("duplicates", "-o", "c.csv", "--json").out)
    assert found["unproven"] is True and 50 <= found["n_matches"] <= 70
    rests = "estimated from how records agree and 60 answers about pairs, not measured"
    assert found["false_links"]["basis"] == rests
    assert gemel("duplicates", "-o", "c.html").code == 0
    assert f"Unproven: {rests}." in Path("c.html").read_text()


def test_another_goal_is_estimated_too_and_may_follow_an_unproven_release(gemel: Gemel) -> None:
    said = gemel("calibrate", "--precision", "0.99", "--json")
    facts = json.loads(said.out)
    assert said.code == 0
    assert facts["manifest"]["unproven"] is True
    point = facts["operating_points"][0]["dev"]
    assert point["precision"]["value"] >= 0.99
    assert (point["precision"]["low"], point["precision"]["high"]) == (0, 1)
    moved = gemel("release", "promote", facts["manifest"]["id"], "--dry-run")
    assert moved.code == 0
    assert "pass  nothing proven is live" in moved.err
    stays = facts["policy"]["verify"]["threshold"]
    assert f"a match from {stays:.4g} on, once stable points at it; until then" in said.err
    again = gemel("calibrate").err
    assert "on: stable points at it" in again and "promote" not in again, again
    refused = gemel("calibrate", "--fpir", "0.01")
    assert refused.code == 1
    assert "that takes labels" in refused.err


def test_programs_reach_the_goal_by_the_same_threshold(gemel: Gemel, tmp_path: Path) -> None:
    said = json.loads(gemel("calibrate", "--precision", "0.99", "--json").out)
    project = Project.open(Path("gemel.toml"))
    dataset = project.dataset()
    goals = Goals(verify=Target(kind="precision", value=0.99))
    run_folder, into = project.run_folder(dataset), tmp_path / "release"
    made = build_release(run_folder, dataset, goals=goals, into=into)
    assert made.is_unproven
    assert made.policy.verify.threshold == said["policy"]["verify"]["threshold"]


def test_no_unproven_release_takes_the_place_of_a_measured_one(
    gemel: Gemel, unproven: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gemel.release import gates

    estimated = next((unproven / ".gemel" / "releases").iterdir())
    measured = next((finished / ".gemel" / "releases").iterdir())
    report = gates.run(Release.open(estimated), Release.open(measured))
    assert not report.passed
    assert [g.name for g in report.gates if not g.passed] == ["nothing proven is live"]
    back = gates.run(Release.open(measured), Release.open(estimated))
    assert "errors not worse than stable" not in {g.name for g in back.gates}
