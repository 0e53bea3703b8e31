"""Every hint can be followed: the commands, options, settings and routes that it names exist."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from gemel.cli.main import app
from gemel.config import PREFIX, describe, keys
from gemel.registry import MODALITIES
from gemel.serve.http.routes.table import TABLE
from gemel.settings import SECTIONS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gemel"
COMMANDS: Any = typer.main.get_command(app)
NAMES = {key.partition(".")[2] for key in keys()}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FIELDS = {"decision_id", "no_match", "per_category", *MODALITIES.names()}
"""Of requests, replies and choices."""


def text_of(node: ast.expr) -> str:
    """What a literal says, with {} for what is put in; nothing for what is not written there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(v) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    parts = [text_of(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return " | ".join(part for part in parts if part)


def hints() -> Iterator[tuple[str, str]]:
    """Place and text of everything that tells a user what to do.

    Values of `hint=`; what is said on the terminal; constants and variables called like a hint;
    module constants in capitals, which hints are made of; what settings mean.
    """
    for path in sorted(SOURCE.rglob("*.py")):
        place = str(path.relative_to(SOURCE))
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            found: list[ast.expr] = []
            if isinstance(node, ast.Call):
                found = [k.value for k in node.keywords if k.arg == "hint"]
                says = isinstance(node.func, ast.Attribute) and node.func.attr == "say"
                found += node.args if says else []
            elif isinstance(node, ast.Assign | ast.AugAssign):
                to = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = {t.id for t in to if isinstance(t, ast.Name)}
                found = [node.value] if any("hint" in n.lower() for n in names) else []
            elif isinstance(node, ast.FunctionDef) and "hint" in node.name:
                found = [r.value for r in ast.walk(node) if isinstance(r, ast.Return) and r.value]
            yield from ((f"{place}:{v.lineno}", text) for v in found if (text := text_of(v)))
        for statement in tree.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                text = text_of(statement.value)
                if re.search(r"\bgemel [a-z]", text):
                    yield f"{place}:{statement.lineno}", text
    yield from ((f"settings: {key}", describe(key)) for key in keys())


def command(words: list[str]) -> Any:
    """The command that these words begin with; None if the first is none."""
    found: Any = None
    group = COMMANDS
    for word in words:
        inside = getattr(group, "commands", {})
        if word not in inside:
            break
        found = group = inside[word]
    return found


def options(one: Any) -> set[str]:
    """Options of a command, or of all commands below a group."""
    below = [options(c) for c in getattr(one, "commands", {}).values()]
    own = {o for p in one.params for o in p.opts if o.startswith("--")} | {"--help"}
    return own.union(*below)


def routes() -> set[str]:
    return {route.path for route in TABLE} | {"/openapi.json"}


def resolves(dotted: str) -> bool:
    module, _, attribute = dotted.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError:
        return False


def wrong(text: str) -> list[str]:
    """What a hint names and what does not exist."""
    found: list[str] = []
    plain = text.replace("{}", " X ").replace("`", " ")
    for call in re.findall(r"(?<!of )(?<!for )\bgemel ([a-z][^;|()\n]*)", plain):
        words = re.split(r"[\s,:]+", call)
        one = command(words)
        if one is None:
            found.append(f"gemel {words[0]}")
        elif hasattr(one, "commands") and len(words) > 1:
            found.append(f"gemel {' '.join(words[:2])}")
        else:
            named = set(re.findall(r"(?<!\S)--[a-z][\w-]*", call))
            found += sorted(named - options(one) - {"--json"})
    found += sorted(set(re.findall(r"(?<![\w-])--[a-z][\w-]*", plain)) - options(COMMANDS))
    sections = "|".join(SECTIONS)
    found += [
        m[0]
        for m in re.finditer(rf"(?<![\w./])(?:{sections})\.([a-z]\w*)", plain)
        if m[0] not in keys()
    ]
    found += [n for n in re.findall(r"(?<![\w.])([a-z]\w*) = ", plain) if n not in NAMES]
    found += [f"[{s}]" for s in re.findall(r"(?<![\w'(])\[([a-z]+)\]", plain) if s not in SECTIONS]
    extras = PROJECT["optional-dependencies"]
    found += [
        f"gemel[{e}]"
        for named in re.findall(r"gemel\[([\w,]+)\]", plain)
        for e in named.split(",")
        if e not in extras
    ]
    dotted = re.findall(r"\bgemel(?:\.[a-z]\w*)+", plain)
    found += [d for d in dotted if d not in ("gemel.toml",) and not resolves(d)]
    paths = re.findall(r"(?<!\w)/(?:v1/[a-z/]+|openapi\.json)", plain)
    found += [p for p in paths if not any(r.startswith(p.rstrip("/")) for r in routes())]
    snake = re.findall(r"(?<![\w./`'\"-])[a-z]+(?:_[a-z]+)+(?![\w.(=])", plain)
    found += [s for s in snake if s not in NAMES | FIELDS]
    variables = re.findall(rf"\b{PREFIX}[A-Z_]+", plain)
    known = {PREFIX + key.upper().replace(".", "__") for key in keys()}
    return found + [v for v in variables if v not in known | {f"{PREFIX}SECTION__KEY"}]


HINTS = list(hints())


def test_the_hints_are_found() -> None:
    assert len(HINTS) > 250
    assert sum("gemel " in text for _, text in HINTS) > 25


@pytest.mark.parametrize(("place", "text"), HINTS, ids=[place for place, _ in HINTS])
def test_what_a_hint_names_exists(place: str, text: str) -> None:
    assert wrong(text) == [], text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("run gemel tran", "gemel tran"),
        ("see: gemel release lst", "gemel release lst"),
        ("gemel calibrate --fnr 1", "--fnr"),
        ("overwrite it with --forse", "--forse"),
        ("gemel gallery search --force", "--force"),
        ("set calibrate.valu", "calibrate.valu"),
        ("use minning = 'all'", "minning"),
        ("their [splits]", "[splits]"),
        ("allow same_name", "same_name"),
        ("pip install 'gemel[trainer]'", "gemel[trainer]"),
        ("use gemel.arrays.unit_row", "gemel.arrays.unit_row"),
        ("send it to /v1/verfy", "/v1/verfy"),
        ("set GEMEL__TRAIN__SED", "GEMEL__TRAIN__SED"),
    ],
)
def test_a_hint_that_names_what_does_not_exist_is_found(text: str, names: str) -> None:
    assert names in wrong(text)
