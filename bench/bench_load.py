"""Ten times the load that a service can take, and what a shadow costs who is answered.

    python bench/bench_load.py [--seconds 60] [--rounds 5]

Bodies of 16 pairs of rows go to /v1/verify-batch, so that a client in Python can offer ten times
what the service does (measured first, by eight clients that wait for their answers). Overload:
requests come at that rate for a minute, whatever becomes of those before, each with a deadline of
500 ms; how late the client itself was is told apart. Then one client asks, to see how soon it is as
it was. Shadow: two services, one of which asks a second release the same after each reply, get half
of what they can do in turns; the figure is the median ratio of the rounds.

Targets: admitted P99 within 1.5 times the deadline, refusals under 20 ms (P99), memory flat (within
a tenth), recovered within 2 s; a shadow makes P50 and P99 at most 1.1 times as long.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from bench_serve import build_release, machine, person, served_by

HERE = Path(__file__).parent
N_PAIRS = 16
N_BODIES = 200
DEADLINE_MS = 500
TIMES = 10
ROUTE = "/v1/verify-batch"
TARGETS = {
    "admitted_p99_ms": 1.5 * DEADLINE_MS,
    "refused_p99_ms": 20.0,
    "memory_ratio": 1.1,
    "recovered_s": 2.0,
    "shadow_p50_ratio": 1.1,
    "shadow_p99_ratio": 1.1,
}


def serve(state: Path, *, shadow: bool) -> None:
    """A service with a ledger of its own, until it is stopped."""
    from gemel.ledger.ledger import Ledger
    from gemel.release.release import Release
    from gemel.serve.http.app import create_app
    from gemel.serve.http.server import run
    from gemel.serve.service import Service
    from gemel.settings import ServeSettings

    settings = ServeSettings(port=0)
    with Ledger.open(state / f"ledger-{shadow}.db") as ledger:
        service = Service(Release.open(state / "release"), None, ledger)
        if shadow:
            shadow_release(service)
        run(create_app(service, settings), settings, on_ready=lambda url: print(url, flush=True))


def shadow_release(service: Any) -> None:
    """Have the release itself asked again after each reply, as a candidate."""
    from gemel.serve.rollout.arms import Trial
    from gemel.serve.rollout.plan import Plan
    from gemel.serve.rollout.shadow import Shadow
    from gemel.serve.rollout.watch import Watch

    words = ("compared", "failed", "dropped")
    counts = {word: service.metrics.counter("gemel_shadow_total", word) for word in words}
    live = service.pick()
    plan = Plan(
        id="bench", release=live.release.id, stable=live.release.id, mode="shadow", steps=(0.1,),
        alpha=0.05, max_flips=0.01, slow_ms=1000.0, least=100, actor="bench", time="",
    )  # fmt: skip
    watch = Watch(plan)
    shadow = Shadow(watch, counts, lambda: service.arms.are_busy())
    service.arms.trial = Trial(plan.id, live, 0.0, watch, shadow)


def bodies(into: Path) -> list[bytes]:
    """Requests, also as lines of a file."""
    rng = random.Random(2)
    pairs = [{"left": person(rng), "right": person(rng)} for _ in range(N_BODIES)]
    lines = [
        json.dumps({"pairs": [pairs[(i + j) % N_BODIES] for j in range(N_PAIRS)]}).encode()
        for i in range(N_BODIES)
    ]
    into.write_bytes(b"\n".join(lines))
    return lines


@contextlib.contextmanager
def client(url: str) -> Iterator[http.client.HTTPConnection]:
    at = urlsplit(url)
    connection = http.client.HTTPConnection(str(at.hostname), int(at.port or 80), timeout=30)
    yield connection
    connection.close()


def ask(connection: http.client.HTTPConnection, body: bytes) -> tuple[float, int]:
    """Milliseconds and status of one request."""
    began = time.perf_counter()
    connection.request("POST", ROUTE, body, {"content-type": "application/json"})
    reply = connection.getresponse()
    reply.read()
    return (time.perf_counter() - began) * 1000, reply.status


def capacity(url: str, sent: list[bytes], seconds: float, n_clients: int = 8) -> float:
    """Requests a second that are answered to clients that wait for each answer."""
    until, n_answered = time.monotonic() + seconds, [0] * n_clients

    def work(me: int) -> None:
        with client(url) as connection:
            while time.monotonic() < until:
                n_answered[me] += ask(connection, sent[n_answered[me] % N_BODIES])[1] == 200

    threads = [threading.Thread(target=work, args=(i,)) for i in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(n_answered) / seconds


def load(url: str, state: Path, rate: float, seconds: float) -> list[Any]:
    """What became of each request, see `load_client`."""
    command = [sys.executable, str(HERE / "load_client.py"), f"{url}{ROUTE}"]
    command += [str(state / "bodies"), str(rate), str(seconds), str(DEADLINE_MS)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [tuple(one) for one in json.loads(said.stdout)["asked"]]


def memory_mb(pid: int) -> float:
    """Of a process, now; not a number where /proc does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return float("nan")


