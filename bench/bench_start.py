"""From the start of a process to its first right answer: `gemel serve`, and a function of a cloud.

    python bench/bench_start.py [--starts 7]

Projects are those that `gemel demo` and bench_texts.py left in .cache: people with 10,000 records,
and all-MiniLM-L6-v2; one that is not there is left out. The golden probes are checked at every
start. What is asked is two of them, and right is the score that the release itself gives. Bytecode
and files are in memory from a start that does not count. Targets: 1.5 s, and 4 s of MiniLM.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench_serve import machine

from gemel.cli.project import Project
from gemel.serve.service import Service

HERE = Path(__file__).parent
PROJECTS = {"bench-demo": 1.5, "bench-texts": 4.0}
"""Seconds that are allowed, by folder."""
FUNCTION = "import json, sys; from gemel.asgi import handler; print(json.dumps(handler(json.load(sys.stdin))))"  # noqa: E501


def question(folder: Path) -> tuple[dict[str, Any], float]:
    """A body, and the score that is right."""
    release = Project.open(folder / "gemel.toml").release()
    payloads, _ = release.probe_payloads()
    service = Service(release)
    left, right = (service.pick().items.modality.item(payload) for payload in payloads[:2])
    return {"left": left, "right": right}, service.verify(left, right).score


def served(folder: Path, body: dict[str, Any]) -> tuple[float, float]:
    """Score of the first answer over HTTP, and seconds until then."""
    command = [sys.executable, "-m", "gemel", "serve", "--port", "0"]
    began = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            url = next(line.split()[0] for line in process.stderr or () if " serves; " in line)
            sent = json.dumps(body).encode()
            request = urllib.request.Request(f"{url}/v1/verify", sent)
            request.add_header("content-type", "application/json")
            with urllib.request.urlopen(request) as reply:
                score = json.load(reply)["score"]
            return score, time.perf_counter() - began
        finally:
            process.terminate()


def function(folder: Path, body: dict[str, Any]) -> tuple[float, float]:
    """Score of the first answer of the function, and seconds until the process ends."""
    event = {
        "version": "2.0",
        "rawPath": "/v1/verify",
        "headers": {"host": "localhost", "content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "sourceIp": "127.0.0.1"}},
        "body": json.dumps(body),
    }
    environ = {**os.environ, "GEMEL_PROJECT": str(folder)}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", FUNCTION],
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=True,
        env=environ,
    )
    took = time.perf_counter() - began
    return json.loads(json.loads(done.stdout)["body"])["score"], took


def cpu() -> float:
    """Processor time of all processes that have ended, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(
    way: Callable[[Path, dict[str, Any]], tuple[float, float]], folder: Path, starts: int
) -> dict[str, Any]:
    """Times of many starts."""
    body, right = question(folder)
    took: list[float] = []
    for i in range(starts + 1):
        if i == 1:
            before = cpu()
        score, seconds = way(folder, body)
        if abs(score - right) > 1e-4:
            raise SystemExit(f"{folder}: {score}, expected {right}")
        took.append(round(seconds, 3))
    return {
        "median_s": statistics.median(took[1:]),
        "most_s": max(took[1:]),
        "cpu_s": round((cpu() - before) / starts, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "start.json")
    said = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    found: dict[str, Any] = {}
    for name, most in PROJECTS.items():
        folder = HERE.parent / ".cache" / name
        if (folder / "gemel.toml").is_file():
            of = {way.__name__: measured(way, folder, said.starts) for way in (served, function)}
            found[name] = {"target_s": most, **of}
            print(name, found[name])
    result = {
        "what": "from the start of a process to its first right answer",
        "starts": said.starts,
        **found,
        "load": [round(x, 1) for x in os.getloadavg()],
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    said.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
