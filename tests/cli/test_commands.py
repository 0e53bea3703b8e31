"""The life of a project, as its commands show it."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemel.cli import show
from gemel.cli.project import Project
from gemel.config import Config
from gemel.data.records import read
from gemel.release import gates
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord

Gemel = Callable[..., Any]


def state(folder: Path) -> dict[str, bytes]:
    """Every file of the state folder that holds state, with its bytes."""
    files = (p for p in sorted((folder / ".gemel").rglob("*")) if p.is_file())
    return {
        str(p): p.read_bytes() for p in files if p.suffix not in (".lock", "") and "-" not in p.name
    }


def test_init_looks_at_the_file_and_writes_settings_that_read_it(
    empty: Path, people: Path, gemel: Gemel
) -> None:
    said = gemel("init", "people.csv")
    assert said.code == 0 and "change data.identity if not" in said.err
    config = Config.load(empty / "gemel.toml")
    assert (config.data.identity, config.data.id) == ("person", "id")
    text = (empty / "gemel.toml").read_text()
    for name in ("path", "identity", "missing", "max_epochs", "use", "target"):
        assert re.search(rf"^(# )?{name} = ", text, flags=re.M), name
    assert '# read as date: "born"' in text


def test_the_settings_mean_the_same_with_every_comment_taken_away(
    empty: Path, people: Path, gemel: Gemel
) -> None:
    gemel("init", "people.csv")
    path = empty / "gemel.toml"
    before = Config.load(path)
    path.write_text(re.sub(r"^# (\S+ = )", r"\1", path.read_text(), flags=re.M))
    after = Config.load(path)
    for name in ("data", "split", "train", "calibrate", "store", "gallery", "serve"):
        assert getattr(after, name) == getattr(before, name)


def test_init_says_which_ids_it_took_and_which_rows_go(
    empty: Path, people: Path, gemel: Gemel
) -> None:
    again = people.read_text().splitlines()[1]
    people.write_text(people.read_text() + again + "\n")
    said = gemel("init", "people.csv", "-o", "other.toml")
    assert "id is column 'id': 1 row without or with a repeated one will be refused" in said.err
    assert "then: gemel data check -c other.toml" in said.err
    assert Config.load(empty / "other.toml").data.id == "id"
    people.write_text(people.read_text() + (again + "\n") * 5)
    said = gemel("init", "people.csv")
    assert "column 'id' repeats values: it is a field and no id" in said.err
    assert Config.load(empty / "gemel.toml").data.id is None


def test_init_dry_run_shows_the_file_and_writes_nothing(
    empty: Path, people: Path, gemel: Gemel
) -> None:
    said = gemel("init", "people.csv", "--dry-run")
    assert "[data]" in said.out and not (empty / "gemel.toml").exists()


def test_data_check_counts_what_was_read(project: Path, gemel: Gemel) -> None:
    facts = json.loads(gemel("data", "check", "--json").out)
    assert (facts["records"], facts["identities"], facts["refused"]) == (180, 120, 0)
    assert sum(s["records"] for s in facts["splits"].values()) == 180
    assert "born (date)" in gemel("data", "check").out


def test_a_finished_run_is_not_trained_again(project: Path, gemel: Gemel) -> None:
    (run_folder,) = (project / ".gemel" / "runs").iterdir()

    def written() -> dict[Path, int]:
        return {p: p.stat().st_mtime_ns for p in run_folder.rglob("[!.]*")}

    before = written()
    facts = json.loads(gemel("train", "--json").out)
    assert facts["folder"].endswith(run_folder.name)
    assert before == written()


def test_the_same_goal_gives_the_release_that_is_there(project: Path, gemel: Gemel) -> None:
    known = {m["manifest"]["id"] for m in json.loads(gemel("release", "list", "--json").out)}
    again = json.loads(gemel("calibrate", "--json").out)
    assert known == {again["manifest"]["id"]}


def test_a_rollout_that_never_was_is_no_failure(project: Path, gemel: Gemel) -> None:
    said = gemel("rollout", "status", "--watch")
    assert (said.code, said.out) == (0, "")
    assert "there was no rollout yet" in said.err and "gemel rollout start RELEASE" in said.err
    assert gemel("rollout", "status", "--json").out == "null\n"


def test_another_goal_gives_another_release_in_the_same_space(project: Path, gemel: Gemel) -> None:
    first = json.loads(gemel("release", "show", "--json").out)["manifest"]
    said = gemel("calibrate", "--set", "calibrate.target=eer", "--json")
    second = json.loads(said.out)["manifest"]
    assert second["id"] != first["id"] and second["space_id"] == first["space_id"]
    assert second["parent"] == first["id"]
    assert len(json.loads(gemel("release", "list", "--json").out)) == 2


def test_promote_and_roll_back_move_the_pointer_and_leave_a_trace(
    project: Path, gemel: Gemel
) -> None:
    first = json.loads(gemel("release", "show", "--json").out)["manifest"]["id"]
    second = json.loads(gemel("calibrate", "--set", "calibrate.target=eer", "--json").out)
    new = second["manifest"]["id"]
    said = gemel("release", "promote", new[:10], "--force", "--reason", "why not")
    assert said.code == 0 and "integrity" in said.err
    assert json.loads(gemel("release", "show", "--json").out)["manifest"]["id"] == new
    assert gemel("release", "rollback", "--reason", "was better").code == 0
    moves = json.loads(gemel("release", "history", "--json").out)
    assert [m["release_id"] for m in moves] == [first, new, first]
    assert "was better" in gemel("release", "history").out
    noted = json.loads(gemel("ledger", "list", "--json").out)
    kinds = [kind for kind, _ in itertools.groupby(noted, key=lambda e: e["kind"])]
    assert kinds == ["release.point", "enroll", "release.point", "release.rollback"]
    noted = json.loads(gemel("ledger", "list", "--kind", "release", "--json").out)
    assert [e["kind"] for e in noted] == ["release.point", "release.point", "release.rollback"]
    newest = json.loads(gemel("ledger", "list", "--limit", "2", "--json").out)
    assert [e["kind"] for e in newest] == ["release.point", "release.rollback"]
    first = json.loads(gemel("ledger", "list", "--after", "0", "--limit", "1", "--json").out)
    assert [e["seq"] for e in first] == [1]
    for kind in ("releas", "release/", "releases", "."):
        assert json.loads(gemel("ledger", "list", "--kind", kind, "--json").out) == [], kind
    assert gemel("ledger", "verify").code == 0


def test_a_gate_that_fails_is_told_once(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = (gates.Gate("first", True, "is well"), gates.Gate("second", False, "is too bad"))
    monkeypatch.setattr(gates, "run", lambda release, *_, **__: gates.GateReport("0" * 64, seen))
    name = Project.open(None, None).release(None).id
    for extra in ([], ["--dry-run"]):
        said = gemel("release", "promote", name, "--reason", "x", *extra)
        assert (said.code, said.err.count("is too bad")) == (3, 1), said.err


def test_enrolling_again_changes_nothing(project: Path, gemel: Gemel) -> None:
    done = json.loads(gemel("gallery", "enroll", "--json").out)
    assert (done["added"], done["updated"], done["unchanged"]) == (0, 0, 180)


def test_a_record_finds_itself_and_then_is_gone(project: Path, gemel: Gemel) -> None:
    dataset = read("people.csv", identity="person", id="id")
    row, expected = dataset.payloads([5])[0], str(dataset.ids[5])
    words = [f"{name}={value}" for name, value in row.items()]
    hits = json.loads(gemel("gallery", "search", *words, "-k", "2", "--json").out)
    assert hits[0]["id"] == expected and hits[0]["decision"] == "match"
    as_json = gemel("gallery", "search", json.dumps(row), "-k", "2", "--json")
    assert json.loads(as_json.out) == hits
    assert "deleted 1 of 2" in gemel("gallery", "delete", hits[0]["id"], "nobody").err
    left = json.loads(gemel("gallery", "search", *words, "--json").out)
    assert hits[0]["id"] not in {h["id"] for h in left}
    assert json.loads(gemel("gallery", "stats", "--json").out)["rows"] == 179
    only = gemel("gallery", "search", *words, "--where", "first=karl", "--json")
    assert {h["first"] for h in json.loads(only.out)} == {"karl"}


def test_other_records_are_enrolled_by_the_fields_of_the_release(
    project: Path, gemel: Gemel
) -> None:
    (project / "new.csv").write_text(
        "key,last,first,born,town,note\nx1,weber,otto,1950-01-02,ulm,hello\n"
    )
    assert (
        json.loads(gemel("gallery", "enroll", "new.csv", "--id", "key", "--json").out)["added"] == 1
    )
    hits = json.loads(
        gemel("gallery", "search", "last=weber", "first=otto", "town=ulm", "--json").out
    )
    assert hits[0]["id"] == "x1"
    town = gemel("gallery", "enroll", "new.csv", "--id", "key", "--label", "town", "--json")
    assert json.loads(town.out)["unchanged"] == 1


def test_what_a_record_says_stands_beside_the_score_and_in_all_digits(
    project: Path, gemel: Gemel
) -> None:
    (project / "new.csv").write_text(
        "key,last,first,born,town,score\nx1,weber,otto,1950-01-02,ulm,2635962\n"
    )
    assert gemel("gallery", "enroll", "new.csv", "--id", "key", "--label", "score").code == 0
    words = ("gallery", "search", "last=weber", "first=otto", "town=ulm", "-k", "1")
    (hit,) = json.loads(gemel(*words, "--json").out)
    assert isinstance(hit["score"], float) and hit["score of the record"] == "2635962"
    here = Project.open()
    with here.gallery(here.release(), write=True) as gallery:
        item = {"last": "weber", "first": "otto", "town": "ulm"}
        Service(here.release(), gallery).enroll([NewRecord("x2", item, {"size": 2635962.0})])
    assert "2635962" in gemel(*words).out.splitlines()[1].split()


def test_release_show_prints_the_fields(project: Path, gemel: Gemel) -> None:
    shown = gemel("release", "show").out
    assert re.search(
        r"^fields +first \(category\), last \(text\), town \(text\), born \(date\)$", shown, re.M
    )


def test_verify_finds_a_changed_byte(project: Path, gemel: Gemel) -> None:
    assert gemel("release", "verify").code == 0
    network = next((project / ".gemel" / "releases").glob("*/encoder/encoder.onnx"))
    data = bytearray(network.read_bytes())
    data[len(data) // 2] ^= 1
    network.write_bytes(bytes(data))
    said = gemel("release", "verify")
    assert said.code == 1 and "encoder.onnx" in said.err


def test_the_report_is_one_file(project: Path, gemel: Gemel) -> None:
    assert gemel("report", "-o", "out.html").code == 0
    text = (project / "out.html").read_text()
    assert text.lstrip().lower().startswith("<!doctype html") and "http://" not in re.sub(
        r"http://www\.w3\.org", "", text
    )


def test_config_show_says_where_each_value_comes_from(project: Path, gemel: Gemel) -> None:
    shown = json.loads(gemel("config", "show", "--set", "train.seed=4", "--json").out)
    assert shown["train.seed"] == {"value": 4, "origin": "flag train.seed"}
    assert shown["train.max_epochs"]["origin"] == "environment GEMEL__TRAIN__MAX_EPOCHS"
    assert shown["data.identity"]["origin"].startswith("gemel.toml:")
    assert "data.identity" in gemel("config", "show").out


def test_a_config_elsewhere_brings_its_own_folder(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert json.loads(gemel("data", "check", "-c", project / "gemel.toml", "--json").out)["records"]


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--dry-run", "--set", "train.seed=9"],
        ["calibrate", "--dry-run", "--set", "calibrate.target=eer"],
        ["release", "rollback", "--dry-run"],
        ["gallery", "enroll", "--dry-run"],
        ["gallery", "delete", "r1.0", "--dry-run"],
        ["report", "--dry-run", "-o", ".gemel/report.html"],
        ["init", "people.csv", "--dry-run"],
    ],
    ids=" ".join,
)
def test_a_dry_run_changes_nothing(project: Path, gemel: Gemel, words: list[str]) -> None:
    before = state(project)
    assert gemel(*words).code == 0
    assert state(project) == before


def test_every_read_has_json_that_is_json(project: Path, gemel: Gemel) -> None:
    for words in (
        "data check", "release list", "release show", "release verify", "release history",
        "gallery stats", "ledger verify", "ledger list", "config show",
    ):  # fmt: skip
        said = gemel(*words.split(), "--json")
        assert said.code == 0, said.err
        json.loads(said.out)


def test_an_unexpected_error_is_one_line_and_a_log(
    project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("the sky\nfell")

    monkeypatch.setattr(show, "table", fails)
    said = gemel("config", "show")
    assert (
        said.code == 1 and said.err.splitlines()[0] == "error: unexpected ValueError: the sky fell"
    )
    log = Path(said.err.split()[-1])
    assert "Traceback" in log.read_text() and "Traceback" not in said.err
    log.unlink()
    assert "Traceback" in gemel("--debug", "config", "show").err


def test_ctrl_c_is_quiet(project: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(show, "table", interrupted)
    said = gemel("config", "show")
    assert (said.code, said.out, said.err) == (130, "", "stopped\n")


def test_a_closed_pipe_is_quiet(project: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "gemel", "config", "show"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_training_off_a_terminal_says_a_line_for_each_epoch(people: Path, gemel: Gemel) -> None:
    assert gemel("init", "people.csv", "--set", "split.crossed=false").code == 0
    said = gemel("train", "--set", "train.max_epochs=2")
    assert said.code == 0, said.err
    lines = [x for x in said.err.splitlines() if x.startswith("epoch ")]
    assert [x.split(":")[0] for x in lines] == ["epoch 1 of at most 2", "epoch 2 of at most 2"]
    assert all("loss" in x and "dev" in x for x in lines)


def test_the_package_is_a_command_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gemel", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout.startswith("gemel ")


ASCII = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}


def test_a_terminal_without_the_signs_is_written_plain_ones(project: Path) -> None:
    command = [sys.executable, "-m", "gemel", "explain", "r1.0", '{"first": "Jörg"}']
    done = subprocess.run(command, capture_output=True, text=True, env=ASCII)
    assert (done.returncode, "against | for" in done.stdout) == (0, True), done.stderr
    assert re.search(r"^first .*Jo?\\u00f6rg.* -*\|#* ", done.stdout, re.M), done.stdout
    as_json = subprocess.run([*command, "--json"], capture_output=True, text=True, env=ASCII)
    assert json.loads(as_json.stdout)["parts"]
    told = subprocess.run(command, capture_output=True, text=True, env={**ASCII, "PYTHONUTF8": "0"})
    assert "not to be read as ascii" in told.stderr and "PYTHONUTF8=1" in told.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_a_full_disk_is_no_bug() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gemel", "config", "show"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        ["error: no space left on device", "hint: free some space"],
    )


def test_names_and_values_are_no_python() -> None:
    assert [show.number(v) for v in (None, True, False, 1234)] == ["", "yes", "no", "1,234"]


def test_a_release_names_the_rate_of_its_goal(project: Path, gemel: Gemel) -> None:
    shown = gemel("release", "show").out
    assert re.search(r"^goal +(best F1|\w.* at (most|least) )", shown, re.MULTILINE)
    assert not re.search(r"^name +$", shown, re.MULTILINE)
