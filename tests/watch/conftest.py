from __future__ import annotations

import importlib.util
from pathlib import Path

# The releases are those of the release tests.
_PATH = Path(__file__).parents[1] / "release" / "conftest.py"
_spec = importlib.util.spec_from_file_location("release_fixtures", _PATH)
_fixtures = importlib.util.module_from_spec(_spec)  # type: ignore[arg-type]
_spec.loader.exec_module(_fixtures)  # type: ignore[union-attr]

people = _fixtures.people
run_folder = _fixtures.run_folder
release = _fixtures.release
stricter = _fixtures.stricter
