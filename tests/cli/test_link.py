"""`gemel link`: two files, from what they are to a row for each link with the columns of both."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Gemel = Callable[..., Any]


@pytest.fixture
def two(project: Path) -> Path:
    """The people of a finished project in two files that call and write things differently."""
    people = list(csv.DictReader((project / "people.csv").read_text().splitlines()))
    later = [p for p in people if p["id"].endswith(".1")]
    lines = ["nr;nachname;ort;vorname;geboren;person;note"]
    for i, p in enumerate(later):
        y, m, d = p["born"].split("-")
        lines.append(f"{i};{p['last']};{p['town']};{p['first']};{d}.{m}.{y};{p['person']};n{i}")
    (project / "shop.csv").write_text("\n".join(lines) + "\n")
    with (project / "crm.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, people[0].keys())
        writer.writeheader()
        writer.writerows(p for p in people if p["id"].endswith(".0"))
    return project


SETTINGS = """[data]
path = "crm.csv"
id = "id"
[other]
path = "shop.csv"
id = "nr"
links = "one-to-one"
[other.names]
first = "vorname"
last = "nachname"
town = "ort"
born = "geboren"
"""


def test_a_row_for_each_link_has_the_columns_of_both_files(two: Path, gemel: Gemel) -> None:
    known = SETTINGS.replace("[other]", 'identity = "person"\n[other]')
    (two / "gemel.toml").write_text(known)
    said = gemel("link", "--json")
    assert said.code == 0, said.err
    known = json.loads(said.out)["known"]
    assert known["there"] == 60 and known["precision"] > 0.9 and known["recall"] > 0.9
    rows = pl.read_csv(two / "links.csv", infer_schema=False)
    assert rows.columns[:5] == ["crm id", "shop id", "score", "probability", "outcome"]
    assert {"crm.person", "crm.born", "shop.geboren", "shop.note"} <= set(rows.columns)
    assert (rows["crm.person"] == rows["shop.person"]).mean() > 0.9  # type: ignore[operator]
    assert (rows["crm.born"] == rows["shop.geboren"]).sum() == 0, "as written, each"
    assert rows["crm id"].is_unique().all() and rows["shop id"].is_unique().all()
    person = gemel("link", "-o", "links.parquet")
    assert "calibrate --for" not in person.out
    assert "gemel label --links one-to-one asks" in " ".join(person.out.split())
    assert "of these right (precision)" in person.out and "clusters" not in person.out
    assert len(pl.read_parquet(two / "links.parquet")) == len(rows)


def test_other_files_of_the_same_columns_are_linked_without_identities(
    two: Path, gemel: Gemel
) -> None:
    (two / "gemel.toml").write_text(SETTINGS.replace("[other]", 'identity = "person"\n[other]'))
    for name, column in (("crm", "person"), ("shop", "person")):
        separator = ";" if name == "shop" else ","
        frame = pl.read_csv(two / f"{name}.csv", infer_schema=False, separator=separator)
        frame.drop(column).write_csv(two / f"new-{name}.csv")
    said = gemel("link", "new-crm.csv", "new-shop.csv", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["known"] is None and found["summary"]["n_matches"] > 50
    assert "new-shop.note" in pl.read_csv(two / "links.csv").columns


def test_files_with_the_names_of_the_release_need_no_settings(two: Path, gemel: Gemel) -> None:
    people = pl.read_csv(two / "people.csv", infer_schema=False)
    later = pl.col("id").str.ends_with(".1")
    people.filter(~later).write_csv(two / "a.csv")
    people.filter(later).rename({"id": "key"}).write_csv(two / "b.csv")
    said = gemel("link", "a.csv", "b.csv", "--id", "id", "--other-id", "key", "--dry-run")
    assert said.code == 0 and "would compare 120 with 60 records" in said.err, said.err
    assert not (two / "links.csv").exists()


def test_two_files_live_through_all_commands(two: Path, gemel: Gemel) -> None:
    (two / "gemel.toml").unlink()
    before = set((two / ".gemel" / "releases").iterdir())
    for command in (
        "init crm.csv shop.csv --other-id nr --id id",
        "data check",
        "train",
        "calibrate",
    ):
        said = gemel(*command.split())
        assert said.code == 0, f"{command}: {said.err}"
    (made,) = set((two / ".gemel" / "releases").iterdir()) - before
    assert gemel("release", "promote", made.name, "--force", "--reason", "test").code == 0
    found = json.loads(gemel("link", "--json").out)
    assert found["known"]["precision"] > 0.9 and found["known"]["recall"] > 0.9


def test_links_that_share_a_record_are_named_with_what_keeps_one(two: Path, gemel: Gemel) -> None:
    known = SETTINGS.replace("[other]", 'identity = "person"\n[other]')
    (two / "gemel.toml").write_text(known)
    twice = (two / "shop.csv").read_text().splitlines()
    twice.append(twice[1].replace("0;", "again;", 1))
    (two / "shop.csv").write_text("\n".join(twice) + "\n")
    said = gemel("link", "--links", "many-to-many")
    assert said.code == 0, said.err
    row = " ".join(said.out.split())
    assert "share a record with another 2; if neither file holds anything twice: --links" in row
    said = gemel("link", "--links", "one-to-one")
    assert "share a record" not in said.out and "left out to link one-to-one" in said.out
    assert "left out to link many-to-one" in gemel("link", "--links", "many-to-one").out


def test_what_label_asks_about_is_what_link_links(
    two: Path, gemel: Gemel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (two / "gemel.toml").write_text(SETTINGS.replace("[other]", 'identity = "person"\n[other]'))
    twice = (two / "shop.csv").read_text().splitlines()
    twice += [line.replace(";", "again;", 1) for line in twice[1:21]]
    (two / "shop.csv").write_text("\n".join(twice) + "\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("y" * 40))
    known = json.loads(gemel("label", "--json").out)
    links = json.loads(gemel("link", "--json").out)["summary"]
    assert known["links"] == "one-to-one" and known["n_match"] == links["n_matches"]
    assert known["n_besides"] > 0 and links["n_given_up"] >= 20
    said = gemel("label", "--links", "many-to-many")
    n = links["n_matches"] + links["n_given_up"]
    assert f"{n} matches" in said.out and "some matches share a record" in said.err
    assert "one-to-one links" in gemel("label").out


def test_two_files_without_a_known_link_are_linked_and_marked_unproven(
    two: Path, gemel: Gemel
) -> None:
    shutil.rmtree(two / ".gemel")
    (two / "gemel.toml").unlink()
    for name, separator in (("crm", ","), ("shop", ";")):
        frame = pl.read_csv(two / f"{name}.csv", infer_schema=False, separator=separator)
        frame.drop("person").write_csv(two / f"{name}.csv")
    assert gemel("init", "crm.csv", "shop.csv", "--other-id", "nr").code == 0
    said = gemel("train")
    assert said.code == 0 and "next: gemel link" in said.err, said.err
    said = gemel("link", "--links", "one-to-one")
    assert said.code == 0 and "unproven" in said.err, said.err
    rows = pl.read_csv(two / "links.csv", infer_schema=False)
    assert len(rows) > 50
    assert (rows["crm.town"] == rows["shop.ort"]).mean() > 0.9  # type: ignore[operator]


def test_an_id_stands_for_the_record_of_the_one_file_that_has_it(two: Path, gemel: Gemel) -> None:
    (two / "gemel.toml").write_text(SETTINGS)
    crm = pl.read_csv(two / "crm.csv", infer_schema=False)["id"][0]
    full = gemel("verify", f"crm:{crm}", "shop:0")
    assert full.code == 0, full.err
    for verb in ("verify", "explain"):
        short = gemel(verb, crm, "0")
        assert short.code == 0 and short.out.startswith(full.out.strip()), short.err
    near = gemel("verify", crm[:-1] + "7", "0")
    assert near.code == 1 and "did you mean" in near.err, near.err
    text = (two / "shop.csv").read_text().replace("\n0;", f"\n{crm};", 1)
    (two / "shop.csv").write_text(text)
    both = gemel("verify", crm, "1")
    assert both.code == 1 and f"'crm:{crm}' or 'shop:{crm}'" in both.err, both.err
