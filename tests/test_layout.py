"""The layout of the source is part of the design: layers, sizes, names, what importing costs."""

import ast
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from importlib import util
from pathlib import Path

import pytest

import gemel

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "gemel"
MODULES = sorted(SOURCE.rglob("*.py"))
MAX_LINES = 500
FORBIDDEN = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "core"}


def python(code: str) -> str:
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imports_keep_the_contracts(capsys: pytest.CaptureFixture[str]) -> None:
    from importlinter import cli

    sys.path.insert(0, str(ROOT / "src"))
    failed = cli.lint_imports(str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert not failed, capsys.readouterr().out


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_module_owns_one_noun(path: Path) -> None:
    n_lines = len(path.read_text().splitlines())
    assert n_lines <= MAX_LINES, f"{n_lines} lines: split it by noun"
    assert path.stem not in FORBIDDEN
    assert not FORBIDDEN & set(path.parent.relative_to(SOURCE).parts)


def test_importing_the_package_is_cheap() -> None:
    code = """
import json, sys, time
before = set(sys.modules)
start = time.perf_counter()
import gemel
took = time.perf_counter() - start
print(json.dumps([took, sorted({m.split(".")[0] for m in set(sys.modules) - before})]))
"""
    runs = [json.loads(python(code)) for _ in range(3)]
    assert min(took for took, _ in runs) < 0.15
    heavy = {"torch", "litestar", "uvicorn", "sklearn", "faiss", "polars", "matplotlib", "numpy"}
    assert not heavy & set(runs[0][1])


def test_a_service_starts_without_what_it_does_not_use_yet() -> None:
    """All that `gemel serve` imports until it answers; each of these would be felt at the start."""
    code = """
import json, sys
from gemel.cli.main import run
run(["serve", "--help"])
import gemel.console.pages, gemel.gallery.local.gallery, gemel.serve.access.tokens
import gemel.serve.http.app, gemel.serve.http.server, gemel.serve.keeping
import gemel.serve.rollout.desk, gemel.serve.rollout.follower, gemel.serve.service
print("\\n" + json.dumps(sorted(sys.modules)))
"""
    loaded = set(json.loads(python(code).splitlines()[-1]))
    heavy = {
        "torch",
        "onnx",
        "sklearn",
        "pandas",
        "polars",
        "pyarrow",
        "faiss",
        "matplotlib",
        "grpc",
    }
    heavy |= {"opentelemetry", "jinja2", "scipy.special", "scipy.optimize", "scipy.stats", "PIL"}
    heavy |= {"litestar", "sqlalchemy"}
    heavy |= {"gemel.train", "gemel.improve", "gemel.watch", "gemel.release.make"}
    assert not heavy & loaded
    verbs = {name for name in loaded if name.startswith("gemel.cli.")}
    needed = ("main", "verbs", "serve", "show", "project", "state", "options", "asked")
    assert verbs <= {f"gemel.cli.{name}" for name in needed}


def test_the_public_names_are_listed_and_can_be_loaded() -> None:
    assert sorted(gemel.__all__) == gemel.__all__ == sorted(gemel._PLACES)
    assert set(gemel.__all__) <= set(dir(gemel))
    for name in gemel.__all__:
        assert getattr(gemel, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        gemel.nonsense  # noqa: B018  # the access is the test


def test_help_is_quick() -> None:
    start = time.perf_counter()
    loaded = json.loads(
        python(
            "import json, sys\n"
            "from gemel.cli.main import run\n"
            "sys.stdout, kept = sys.stderr, sys.stdout\n"
            "run(['--help'])\n"
            "print(json.dumps(sorted(sys.modules)), file=kept)"
        )
    )
    assert not {"torch", "litestar", "sklearn", "faiss", "matplotlib"} & set(loaded)
    assert time.perf_counter() - start < 10


def test_nothing_brings_the_companions_of_torch() -> None:
    assert util.find_spec("torchvision") is None
    assert util.find_spec("torchaudio") is None


def test_every_list_of_choices_is_declared_once() -> None:
    """A setting and the stage that heeds it must not each have a list of their own."""
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
                words = ast.unparse(node.slice).strip("()").split(", ")
                if len(words) > 1:
                    places[frozenset(words)].append(f"{path.name}:{node.lineno}")
    assert [names for names in places.values() if len(names) > 1] == []


def test_no_room_but_the_commands_is_flat() -> None:
    rooms = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    wide = {str(room.relative_to(SOURCE)): n for room, n in rooms.items() if n > 14}
    assert set(wide) <= {"cli"}, f"give it rooms: {wide}"
