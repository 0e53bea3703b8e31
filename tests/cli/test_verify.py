"""`gemel verify`: two records, several views, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.serve import small

from gemel.data.records import read
from gemel.decide.bands import Band
from gemel.release.store import Store

Gemel = Callable[..., Any]


def test_it_decides_as_explain_does(project: Path, gemel: Gemel) -> None:
    said = json.loads(gemel("verify", "r1.0", "r1.1", "--json").out)
    explained = json.loads(gemel("explain", "r1.0", "r1.1", "--json").out)
    assert said["outcome"] == explained["outcome"] == "match"
    assert said["score"] == pytest.approx(explained["score"], abs=1e-5)
    assert gemel("verify", "r1.0", "r3.0").out.startswith("no match: score ")


def test_every_view_has_to_match(project: Path, gemel: Gemel) -> None:
    words = ("verify", "r1.0", "r1.1", "--also-left", "r3.0", "--json")
    strict, other = (
        json.loads(gemel(*words).out),
        json.loads(gemel("verify", "r3.0", "r1.1", "--json").out),
    )
    assert strict["outcome"] == "no_match"
    assert strict["score"] == pytest.approx(other["score"], abs=1e-5)
    said = gemel("verify", "r1.0", "r1.1", "--also-right", '{"frist": "anna"}')
    assert said.code == 1 and "right[1].frist" in said.err


def test_images_are_files(tmp_path: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / ".gemel")
    release = store.put(small.image_release(tmp_path / "new").folder)
    store.point("stable", release.id, actor="me", reason="a test")
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes(small.picture(i))
    assert json.loads(gemel("verify", "0.png", "0.png", "--json").out)["outcome"] == "match"
    assert gemel("verify", "0.png", "none.png").code == 1


def test_dates_are_read_as_training_reads_them(project: Path, gemel: Gemel) -> None:
    (left,) = read("people.csv", identity="person", id="id").payloads([0])
    year, month, day = left["born"].split("-")
    other = json.dumps({**left, "born": f"{day}.{month}.{year}"})
    same = gemel("verify", json.dumps(left), json.dumps(left), "--json")
    assert gemel("verify", json.dumps(left), other, "--json").out == same.out
    plain = gemel("explain", json.dumps(left), json.dumps(left), "--json")
    assert gemel("explain", json.dumps(left), other, "--json").out == plain.out
    hits = gemel("gallery", "search", other, "--where", f"born={day}.{month}.{year}", "--json")
    assert json.loads(hits.out)[0]["id"] == "r0.0"
    either = gemel("verify", json.dumps({**left, "born": "03/04/1980"}), other)
    assert (
        either.code == 0
        and "read as missing, since the value does not fit: left.born" in either.err
    )


def test_verify_and_explain_name_the_rule_that_fired(project: Path, gemel: Gemel) -> None:
    made = gemel("calibrate", "--set", 'calibrate.rules=["born differs: review"]', "--json")
    release = json.loads(made.out)["manifest"]["id"]
    (row,) = read("people.csv", identity="person", id="id").payloads([0])
    live = Store(".gemel").get(release)
    always = Band(threshold=-1.0, review_low=-1.0, review_high=-1.0)
    policy = msgspec.structs.replace(live.policy, verify=always)
    child = Store(".gemel").put(live.child(into=project / "all", policy=policy).folder)
    pair = (json.dumps(row), json.dumps({**row, "born": "1066-10-14"}), "-r", child.id)
    for command in ("verify", "explain"):
        assert gemel(command, *pair).out.startswith("review (born differs: review): score ")
