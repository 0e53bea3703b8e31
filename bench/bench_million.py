"""Duplicates among 20,000 to a million rows: seconds, memory and F1 beside Splink on DuckDB.

A release is trained and calibrated on a labelled sample of such rows, as whoever has many has of
some: made with another seed, so other people and, of the names that are made, other names. It then
looks for duplicates among the rows of `million_data`; Splink learns without labels on the very
rows. Each run is a process of its own, the two in turns; both read a CSV file and write clusters.
F1 is pairwise over clusters, at the threshold that each chooses itself. Of the matches that a scan
of all pairs would find among 50,000 rows, those of 500 records are looked for. The seconds of the
sample stand apart, since its release serves any number of files. Prints tables and writes
results/million.json.

    python bench/bench_million.py [--rows 20000 200000 1000000] [--two] [--repeat 1]
                                  [--sample 20000]

Wanted: at most twice Splink's seconds at no lower F1, a million rows in 6 GB, 99.5 % of the scan.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from million_data import genuine, rows
from records_contestants import code, peers_python
from records_data import Table as Records
from records_data import load
from rich.console import Console
from rich.table import Table

import gemel
from gemel.data import records
from gemel.tasks.agreement import agreement

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache"
FOLDER = CACHE / "bench-million"
RESULTS = HERE / "results" / "million.json"
SIZES = (20_000, 200_000, 1_000_000)
SAMPLE, SEED = 20_000, 1
"""Labelled rows, and what they are drawn with; what is looked through is drawn with 0."""
SCANNED = 50_000
QUERIES = 500
WITHIN, MAX_MB, REACHED = 2.0, 6_000, 0.995


def files(n: int, two: bool) -> list[Path]:
    """The rows as a CSV file, or in two that hold each person once; made once."""
    found = [FOLDER / f"rows-{n}{half}.csv" for half in (("-a", "-b") if two else ("",))]
    if not all(path.exists() for path in found):
        FOLDER.mkdir(parents=True, exist_ok=True)
        frame = rows(n, CACHE / "packages")
        place = frame.select(
            pl.int_range(pl.len()).over("identity").alias("nth"), pl.len().over("identity")
        )
        single = place["len"] == 1
        is_second = (place["nth"] == 1) | (single & (pl.arange(n, eager=True) % 2 == 1))
        for path, which in zip(found, (~is_second, is_second)[: len(found)], strict=True):
            frame.filter(which if two else pl.lit(True)).write_csv(path)
    return found


def sample(n: int) -> Records:
    """So many labelled rows of the kind that is looked through, of other people."""
    frame = rows(n, CACHE / "packages", SEED)
    kinds = load("rldata10000", CACHE / "packages").kinds
    identity = frame["identity"].to_numpy()
    values = tuple(frame.select(*kinds).iter_rows())
    return Records(f"sample-{n}", "million_data", kinds, values, identity, identity)


def learn(n: int, folder: Path) -> None:
    """Train and calibrate a release on a sample, with default settings and F1 as the goal."""
    table, begun, cpu = sample(n), time.perf_counter(), time.process_time()
    dataset, splits = table.dataset(), table.split(0)
    run = gemel.train_encoder(dataset, splits, gemel.TrainSettings(), folder / "run")
    goals = gemel.Goals(verify=gemel.Target(kind="f1"))
    gemel.build_release(run.folder, dataset, goals=goals, into=folder / "release")
    size = np.unique(table.identities, return_counts=True)[1]
    said = {
        "rows": n,
        "seed": SEED,
        "identities": len(size),
        "genuine_pairs": int((size * (size - 1) // 2).sum()),
        "seconds": round(time.perf_counter() - begun, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }
    (folder / "sample.json").write_text(json.dumps(said))


def learned(n: int) -> tuple[Path, dict[str, Any]]:
    """The release of a sample and what it took, kept while gemel's code is the same."""
    folder, key = FOLDER / f"sample-{n}", code([Path(gemel.__file__).parent])
    said, stamp = folder / "sample.json", folder / "code.key"
    if not (said.is_file() and stamp.is_file() and stamp.read_text() == key):
        shutil.rmtree(folder, ignore_errors=True)
        # In a process of its own: a child counts the memory of its parent as its own peak.
        subprocess.run([sys.executable, __file__, "--learn", str(n)], check=True, cwd=HERE)
        stamp.write_text(key)
    return folder / "release", json.loads(said.read_bytes())


def find(release: str, out: str, *paths: str) -> None:
    """What a process of gemel's does: read, look for duplicates, write, say what was done."""
    opened = gemel.Release.open(release)
    fields = opened.encoder.prepare.fields
    read = [records.read(path, id="record", fields=fields) for path in paths]
    found = gemel.duplicates(opened, read[0], *read[1:])
    found.write(f"{out}.parquet", f"{out}.pairs.parquet")
    Path(f"{out}.json").write_bytes(json.dumps(_said(found)).encode())


def _said(found: gemel.Duplicates) -> dict[str, Any]:
    seen = found.summary
    reach = None if seen.reach is None else {"value": seen.reach.value, "low": seen.reach.low}
    n = None if seen.reach is None else seen.reach.n_candidates
    return {"engine": seen.engine, "candidates": n, "reach": reach, "threshold": seen.threshold}


