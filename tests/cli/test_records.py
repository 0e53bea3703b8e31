"""Which records are in the gallery, and taking some out by what they have."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Gemel


def test_records_are_listed_by_their_ids(project: Path, gemel: Gemel) -> None:
    said = gemel("gallery", "list")
    ids = said.out.split()
    assert said.code == 0 and ids == sorted(ids) and {"r1.0", "r1.1"} < set(ids)
    n_rows = len(Path("people.csv").read_text().splitlines()) - 1
    assert len(ids) == n_rows
    one = gemel("gallery", "list", "--where", "person=p1", "--attributes")
    assert [line.split()[0] for line in one.out.splitlines()] == ["r1.0", "r1.1"]
    assert "person p1" in one.out
    told = [json.loads(line) for line in gemel("gallery", "list", "-a", "--json").out.splitlines()]
    assert [record["id"] for record in told] == ids
    assert told[0]["attributes"]["person"] == "p0"
    none = gemel("gallery", "list", "--where", "person=nobody")
    assert (none.code, none.out) == (0, "") and "no record has person=nobody" in none.err


def test_a_class_is_taken_out_by_its_name(project: Path, gemel: Gemel) -> None:
    before = gemel("gallery", "list").out.split()
    said = gemel("gallery", "delete", "p1")
    assert said.code == 0 and "deleted 0 of 1" in said.err
    assert "'p1' is a person, not a record" in said.err
    assert "gemel gallery delete --where 'person=p1'" in said.err
    would = gemel("gallery", "delete", "--where", "person=p1", "--dry-run")
    assert "would delete 2 records" in would.err
    assert gemel("gallery", "list").out.split() == before
    assert "deleted 2 of 2" in gemel("gallery", "delete", "--where", "person=p1").err
    left = gemel("gallery", "list").out.split()
    assert set(before) - set(left) == {"r1.0", "r1.1"}
    assert gemel("gallery", "check").code == 0
    gone = gemel("gallery", "delete", "--where", "person=p1")
    assert gone.code == 0 and "no record has person=p1" in gone.err
