"""Comparisons whose numbers are known; packages that are installed for one test."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gemel.calibrate.scores.scores import Scores, labelled

TOY_GENUINE = [3, 2, 1.5, 0.2]
TOY_IMPOSTOR = [1, 0.5, 0.2, -0.5, -1, -2]


@pytest.fixture
def toy() -> Scores:
    """Four genuine and six impostor comparisons, with one tie between the classes."""
    return labelled(np.array(TOY_GENUINE + TOY_IMPOSTOR), np.array([True] * 4 + [False] * 6))


@pytest.fixture
def install(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Path]]:
    """Puts a package with entry points where Python finds it, as pip does, for one test.

    Called with the name of its module, its source, the group, and an attribute for each name.
    """
    added: list[str] = []

    def put(module: str, source: str, group: str, **points: str) -> Path:
        site = tmp_path_factory.mktemp("site")
        info = site / f"{module}-1.dist-info"
        info.mkdir()
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
        lines = [f"{name.replace('_', '-')} = {module}:{at}" for name, at in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        monkeypatch.syspath_prepend(site)
        added.append(module)
        return site

    yield put
    for module in added:
        sys.modules.pop(module, None)
