"""`gemel calibrate`: a goal by flag, a table and a sentence, or a refusal with what is missing."""

import json
import re
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gemel.cli import calibrated
from gemel.serve.service import Service

Gemel = Callable[..., Any]


def test_a_goal_that_can_be_proven_becomes_a_child(project: Path, gemel: Gemel) -> None:
    said = gemel("calibrate", "--fmr", "0.2", "--confidence", "0.9", "--json")
    assert said.code == 0, said.err
    got = json.loads(said.out)
    goal = json.loads(gemel("release", "show", got["manifest"]["id"], "--json").out)["evidence"]
    assert (goal["goals"]["verify"]["kind"], goal["goals"]["verify"]["value"]) == ("fmr", 0.2)
    chosen = got["operating_points"][0]
    assert chosen["chosen"] and chosen["dev"]["certified"]
    assert chosen["dev"]["fmr"]["value"] <= 0.2
    assert got["sentence"].startswith("Of 10 pairs that do not belong together, at most 2 are")
    assert "90 % confidence" in got["sentence"]
    assert 0 < got["smallest_fmr"] < 0.2
    assert got["validity"]["expires"] == got["policy"]["expires"]
    assert got["stability"]["low"] <= chosen["dev"]["threshold"] <= got["stability"]["high"]
    again = json.loads(gemel("calibrate", "--fmr", "0.2", "--confidence", "0.9", "--json").out)
    assert again["manifest"]["id"] == got["manifest"]["id"]


@pytest.mark.parametrize(
    ("words", "again"),
    [
        ([], True),
        (["--name", "first"], True),
        (["--name", "second-name"], False),
        (["--set", "calibrate.max_comparisons=1000"], False),
        (["--set", "calibrate.seed=5"], False),
    ],
    ids=str,
)
def test_only_what_would_come_out_the_same_is_taken_from_the_shelf(
    project: Path, gemel: Gemel, words: list[str], again: bool
) -> None:
    first = json.loads(gemel("release", "show", "--json").out)["manifest"]["id"]
    got = json.loads(gemel("calibrate", *words, "--json").out)["manifest"]
    assert (got["id"] == first) == again
    if "--name" in words:
        assert got["name"] == words[1]
    repeated = json.loads(gemel("calibrate", *words, "--json").out)["manifest"]
    assert repeated["id"] == got["id"]


def test_the_table_says_what_the_numbers_hold_for(project: Path, gemel: Gemel) -> None:
    out = gemel("calibrate", "--fpir", "0.5", "--details").out
    for words in (
        "best F1", "equal error rate", "gallery up to", "FNIR", "genuine", "identities",
        "the smallest FMR that dev can prove is", "valid until", "calibrate again when",
    ):  # fmt: skip
        assert words in out, words
    assert re.search(r"needs [\d,]+ more identities", out)
    made = json.loads(gemel("release", "list", "--json").out)[-1]["manifest"]["id"]
    shown = gemel("release", "show", made).out
    assert re.search(r"^goal of searches +FPIR at most 50 %, in galleries of up to", shown, re.M)
    assert "…" not in out


def test_the_promise_stands_first_and_alone_unless_details_are_wanted(
    project: Path, gemel: Gemel
) -> None:
    short = gemel("calibrate").out
    words = " ".join(short.split())
    assert words == json.loads(gemel("calibrate", "--json").out)["sentence"]
    assert re.search(
        r"[Oo]f [\d,]+ matches (all|about \d+|between \d+ and \d+) are right among all", words
    )
    details = gemel("calibrate", "--details").out
    assert details.startswith(short)
    for word in ("regret", "prior", "space"):
        assert not re.search(rf"\b{word}\b", details), word


def test_a_goal_whose_matches_are_mostly_false_is_warned_about(project: Path, gemel: Gemel) -> None:
    said = gemel("calibrate", "--fmr", "0.2", "--confidence", "0.6")
    assert "warning: of 100 matches only about" in said.err
    assert "--precision" in said.err
    told = gemel("calibrate", "--fmr", "0.2", "--confidence", "0.6", "--prior", "0.5")
    assert "warning" not in told.err


