"""Files are there whole or not at all; a lock is held by one process and dies with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gemel.files import Held, Lock, draft_of, publish_folder, whole, write_whole

KILLED = """
import os, signal, sys
from pathlib import Path
from gemel.files import whole
with whole(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")
    with pytest.raises(ValueError, match="stop"), whole(path) as file:
        file.write(b"new")
        raise ValueError("stop")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_kill_leaves_a_draft_that_the_next_write_takes_away(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_whole(path, b"old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode < 0
    assert (path.read_bytes(), draft_of(path).read_bytes()) == (b"old", b"half")
    write_whole(path, b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"new"}


def test_a_folder_gets_its_name_with_all_that_is_in_it(tmp_path: Path) -> None:
    draft = tmp_path / "draft"
    (draft / "deep").mkdir(parents=True)
    (draft / "deep" / "a").write_bytes(b"a")
    publish_folder(draft, tmp_path / "final")
    assert (tmp_path / "final" / "deep" / "a").read_bytes() == b"a"
    assert not draft.exists()


def test_a_lock_names_its_holder_and_can_be_had_after_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(path):
        assert path.read_text().strip() == str(os.getpid())
        with pytest.raises(Held, match="this process"):
            Lock(path)
    with Lock(path):
        code = f"from pathlib import Path; from gemel.files import Lock; Lock(Path({str(path)!r}))"
        asked = [sys.executable, "-c", code]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert f"process {os.getpid()} holds the lock" in done.stderr
    Lock(path).release()
