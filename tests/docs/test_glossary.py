"""The glossary and the code use the same words, each for one thing."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
SOURCES = sorted((ROOT / "src" / "gemel").rglob("*.py"))
NEVER = {r"\bFAR\b": "FMR", r"\bFRR\b": "FNMR", r"(?i)\bmodel version": "release"}
ONE_MEANING = {
    "Verdict": ("ledger/", "serve/"),
    "Gallery": ("gallery/",),
}
"""Words that name one thing, and the rooms that may name a class or a type so."""


def words() -> list[str]:
    rows = re.findall(r"^\| ([^|]+) \|", GLOSSARY.read_text(), flags=re.M)[1:]
    told = [re.sub(r"\(.*?\)|`| comparison", "", row) for row in rows if not row.startswith("-")]
    return [word.strip() for row in told for word in re.split(r",| or ", row) if word.strip()]


def test_a_word_is_explained_once() -> None:
    assert len(words()) > 60
    assert len(set(words())) == len(words())


def test_every_word_is_one_that_the_code_uses() -> None:
    text = "\n".join(path.read_text() for path in SOURCES).lower()
    assert [word for word in words() if word.lower() not in text] == []


def test_what_is_never_said_is_not_said() -> None:
    pages = [p for p in (ROOT / "docs").rglob("*.md") if p != GLOSSARY and "lab" not in p.parts]
    found = []
    for path in [*SOURCES, *pages, ROOT / "README.md"]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            said = [word for word in NEVER if re.search(word, line) and "Source:" not in line]
            found += [f"{path.name}:{number}: say {NEVER[word]}" for word in said]
    assert found == []


def test_a_word_of_the_glossary_names_one_kind_of_thing() -> None:
    for path in SOURCES:
        room = path.relative_to(ROOT / "src" / "gemel").as_posix()
        for node in ast.parse(path.read_text()).body:
            names = [node.name] if isinstance(node, ast.ClassDef) else []
            if isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            for name in set(names) & set(ONE_MEANING):
                assert room.startswith(ONE_MEANING[name]), f"{room}: {name}"
