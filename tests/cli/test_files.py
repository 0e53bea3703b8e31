"""Results take the place of earlier results, and of no file that a user wrote."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Gemel = Callable[..., Any]
MINE = "mine,theirs\na1,b1\n"


@pytest.fixture
def two(project: Path) -> Path:
    people = pl.read_csv(project / "people.csv", infer_schema=False)
    later = pl.col("id").str.ends_with(".1")
    people.filter(~later).write_csv(project / "crm.csv")
    people.filter(later).write_csv(project / "shop.csv")
    return project


LINK = ("link", "crm.csv", "shop.csv", "--id", "id")


@pytest.mark.parametrize(
    ("command", "name", "option"),
    [
        (LINK, "links.csv", "-o"),
        ((*LINK, "-o", "known.csv"), "known.csv", "-o"),
        (("duplicates",), "clusters.csv", "-o"),
        (("duplicates", "--pairs", "pairs.csv"), "pairs.csv", "--pairs"),
        (("duplicates", "-o", "seen.html"), "seen.html", "-o"),
        (("duplicates", "-o", "c.parquet"), "c.parquet", "-o"),
    ],
)
def test_a_file_of_the_user_stays_as_it_is(
    two: Path, gemel: Gemel, command: tuple[str, ...], name: str, option: str
) -> None:
    (two / name).write_text(MINE)
    said = gemel(*command)
    assert said.code == 1 and (two / name).read_text() == MINE
    assert f"{name}: is there already" in said.err and f"with {option}," in said.err
    assert "looking for" not in said.err and not (two / ".gemel" / "duplicates").exists()


def test_earlier_results_are_written_anew_until_somebody_adds_a_column(
    two: Path, gemel: Gemel
) -> None:
    files = ("clusters.csv", "clusters.parquet", "clusters.html", "pairs.csv")
    made = [
        (*LINK, "-o", "links.csv"),
        (*LINK, "-o", "links.parquet"),
        *(("duplicates", "-o", name, "--pairs", "pairs.csv") for name in files[:3]),
        ("duplicates", "crm.csv", "shop.csv", "--id", "id", "-o", "across.csv"),
    ]
    for command in made:
        for _ in range(2):
            said = gemel(*command)
            assert said.code == 0, said.err
    for name, command in (
        ("links.csv", made[0]),
        ("clusters.csv", made[2]),
        ("pairs.csv", made[4]),
    ):
        table = pl.read_csv(two / name, infer_schema=False)
        table.with_columns(checked=pl.lit("yes")).write_csv(two / name)
        said = gemel(*command)
        assert said.code == 1 and "gemel did not write it" in said.err, said.err
        assert "checked" in pl.read_csv(two / name, infer_schema=False).columns
