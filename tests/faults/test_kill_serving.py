"""kill -9 of a service while it enrolls and deletes: what it acknowledged is in the ledger.

`GEMEL_TEST_KILLS=100` kills as often as the target says; by default as often as a build can wait.
"""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.serve import small

from gemel.gallery.local.gallery import LocalGallery
from gemel.ledger.bodies import Deleted, Enrolled
from gemel.ledger.ledger import Ledger

KILLS = int(os.environ.get("GEMEL_TEST_KILLS", "12"))
CLIENTS = 3
JOB = Path(__file__).with_name("serving_job.py")

Change = tuple[str, str, list[str]]
Acknowledged = list[Change]


def change(client: http.client.HTTPConnection, turn: str, at: int) -> Change | None:
    """Enroll two records, or take them out again; kind, id of the entry, ids of the records.

    None if that was not acknowledged.
    """
    ids = [f"{turn}/{at // 4}.{i}" for i in range(2)]
    if at % 4 == 3:
        kind, method, body = "delete", "DELETE", {"ids": ids}
    else:
        kind, method = "enroll", "POST"
        body = {
            "records": [{"id": i, "payload": {"first": f"n{at}", "last": f"{i}sen"}} for i in ids]
        }
    client.request(method, "/v1/records", json.dumps(body), {"content-type": "application/json"})
    reply = client.getresponse()
    said = json.loads(reply.read())
    if reply.status == 504:  # not acknowledged; a disk may be slow
        return None
    assert reply.status == 200, said
    return kind, said["decision_id"], ids


def enroll_until_killed(port: int, turn: str, into: Acknowledged) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        for at in range(100_000):
            done = change(client, turn, at)
            if done is not None:
                into.append(done)
    except (OSError, http.client.HTTPException, ValueError):
        pass  # it was killed
    finally:
        client.close()


def stands(ledger: Ledger, kind: str, record: str, ids: list[str]) -> bool:
    """Whether an entry says that these records were changed."""
    entry = ledger.find(record)
    if entry is None or entry.kind != kind:
        return False
    said = entry.read(Deleted if kind == "delete" else Enrolled)
    return {ledger.masks.of(i) for i in ids} <= set(said.records or ())


def one_life(job: "subprocess.Popen[str]", turn: int, rng: random.Random) -> Acknowledged:
    """Start a service, change its gallery from several clients, kill it; what it acknowledged."""
    assert job.stdin is not None and job.stdout is not None
    job.stdin.write("go\n")
    job.stdin.flush()
    process, url = job.stdout.readline().split()
    found: list[Acknowledged] = [[] for _ in range(CLIENTS)]
    port = int(url.rpartition(":")[2])
    threads = [
        threading.Thread(target=enroll_until_killed, args=(port, f"{turn}-{i}", found[i]))
        for i in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    wanted, until = rng.randrange(1, 20), time.monotonic() + 20
    while sum(map(len, found)) < wanted and time.monotonic() < until:
        threads[0].join(rng.uniform(0, 0.004))
    os.kill(int(process), signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert job.stdout.readline() == "gone\n"
    return [one for mine in found for one in mine]


def test_no_acknowledged_change_is_lost(tmp_path: Path) -> None:
    release = small.release(tmp_path / "release")
    folder, file = tmp_path / "gallery", tmp_path / "ledger.db"
    rng, acknowledged, lost = random.Random(5), 0, []
    command = [sys.executable, str(JOB), str(release.folder), str(folder), str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None and job.stdin is not None
        assert job.stdout.readline() == "ready\n"
        for turn in range(KILLS):
            mine = one_life(job, turn, rng)
            acknowledged += len(mine)
            with Ledger.open(file, write=False) as ledger:
                assert ledger.verify().ok
                for kind, record, ids in mine:
                    if not stands(ledger, kind, record, ids):
                        lost.append((turn, kind, record))
        job.stdin.close()
    print(f"{KILLS} kills, {acknowledged} changes acknowledged, {len(lost)} lost")
    assert acknowledged > 3 * KILLS
    assert not lost
    with LocalGallery.open(folder, write=False) as gallery:
        assert gallery.check().n_without == 0