def test_what_gates_would_refuse_is_not_to_be_promoted_next(project: Path, gemel: Gemel) -> None:
    """The line names the gates and what helps; the refusal itself has that as its hint."""
    said = gemel("calibrate", "--fmr", "0.2", "--confidence", "0.9").err
    (line,) = (x for x in said.splitlines() if x.startswith("next:"))
    id, would, helps = re.fullmatch(
        r"next: gemel report (\w+); gemel release promote would (refuse it \(.*?\)): (.*)", line
    ).groups()  # type: ignore[union-attr]
    assert "matches are right" in would and helps.startswith("more identities to learn")
    refused = gemel("release", "promote", id)
    assert refused.code == 3
    assert f"hint: {helps}; or promote it all the same: --force --reason WHY" in refused.err
    even = gemel("calibrate", "--fmr", "0.2", "--prior", "0.5", "--confidence", "0.9").err
    assert re.search(r"next: gemel report (\w+); gemel release promote \1$", even, re.MULTILINE)


def test_a_goal_that_cannot_be_proven_says_what_is_missing(project: Path, gemel: Gemel) -> None:
    before = gemel("release", "list", "--json").out
    said = gemel("calibrate", "--fmr", "1e-6", "--confidence", "0.95", "--json")
    assert said.code == 1
    assert "cannot prove FMR <= 1e-06" in said.err and "more identities" in said.err
    got = json.loads(said.out)
    assert got["refused"]["missing_identities"] > 100
    assert got["smallest_fmr"] == got["refused"]["reach"]
    said = gemel("calibrate", "--precision", "0.9999")
    assert said.code == 1 and "the smallest FMR they can prove is" in said.err
    assert gemel("release", "list", "--json").out == before


@pytest.mark.parametrize(
    "words",
    [
        ["--fmr", "0.1", "--f1"],
        ["--recall", "0.9", "--precision", "0.9"],
        ["--cost", "1", "2", "--fnmr", "0.1"],
        ["--fmr", "0.1", "--set", "calibrate.target=f1"],
        ["--fmr", "2"],
    ],
    ids=" ".join,
)
def test_goals_that_contradict_each_other_are_a_usage_error(
    project: Path, gemel: Gemel, words: list[str]
) -> None:
    said = gemel("calibrate", *words)
    assert said.code == 2 and "Traceback" not in said.err


def test_an_interval_that_is_not_known_and_a_level_near_one_are_not_made_up(
    project: Path, gemel: Gemel
) -> None:
    from gemel.calibrate.rates.intervals import Sample, proportion

    unknown = proportion(0.021, 0.001, Sample(n_comparisons=9, n_units=1, n_independent=1), 0.95)
    assert unknown.span(2) == "0.021 [too few identities]"
    assert (
        "[99.9999999 % by identity]"
        in gemel("calibrate", "--confidence", "0.999999999", "--details").out
    )


def test_a_cohort_that_is_smaller_than_asked_for_is_noted(project: Path, gemel: Gemel) -> None:
    said = gemel("calibrate", "--set", "calibrate.cohort=100000")
    assert (
        said.code == 0 and "note: a cohort of all 72 identities of train, not 100,000" in said.err
    )
    assert "cohort" not in gemel("calibrate", "--set", "calibrate.cohort=72").err


def test_a_flag_overrules_the_goal_of_the_file(project: Path, gemel: Gemel) -> None:
    path = project / "gemel.toml"
    text = re.sub(r"# target = .*", 'target = "fmr"', path.read_text(), count=1)
    path.write_text(re.sub(r"# value = .*", "value = 1e-6", text, count=1))
    assert gemel("calibrate").code == 1
    assert gemel("calibrate", "--f1").code == 0
    got = json.loads(gemel("calibrate", "--cost", "10", "1", "--prior", "0.01", "--json").out)
    assert got["operating_points"][0]["dev"]["target"] == "cost"
    assert got["operating_points"][0]["dev"]["prior"] == 0.01
    assert got["stability"]["regret"] >= 0


