"""A search for duplicates that is killed at any moment goes on, and finds the same files."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.release import conftest as small

from gemel.data import records
from gemel.release.evidence.goals import Goals
from gemel.release.make.build import build

JOB = Path(__file__).with_name("duplicates_job.py")
# Steps between which each kill falls: twice while encoding, once while beginning to compare, then
# while comparing, which goes on at its first step with every step that was done before. By keys,
# two steps of proposing come first each time.
KILLS = ((1, 12), (12, 24), (26, 30), (2, 5), (5, 9), (9, 11))


def start(*words: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(JOB), *map(str, words)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["exact", "keys", "hnsw"])
def test_killed_again_and_again_the_result_is_the_same(tmp_path: Path, engine: str) -> None:
    rng = random.Random(5)
    found, names = small.rows(150)
    dataset = records.from_rows(found, identities=names, fields=small.FIELDS)
    release = tmp_path / "release"
    build(small.write_run(tmp_path / "run", dataset), dataset, goals=Goals(), into=release)
    table = tmp_path / "people.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "first", "last", "born"])
        writer.writeheader()
        people = small.rows(300, seed=4)[0]
        writer.writerows({"id": f"r{i}", **row} for i, row in enumerate(people))
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    job = (release, table, engine)
    whole = start(*job, tmp_path / "whole-job", tmp_path / "whole")
    # Each process starts (imports take longest) while the one before it is at work.
    waiting = start(*job, tmp_path / "job", tmp_path / "broken")
    go(whole)
    moments = set()
    for kill in KILLS:
        victim, waiting = waiting, start(*job, tmp_path / "job", tmp_path / "broken")
        go(victim)
        assert victim.stdout is not None and victim.stdin is not None
        n_proposing = 2 if engine == "keys" else 0
        for _ in range(n_proposing + rng.randrange(*kill)):
            last = victim.stdout.readline()
            victim.stdin.write("on\n")
            victim.stdin.flush()
        moments.add(last)
        until = time.perf_counter() + rng.uniform(0, 0.01)
        while time.perf_counter() < until:  # a moment inside the next block
            pass
        victim.kill()
        victim.wait()
        victim.stdin.close()
        victim.stdout.close()
        assert not (tmp_path / "broken" / "done").exists(), "it ended before it was killed"
    go(waiting)
    for process in (waiting, whole):
        process.communicate()
        assert process.returncode == 0
    assert len(moments) > 4, "the kills were to hit different moments"
    assert {moment.split()[0] for moment in moments} >= {"encoding", "comparing"}
    for name in ("clusters.parquet", "pairs.parquet", "done"):
        same = (tmp_path / "broken" / name).read_bytes()
        assert same == (tmp_path / "whole" / name).read_bytes(), name
