"""What README and ARCHITECTURE tell at first sight: what it takes, how long, where to go."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gemel"
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


def rows(text: str, first: str) -> list[list[str]]:
    """Cells of the table whose first head is given, without its head."""
    _, _, after = text.partition(f"| {first} |")
    lines = [line for line in after.partition("\n\n")[0].splitlines()[2:] if line]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def test_the_readme_says_for_each_kind_of_data_what_to_type_and_how_long_it_takes() -> None:
    table = rows(README, "what you have")
    assert len(table) >= 6
    for have, command, how_long in table:
        assert re.search(r"`gemel (init|import) ", command), have
        assert "minutes" in how_long, have
    having = " ".join(have for have, *_ in table)
    for word in ("nothing says it", "two files", "pairs", "images", "texts", "recordings"):
        assert word in having, word


def test_the_readme_says_what_labels_are_needed_for_before_the_first_command() -> None:
    opening = " ".join(README.partition("## Two commands")[0].split())
    assert re.search(r"few hundred identities .* prove an error rate", opening)
    assert "unproven start" in opening and "`gemel label`" in opening


@pytest.mark.parametrize(
    "verb", ["init", "train", "calibrate", "promote", "verify", "explain", "duplicates"]
)
def test_the_readme_shows_each_step_of_a_first_hour_with_what_it_is_for(verb: str) -> None:
    commands = README.partition("## Your own records")[2].partition("```sh")[2].partition("```")[0]
    assert re.search(rf"^gemel (release )?{verb}\b.* # \w+", commands, flags=re.M)


@pytest.mark.parametrize(
    ("what", "where"),
    [
        ("two embeddings are compared", "encode/comparators/"),
        ("a rate, an interval", "calibrate/rates/intervals.py"),
        ("a metric", "telemetry.py"),
        ("a suffix", "data/sources/tables.py"),
        ("its colours", "console/page.css"),
        ("a command", "cli/verbs.py"),
        ("a modality", "encode/modality.py"),
        ("by name", "registry.py"),
    ],
)
def test_the_architecture_says_where_each_kind_of_thing_is_changed(what: str, where: str) -> None:
    (answer,) = [row[1] for row in rows(ARCHITECTURE, "to change") if re.search(what, row[0])]
    assert f"`{where}`" in answer and (SOURCE / where).exists()


def test_whatever_the_architecture_names_is_there() -> None:
    text = " ".join(cell for row in rows(ARCHITECTURE, "to change") for cell in row)
    named = set(re.findall(r"`([a-z0-9_/]+/(?:[a-z0-9_]+\.\w+)?)`", text))
    assert len(named) > 60
    below = {name for name in named if any(SOURCE.rglob(name.rstrip("/")))}
    assert {name for name in named - below if not (ROOT / name).exists()} == set()
