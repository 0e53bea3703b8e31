"""Documents say what is so: code runs, commands exist, reference pages are up to date."""

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")],
    key=lambda p: str(p.relative_to(ROOT)),
)


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands_in(text: str) -> set[str]:
    """Everything that looks like a call of gemel in code, without its arguments."""
    code = re.findall(r"`(gemel [^`\n]+)`", text)
    code += re.findall(r"^\s{4,}(?:\$ )?(gemel [^\n#|>]+)", text, flags=re.M)
    for block in re.findall(r"```(?:sh|console|bash)\n(.*?)```", text, flags=re.S):
        code += re.findall(r"^(?:\$ )?(gemel [^\n#|>]+)", block, flags=re.M)
    return set(code)


def test_reference_pages_are_up_to_date() -> None:
    module = generator()
    for name, text in module.pages().items():
        assert (module.FOLDER / name).read_text() == text, f"{name} is old: run `make docs`"
    assert module.ARCHITECTURE.read_text() == module.architecture(), "its last section is old"


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_in_a_page_exists(path: Path) -> None:
    known = {words for words, _ in generator().commands()}
    groups = {" ".join(words.split()[:2]) for words in known} | {"gemel"}
    for call in commands_in(path.read_text()):
        words = [w for w in shlex.split(call.split("...")[0]) if not w.startswith("-")]
        named = {" ".join(words[:n]) for n in range(1, 4)}
        in_group = len(words) < 2 or " ".join(words[:2]) in groups
        assert in_group and (named & known or len(words) <= 2), f"{path.name}: {call}"


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if not re.match(r"[a-z]+:|#", target):
            assert (path.parent / target.split("#")[0]).exists(), f"{path.name}: {target}"


def test_commands_and_links_are_found_in_pages() -> None:
    """Else the two tests above would look at nothing."""
    texts = [path.read_text() for path in PAGES]
    assert sum(len(commands_in(text)) for text in texts) > 200
    assert sum(len(re.findall(r"\]\(([^)\s]+)\)", text)) for text in texts) > 100


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / "README.md").read_text(), flags=re.M))
    assert {"demo", "test"} <= named <= targets


def test_the_entry_of_the_continuous_integration_runs_the_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text().splitlines()
    assert "make test" in (ROOT / "README.md").read_text()


def test_errors_of_routes_and_every_choice_are_in_the_reference() -> None:
    pages = generator().pages()
    for code in ("unknown_path", "wrong_method", "unknown_decision"):
        assert f"`{code}`" in pages["errors.md"]
    (line,) = [x for x in pages["settings.md"].splitlines() if x.startswith("| `categories`")]
    assert all(f"{choice}: " in line for choice in ("off", "report", "worst", "per_category"))


def test_the_citation_names_the_version() -> None:
    import gemel

    assert f"version: {gemel.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_decisions_are_numbered_one_by_one() -> None:
    names = [path.name for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
