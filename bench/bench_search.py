"""Searches over HTTP with a learned comparator, at 1, 16 and 64 clients.

    python bench/bench_search.py --project FOLDER [--seconds 8] [--clients 1 16 64]

The project is one that `gemel demo` made: its stable release, its 10,000 records. Queries are its
records with errors added, 2,000 different ones; the clients run in a process of their own, ask
one after another on kept connections and share the machine with the service. First every decision
of 100 queries is compared with that of a scan that scores all records. Targets: 500 requests a
second and P99 below 150 ms at 64 clients, below 6 ms at one; decisions as those of the scan.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from ask_client import asked
from bench_serve import cpu_seconds, machine, typo

HERE = Path(__file__).parent
TARGETS = {"requests_per_second": 500.0, "p99_ms": 150.0, "single_ms": 6.0}
TEXTS = ("fname_c1", "fname_c2", "lname_c1", "lname_c2")
NUMBERS = ("by", "bm", "bd")
N_QUERIES, N_COMPARED = 2000, 100


def queries(project: Path) -> list[dict[str, Any]]:
    """Records of the project, with errors added to the names."""
    rng = random.Random(7)
    with next(project.glob("records-*.csv")).open() as file:
        rows = rng.sample(list(csv.DictReader(file)), N_QUERIES)
    found = []
    for row in rows:
        query: dict[str, Any] = {n: typo(row[n], rng) or None if row[n] else None for n in TEXTS}
        found.append(query | {name: int(row[name]) for name in NUMBERS})
    return found


def compared(project: Path) -> dict[str, int]:
    """How many decisions, first hits and hits are as those of a scan that scores all records."""
    from gemel.cli.project import Project
    from gemel.serve.service import Service

    opened = Project.open(project / "gemel.toml", [], {})
    release = opened.release()
    same = {"queries": N_COMPARED, "decisions": 0, "first": 0, "hits": 0}
    with opened.gallery(release) as gallery:
        service = Service(release, gallery)
        groups = gallery.groups("identity")
        rows, comparator, policy = groups.rows, release.comparator, release.policy
        ids = [i for at in range(len(groups.values)) for i in groups.ids(at)]
        for query in queries(project)[:N_COMPARED]:
            hits = service.search(query, 10).hits
            scores = comparator.matrix(service.embed([query]), rows)[0]
            true = [ids[i] for i in np.argsort(-scores, kind="stable")[:10]]
            same["hits"] += len({hit.id for hit in hits} & set(true))
            same["first"] += hits[0].id == true[0] or hits[0].score >= scores.max() - 1e-4
            outcome = policy.identify(float(scores.max()), gallery.count()).outcome
            same["decisions"] += hits[0].decision == outcome
    return same


def measure(said: argparse.Namespace) -> dict[str, Any]:
    gemel = str(Path(sys.executable).parent / "gemel")
    command = [gemel, "serve", "--port", "0", "--config", str(said.project / "gemel.toml")]
    command += ["--set", "serve.cache_bytes=0"]  # else a query that comes again is not encoded
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found: dict[str, Any] = {"compared_with_a_scan_of_all": compared(said.project)}
    sent = [json.dumps({"query": query, "k": 10}) for query in queries(said.project)]
    with (
        tempfile.TemporaryDirectory() as state,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as service,
    ):
        bodies = Path(state) / "bodies.txt"
        bodies.write_text("\n".join(sent))
        said_so = next((line for line in service.stderr or () if " serves;" in line), "")
        url = said_so.partition(" ")[0]
        try:
            for n in said.clients:
                before = cpu_seconds(service.pid)
                at = asked(f"{url}/v1/search", bodies, n, said.seconds)
                n_asked = at["requests_per_second"] * said.seconds
                at["service_cpu_ms"] = round((cpu_seconds(service.pid) - before) / n_asked * 1e3, 2)
                found[f"clients_{n}"] = at
                print(n, at, file=sys.stderr)
        finally:
            service.terminate()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--out", type=Path, default=HERE / "results" / "serve-search.json")
    said = parser.parse_args()
    result = {"what": "POST /v1/search with a learned comparator", "targets": TARGETS}
    result |= measure(said)
    result["load"] = [round(x, 1) for x in os.getloadavg()]
    result["machine"], result["date"] = machine(), datetime.now(UTC).date().isoformat()
    said.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