def scanned(release: Path, path: Path) -> dict[str, Any]:
    """Which share of the matches of some records a scan of all pairs finds was found by keys."""
    out = FOLDER / f"gemel-{SCANNED}-scan"
    subprocess.run(
        [sys.executable, __file__, "--find", str(release), str(out), str(path)],
        check=True,
        cwd=HERE,
    )
    opened = gemel.Release.open(release)
    read = records.read(path, id="record", fields=opened.encoder.prepare.fields)
    rows = opened.encoder.encode(read.payloads())
    threshold = json.loads(Path(f"{out}.json").read_bytes())["threshold"]
    found = pl.read_parquet(f"{out}.pairs.parquet").filter(pl.col("score") >= threshold)
    by_keys = {frozenset(pair) for pair in found.select("left", "right").iter_rows()}
    asked = np.random.default_rng(0).choice(len(rows), QUERIES, replace=False)
    exact = set()
    for start in range(0, len(rows), 512):
        score = opened.comparator.matrix(rows[asked], rows[start : start + 512])
        for i, j in np.argwhere(score >= threshold):
            if asked[i] != start + j:
                exact.add(frozenset((str(read.ids[asked[i]]), str(read.ids[start + j]))))
    return {
        "rows": SCANNED,
        "records": QUERIES,
        "matches": len(exact),
        "share": len(exact & by_keys) / len(exact),
    }


def verdict(rows: dict[int, Any], scan: dict[str, Any]) -> dict[str, bool]:
    """Which of what is wanted holds."""
    both = [(size, each["gemel"], each["splink"]) for size, each in rows.items()]
    return {
        "seconds": all(ours["seconds"] <= WITHIN * peer["seconds"] for _, ours, peer in both),
        "f1": all(ours["f1"] >= peer["f1"] for _, ours, peer in both),
        "memory": all(ours["peak_mb"] <= MAX_MB for _, ours, _ in both),
        "scan": scan["share"] >= REACHED,
    }


def timed(command: list[str]) -> dict[str, float]:
    """Seconds, CPU seconds and peak memory of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=HERE)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:3]} ended with {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1024),
    }


def judged(out: Path, truth: pl.DataFrame) -> dict[str, float]:
    """How well clusters agree with identities, and which share of genuine pairs was scored."""
    clusters = pl.read_parquet(f"{out}.parquet").select("id", "cluster")
    joined = truth.join(clusters, left_on="record", right_on="id")
    label = joined["cluster"].rank("dense").to_numpy().astype(np.int64)
    quality = agreement(label, joined["identity"].to_numpy()).pairwise
    pairs = pl.read_parquet(f"{out}.pairs.parquet")
    of = dict(zip(truth["record"], truth["identity"], strict=True))
    left, right = (pairs[side].replace_strict(of) for side in ("left", "right"))
    genuine_pair = (left == right).to_numpy()
    return {
        "precision": round(quality.precision, 4),
        "recall": round(quality.recall, 4),
        "f1": round(quality.f1, 4),
        "best_f1": round(_best(pairs["score"].to_numpy(), genuine_pair, genuine(truth)), 4),
        "genuine_pairs_kept": round(float(genuine_pair.sum()) / genuine(truth), 4),
    }


def _best(score: np.ndarray[Any, Any], right: np.ndarray[Any, Any], n_genuine: int) -> float:
    """The highest F1 over pairs that any threshold among those kept would give."""
    hits = np.cumsum(right[np.argsort(-score, kind="stable")])
    return float((2 * hits / (n_genuine + np.arange(1, len(hits) + 1))).max(initial=0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--two", action="store_true", help="in two files, each person once in each")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--sample", type=int, default=SAMPLE, help="labelled rows to learn from")
    parser.add_argument("--peers", type=Path, help="python of the peers' environment")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--find", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--learn", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.find:
        find(*asked.find)
        return
    if asked.learn:
        learn(asked.learn, FOLDER / f"sample-{asked.learn}")
        return
    release, labelled = learned(asked.sample)
    peers = asked.peers or peers_python(CACHE)
    report: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "gemel": gemel.__version__,
        "sample": labelled,
        "files": 2 if asked.two else 1,
        "rows": {},
    }
    grid = Table("rows", "", "seconds", "CPU s", "peak MB", "precision", "recall", "F1")
    for n in asked.rows:
        paths = files(n, asked.two)
        truth = pl.concat([pl.read_csv(p, columns=["record", "identity"]) for p in paths])
        out = {name: FOLDER / f"{name}-{n}-{len(paths)}" for name in ("gemel", "splink")}
        commands = {
            "gemel": [sys.executable, __file__, "--find", str(release), str(out["gemel"])],
            "splink": [str(peers), str(HERE / "peers_million.py"), str(out["splink"])],
        }
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
        for _ in range(asked.repeat):
            for name, command in commands.items():
                runs[name].append(timed([*command, *map(str, paths)]))
        report["rows"][n] = {"genuine_pairs": genuine(truth)}
        for name, each in runs.items():
            best = min(each, key=lambda run: run["cpu_seconds"])
            said = {**best, "runs": each, **judged(out[name], truth)}
            if name == "gemel":
                said |= json.loads(Path(f"{out[name]}.json").read_bytes())
            report["rows"][n][name] = said
            keys = ("seconds", "cpu_seconds", "peak_mb", "precision", "recall", "f1")
            grid.add_row(f"{n:,}", name, *(f"{said[k]:,}" for k in keys))
        asked.out.write_text(json.dumps(report, indent=1) + "\n")
    # Last: a process counts the memory of the one that starts it as its own peak.
    report["scan"] = scanned(release, *files(SCANNED, two=False))
    report["met"] = verdict(report["rows"], report["scan"])
    asked.out.write_text(json.dumps(report, indent=1) + "\n")
    Console(width=None if Console().is_terminal else 120).print(grid)
    missed = [name for name, met in report["met"].items() if not met]
    print(json.dumps(report["scan"]), "missed:", ", ".join(missed) or "nothing")
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