@pytest.mark.parametrize(
    ("words", "prior", "said"),
    [
        (["--for", "verify"], 0.5, "pairs that do not belong together"),
        (["--for", "duplicates"], None, "are right among 180 records"),
        (["--for", "duplicates", "--gallery-size", "1800"], None, "are right among 1,800 records"),
        (["--for", "search"], None, "searches for something that is there"),
        (["--for", "search", "--prior", "0.01"], 0.01, "searches for something that is among"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_use_decides_what_is_spoken_of_and_how_rare_genuine_pairs_are(
    project: Path, gemel: Gemel, words: list[str], prior: float | None, said: str
) -> None:
    got = json.loads(gemel("calibrate", *words, "--json").out)
    assert said in got["sentence"]
    here = got["operating_points"][0]["eval"]
    assert here["prior_source"] == "stated"
    shown = json.loads(gemel("release", "show", got["manifest"]["id"], "--json").out)["evidence"]
    use = shown["goals"]["use"]
    assert use["kind"] == words[1]
    mates = 2 / 3  # every other identity has two records, the others have one
    assert here["prior"] == pytest.approx(prior or mates / (use["records"] - 1), rel=0.01)


def test_a_size_without_a_use_or_an_fpir_is_refused(project: Path, gemel: Gemel) -> None:
    said = gemel("calibrate", "--gallery-size", "100")
    assert said.code == 1 and "FPIR" in said.err


def test_an_expired_release_says_so_and_is_calibrated_anew(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import datetime, timedelta

    import gemel.cli.calibrate as module
    import gemel.cli.release_words as shown

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(days=400)

    first = json.loads(gemel("release", "show", "--json").out)["manifest"]["id"]
    monkeypatch.setattr(module, "datetime", Later)
    monkeypatch.setattr(shown, "datetime", Later)
    assert "expired, calibrate again" in gemel("release", "show").out
    again = json.loads(gemel("calibrate", "--json").out)["manifest"]
    assert (again["id"] != first, again["parent"]) == (True, first)


def test_a_search_warns_as_identify_does(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Service, "warnings", lambda _: ["strangers match easily"])
    for command in ("search", "identify"):
        assert "warning: strangers match easily" in gemel("gallery", command, "last=koch").err


def test_identify_names_the_record_or_nobody(project: Path, gemel: Gemel) -> None:
    from gemel.data.records import read

    dataset = read("people.csv", identity="person", id="id")
    words = [f"{name}={value}" for name, value in dataset.payloads([5])[0].items()]
    got = json.loads(gemel("gallery", "identify", *words, "--json").out)
    assert (got["outcome"], got["record"]) == ("match", str(dataset.ids[5]))
    assert (got["gallery_size"], got["attributes"]["last"]) == (180, words[1].split("=")[1])
    given = [*words[:-1], f"{words[-1].partition('=')[0]}="]
    assert "warning: nothing given for born" in gemel("gallery", "identify", *given).err
    stranger = ["first=xq", "last=zzyzxvvv", "town=qqqqqqqq", "born=1931-02-03"]
    assert "unknown" in gemel("gallery", "identify", *stranger).out
    little = gemel("gallery", "identify", *stranger[:2])
    assert "unknown" in little.out and "nothing given for town, born" in little.err


def test_an_empty_store_after_a_training_says_that_calibrate_made_none(
    project: Path, gemel: Gemel
) -> None:
    shutil.rmtree(project / ".gemel" / "releases")
    (project / ".gemel" / "store.db").unlink()
    assert gemel("calibrate", "--fmr", "0.000001").code == 1
    said = gemel("duplicates")
    assert said.code == 1 and "gemel calibrate has put no release there" in said.err
    assert "gemel calibrate --f1" in said.err
    assert gemel("calibrate", "--f1").code == 0


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_a_table_of_rates_fits_its_terminal_and_is_never_cut(columns: int) -> None:
    rate = "0.01823 [0.01512, 0.02209]"
    row = ["* precision >= 0.9", "yes", "0.1722", rate, rate, rate]
    written = StringIO()
    console = Console(file=written, width=columns)
    console.print(calibrated._table("release 0", calibrated.POINTS, [row]))
    shown = written.getvalue()
    assert "…" not in shown and shown.count("0.02209]") == 3
    assert max(map(len, shown.splitlines())) <= columns