def percentiles(ms: list[float]) -> dict[str, float]:
    if not ms:
        return {"n": 0}
    p50, p99 = np.percentile(ms, [50, 99]).tolist()
    return {"n": len(ms), "p50_ms": round(p50, 2), "p99_ms": round(p99, 2)}


def overload(pid: int, url: str, state: Path, sent: list[bytes], seconds: float) -> dict[str, Any]:
    able = capacity(url, sent, 3)
    with client(url) as connection:
        quiet = percentiles([ask(connection, body)[0] for body in sent])
    able = capacity(url, sent, 3)  # warm
    memory, end = [memory_mb(pid)], threading.Event()

    def watch() -> None:
        while not end.wait(0.5):
            memory.append(memory_mb(pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    found = load(url, state, TIMES * able, seconds)
    stopped = max(due for due, *_ in found)
    recovered = recovery(url, sent, quiet["p99_ms"], stopped)
    end.set()
    watcher.join()
    by: dict[int, list[float]] = {}
    for _, ms, status, _ in found:
        by.setdefault(status, []).append(ms)
    admitted, refused = percentiles(by.get(200, [])), percentiles(by.get(503, []))
    early = memory[min(6, len(memory) - 1)]  # buffers of the connections are there by then
    return {
        "capacity_per_second": round(able, 1),
        "offered_per_second": round(len(found) / seconds, 1),
        "not_sent_ratio": round(len(by.get(-1, [])) / len(found), 3),
        "client_late": percentiles([late for *_, status, late in found if status >= 0]),
        "goodput_ratio": round(admitted["n"] / seconds / able, 3),
        "quiet": quiet,
        "admitted": admitted,
        "refused": refused,
        "late_504": len(by.get(504, [])),
        "failed": len(by.get(0, [])),
        "memory_mb": {"before": round(memory[0], 1), "early": round(early, 1),
                      "peak": round(max(memory), 1)},
        "admitted_p99_ms": admitted.get("p99_ms"),
        "refused_p99_ms": refused.get("p99_ms"),
        "memory_ratio": round(max(memory) / early, 3),
        "recovered_s": recovered,
    }  # fmt: skip


def recovery(url: str, sent: list[bytes], usual_ms: float, since: float) -> float:
    """Seconds until ten requests in a row take no longer than usual; 60 if they do not."""
    good = 0
    with client(url) as connection:
        while time.monotonic() < since + 60:
            began = time.monotonic()
            ms, status = ask(connection, sent[good])
            good = good + 1 if status == 200 and ms <= 1.5 * usual_ms else 0
            if good == 1:
                first = began
            if good == 10:
                return round(max(0.0, first - since), 2)
    return 60.0


def shadowed(urls: dict[str, str], state: Path, able: float, rounds: int) -> dict[str, Any]:
    """Times with a shadow against those without, in turns at half of what they can do."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in urls}
    for _ in range(rounds):
        for name, url in urls.items():
            times = [ms for _, ms, status, _ in load(url, state, able / 2, 5) if status == 200]
            found[name].append(percentiles(times))

    def ratio(key: str) -> float:
        pairs = zip(found["shadow"], found["plain"], strict=True)
        return round(statistics.median(one[key] / other[key] for one, other in pairs), 3)

    return {
        "shadow_p50_ratio": ratio("p50_ms"),
        "shadow_p99_ratio": ratio("p99_ms"),
        "shadow_rounds": found,
    }


def measure(seconds: float, rounds: int, state: Path) -> dict[str, Any]:
    build_release(state / "release")
    sent = bodies(state / "bodies")
    script, where = str(Path(__file__).resolve()), ("--state", str(state))
    with (
        served_by(script, "--serve", "plain", *where) as (pid, plain),
        served_by(script, "--serve", "shadow", *where) as (_, shadow),
    ):
        for url in (plain, shadow):
            capacity(url, sent, 1)
        result = overload(pid, plain, state, sent, seconds)
        able = result["capacity_per_second"]
        return result | shadowed({"plain": plain, "shadow": shadow}, state, able, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "load.json")
    parser.add_argument("--serve", choices=["plain", "shadow"], help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.serve:
        return serve(said.state, shadow=said.serve == "shadow")
    with tempfile.TemporaryDirectory() as state:
        found = measure(said.seconds, said.rounds, Path(state))
    for name, target in TARGETS.items():
        print(f"{name} {found[name]} (target {target})")
    result = {
        "what": f"{TIMES} times what /v1/verify-batch of {N_PAIRS} pairs can do; a shadow",
        "targets": TARGETS,
        "deadline_ms": DEADLINE_MS,
        "seconds": said.seconds,
        **found,
        "load": [round(x, 1) for x in os.getloadavg()],
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    said.out.parent.mkdir(parents=True, exist_ok=True)
    said.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
