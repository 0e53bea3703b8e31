"""kill -9 in the middle of enrolling: what was acknowledged is there, and is served."""

import random
import subprocess
import sys
import time

import numpy as np

from gemel.arrays import unit_rows
from gemel.gallery.engines import sealed
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing

DIM = 32
ROUNDS = 20
HOW = Indexing(exact_rows=300)

WRITER = """
import sys
import numpy as np
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing

folder, table, start = sys.argv[1], np.load(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
with LocalGallery.open(folder, space_id="s", dim=32, indexing=Indexing(exact_rows=300)) as gallery:
    for at in range(start, len(table), 25):
        ids = [f"r{i}" for i in range(at, at + 25)]
        gallery.enroll(ids, table[at : at + 25], [{"at": at}] * 25)
        print(at, flush=True)
"""


def start_writer(folder, table, at):
    command = [sys.executable, "-c", WRITER, str(folder), str(table), str(at)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def kill_at_random(writer, rng) -> list[int]:
    """Let it enroll, kill it at some moment, and return what it had acknowledged."""
    assert writer.stdout.readline() == "ready\n"
    writer.stdin.write("go\n")
    writer.stdin.flush()
    acknowledged = [int(writer.stdout.readline()) for _ in range(rng.randrange(1, 25))]
    until = time.perf_counter() + rng.uniform(0, 0.02)
    while time.perf_counter() < until:  # a moment inside the next transactions
        pass
    writer.kill()
    acknowledged += map(int, writer.stdout.read().split())
    writer.wait()
    writer.stdin.close()
    writer.stdout.close()
    return acknowledged


def test_nothing_acknowledged_is_lost_by_kill(tmp_path):
    rng = random.Random(11)
    rows = unit_rows(np.random.default_rng(0).standard_normal((20_000, DIM)))
    table, folder = tmp_path / "rows.npy", tmp_path / "gallery"
    np.save(table, rows)
    acknowledged: set[int] = set()
    # Each writer starts (imports take longest) while the one before it is at work.
    waiting = start_writer(folder, table, 0)
    for turn in range(ROUNDS):
        writer, waiting = waiting, start_writer(folder, table, (turn + 1) * 1000 % 20_000)
        mine = kill_at_random(writer, rng)
        assert mine, "the writer ended before it was killed"
        acknowledged |= {i for at in mine for i in range(at, at + 25)}
        with LocalGallery.open(folder, indexing=HOW) as gallery:
            recent = np.array([i for at in mine for i in range(at, at + 25)])
            hits = gallery.search(rows[recent], 1)
            assert [hit[0].id for hit in hits] == [f"r{i}" for i in recent]
            assert gallery.count() >= len(acknowledged)
            # A batch is there as a whole or not at all.
            assert gallery.count() % 25 == 0
            for file in folder.glob("index-*.gemelix"):
                sealed.read(file)
    waiting.kill()
    waiting.communicate()
    with LocalGallery.open(folder, indexing=HOW) as gallery:
        for i in sorted(acknowledged)[::97]:
            assert (gallery.get(f"r{i}").embedding == rows[i]).all()
        everyone = {hit.id for hit in gallery.search(rows[0], 20_000)[0]}
        assert everyone >= {f"r{i}" for i in acknowledged}
        assert [file.suffix for file in folder.glob("index-*")] in ([], [".gemelix"])
