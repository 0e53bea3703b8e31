"""What others notice of a service under attack: its usual times, and those meanwhile.

    python bench/bench_hostile.py [--seconds 20] [--kinds row image text]

One client verifies two items again and again, another opens a connection for each /livez. They are
timed while nothing else happens, while each attack is made once at a time, and while all of them go
on together: 1,000 equal records to deduplicate, 600,000 keys, a text of 9 MB, headers without end,
images of 49 million pixels, large replies, 300 silent sockets and 60 halves of bodies of 9 MB. At
the end SIGTERM comes, with the attack going on.

Attackers have machines of their own. Here they share the processors with the service and with who
measures, so their process yields to both (nice 19): what is timed is the service and not the work
of making the attacks. All together is measured a second time with attackers of the same priority,
and both times how many attacks were answered in a second, so that it shows what yielding weakens.
Quiet and attacked, service and clients run alike.

Targets, with attackers that yield: a single request delays others by at most 250 ms; all together,
P99 of verify stays below 3 times the quiet one and /livez below 100 ms; the process ends within
5 s.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gc
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np
from bench_serve import build_release, cpu_seconds, machine, person
from hostile_attacks import N_HALF, N_SILENT, SINGLE

HERE = Path(__file__).parent
TARGETS = {"delay_ms": 250.0, "verify_p99_ratio": 3.0, "livez_max_ms": 100.0, "sigterm_s": 5.0}
OTHER = {"row": ("bombs", "words"), "image": ("text", "words"), "text": ("bombs",)}
"""Attacks that are made of another kind of item."""
PAUSE = {"verify": 0.005, "livez": 0.02}
YIELDING = 19


def serve(kind: str, state: Path) -> None:
    """A service with gallery and ledger, until it is stopped."""
    from gemel.gallery.gallery import Gallery
    from gemel.ledger.ledger import Ledger
    from gemel.release.release import Release
    from gemel.serve.http.app import create_app
    from gemel.serve.http.server import run
    from gemel.serve.service import Service
    from gemel.settings import ServeSettings

    settings, release = ServeSettings(port=0), Release.open(state / "release")
    dim = release.encoder.dim
    with (
        Ledger.open(state / "ledger.db") as ledger,
        Gallery.open(state / "gallery", space_id=release.space_id, dim=dim) as gallery,
        (state / "log").open("w") as log,
    ):
        sys.stderr = log
        service = Service(release, gallery, ledger)
        run(create_app(service, settings), settings, on_ready=lambda url: print(url, flush=True))


def items(kind: str, state: Path) -> tuple[Any, Any]:
    """Make a release; two items for it."""
    import random

    if kind == "row":
        build_release(state / "release")
        rng = random.Random(1)
        return person(rng), person(rng)
    sys.path.insert(0, str(HERE.parent))
    import base64

    from tests.serve import small

    if kind == "text":
        from gemel.settings import TrainSettings
        from gemel.train.backbones import source

        model = source.find(TrainSettings(backbone="all-MiniLM-L6-v2"), HERE).folder
        small.text_release(state / "release", model)
        return {"text": "how do I pay a bill"}, {"text": "which ways are there to pay"}
    small.image_release(state / "release")
    one, two = (base64.b64encode(small.picture(i)).decode() for i in (0, 1))
    return {"image": one}, {"image": two}


class Clock:
    """Times of one kind of request, taken in a thread."""

    def __init__(self, url: str, name: str, body: bytes = b"") -> None:
        at = urlsplit(url)
        self._at, self._name, self._body = (str(at.hostname), int(at.port or 80)), name, body
        self._taken: list[tuple[float, float]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def between(self, start: float, stop: float) -> np.ndarray:
        """Milliseconds of the requests that began then."""
        taken = list(self._taken)
        return np.array([ms for at, ms in taken if start <= at < stop] or [np.nan])

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        client = http.client.HTTPConnection(*self._at, timeout=60)
        while not self._end.is_set():
            began = time.perf_counter()
            try:
                if self._body:
                    client.request(
                        "POST", "/v1/verify", self._body, {"content-type": "application/json"}
                    )
                else:
                    client.close()
                    client.request("GET", "/livez")
                reply = client.getresponse()
                reply.read()
                good = reply.status == 200
            except (OSError, http.client.HTTPException):
                client.close()
                good = False
            took = (time.perf_counter() - began) * 1000
            self._taken.append((began, took if good else 60_000.0))
            self._end.wait(PAUSE[self._name])


def figures(ms: np.ndarray) -> dict[str, float]:
    p50, p99, most = np.percentile(ms, [50, 99, 100]).tolist()
    return {
        "n": len(ms),
        "p50_ms": round(p50, 2),
        "p99_ms": round(p99, 2),
        "max_ms": round(most, 1),
    }


class Attack:
    """Attacks in a process of their own, from entering to leaving.

    Args:
        url: of the service.
        item: that it takes.
        names: of the attacks.
        times: each is made; -1 until the end.
        nice: how far the process yields the processor.
    """

    def __init__(
        self, url: str, item: Any, names: list[str], *, times: int = -1, nice: int = YIELDING
    ) -> None:
        script = str(HERE / "hostile_attacks.py")
        command = [sys.executable, script, url, json.dumps(item), *names]
        command += ["--times", str(times), "--nice", str(nice)]
        self.answered: collections.Counter[str] = collections.Counter()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        for line in self._process.stdout or ():
            if line == "attacks\n":
                self._begun.set()
            else:
                self.answered[line.split()[0]] += 1

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait(60)
        return self

    def wait(self) -> None:
        """Until all were made as often as was said."""
        self._process.wait()

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join()


def measure(kind: str, seconds: float, state: Path) -> dict[str, Any]:
    one, two = items(kind, state)
    command = [sys.executable, __file__, "--serve", kind, "--state", str(state)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    names = [n for n in SINGLE if n not in OTHER[kind]]
    gc.collect()
    gc.freeze()  # looking through what made the release for garbage held up both clocks for .3 s
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as service:
        url = service.stdout.readline().strip() if service.stdout else ""
        clocks = {
            "verify": Clock(url, "verify", json.dumps({"left": one, "right": two}).encode()),
            "livez": Clock(url, "livez"),
        }

        def timed(attack: Attack | None = None, *, until_made: bool = False) -> dict[str, Any]:
            start, cpu = time.perf_counter(), cpu_seconds(service.pid)
            before = collections.Counter() if attack is None else attack.answered.copy()
            if attack is not None and until_made:
                attack.wait()
                time.sleep(0.3)
            else:
                time.sleep(seconds)
            now = time.perf_counter()
            found: dict[str, Any] = {n: figures(c.between(start, now)) for n, c in clocks.items()}
            found["service_cpu"] = round((cpu_seconds(service.pid) - cpu) / (now - start), 2)
            if attack is not None:
                made = attack.answered - before
                rates = {name: round(n / (now - start), 2) for name, n in sorted(made.items())}
                found["attacks_per_second"] = rates
            return found

        time.sleep(2)
        quiet = timed()
        single = {}
        for name in names:
            with Attack(url, one, [name], times=3) as attack:
                single[name] = timed(attack, until_made=True)
            print(kind, name, single[name], file=sys.stderr)
        every = [*names, "silent", "half"]
        with Attack(url, one, every, nice=0) as attack:
            time.sleep(2)
            not_yielding = timed(attack)
            print(kind, "not yielding", not_yielding, file=sys.stderr)
        time.sleep(10)  # bodies of which half came are waited for so long
        with Attack(url, one, every) as attack:
            time.sleep(2)
            together = timed(attack)
            print(kind, "together", together, file=sys.stderr)
            memory = peak_mb(service.pid)
            began = time.perf_counter()
            service.send_signal(signal.SIGTERM)
            service.wait(60)
            ended = time.perf_counter() - began
        for clock in clocks.values():
            clock.stop()
    delays = {n: s["verify"]["max_ms"] - quiet["verify"]["p50_ms"] for n, s in single.items()}
    livez = max(s["livez"]["max_ms"] for s in (*single.values(), together))
    return {
        "delay_ms": round(max(delays.values()), 1),
        "verify_p99_ratio": round(together["verify"]["p99_ms"] / quiet["verify"]["p99_ms"], 2),
        "livez_max_ms": livez,
        "sigterm_s": round(ended, 2),
        "quiet": quiet,
        "single": single,
        "together": together,
        "together_not_yielding": not_yielding,
        "peak_mb": memory,
    }


def peak_mb(pid: int) -> float | None:
    """Largest memory that a process had, where /proc tells."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return round(int(line.split()[1]) / 1024, 1)
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--kinds", nargs="+", choices=[*OTHER], default=[*OTHER])
    parser.add_argument("--out", type=Path, default=HERE / "results" / "hostile.json")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.serve:
        return serve(said.serve, said.state)
    result: dict[str, Any] = {
        "what": "a verify and /livez of others while a service is attacked",
        "targets": TARGETS,
        "attackers": {
            "silent": N_SILENT,
            "half_bodies": N_HALF,
            "single": list(SINGLE),
            "nice": YIELDING,
        },
    }
    for kind in said.kinds:
        with tempfile.TemporaryDirectory() as state:
            result[kind] = found = measure(kind, said.seconds, Path(state))
        for name, target in TARGETS.items():
            print(f"{kind}: {name} {found[name]} (target {target})")
    result["load"] = [round(x, 1) for x in os.getloadavg()]
    result["machine"], result["date"] = machine(), datetime.now(UTC).date().isoformat()
    said.out.parent.mkdir(parents=True, exist_ok=True)
    said.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
