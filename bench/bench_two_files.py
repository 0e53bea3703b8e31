"""Two files as two systems write them, 20,000 and 5,000 rows, linked by commands alone.

    OMP_NUM_THREADS=1 python bench/bench_two_files.py [--known 0.3] [--seed 0]

Rows are those of `million_data`: 3,000 people stand in both files, with a typing error in the
second, under other column names and ids. The customer number of some of the second file is known.
With none known (`--known 0`) the start is unproven. Every command, the precision and recall of the
links that it wrote and its CPU seconds go into results/two_files.json. Links whose number was known
are not counted there; how many of all are false stands beside how many `gemel link` expects.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from million_data import rows

CACHE = Path(__file__).parent.parent / ".cache"
RESULTS = Path(__file__).parent / "results" / "two_files.json"
N_LEFT, N_RIGHT, N_BOTH = 20_000, 5_000, 3_000
FIELDS = ("fname_c1", "lname_c1", "by", "bm", "bd")
IN_LEFT = ("first_name", "last_name", "year", "month", "day")
IN_RIGHT = ("vorname", "name", "jahr", "monat", "tag")
Links = set[tuple[str, str]]
LABELLED = (
    "init crm.csv shop.csv --id record --identity customer_no --other-id nr",
    "train",
    "calibrate --for duplicates",
    "release promote ID",
    "link",
)
UNLABELLED = (
    "init crm.csv shop.csv --id record --other-id nr",
    "train",
    "link --links one-to-one",
)


def write(folder: Path, known: float, seed: int) -> tuple[Links, Links]:
    """Two files; returns the links that there are, and those of them that the files tell."""
    n = N_LEFT + N_RIGHT
    frame = rows(n, CACHE / "packages", seed, N_BOTH / n)
    frame = frame.select("record", "identity", *FIELDS)
    first = frame["identity"].is_first_distinct()
    rng = np.random.default_rng(seed)
    both = frame.filter(~first)["identity"].to_list()
    alone = sorted(set(frame["identity"].to_list()) - set(both))
    only_right = set(rng.permutation(alone)[: N_RIGHT - N_BOTH].tolist())
    in_right = ~first | frame["identity"].is_in(list(only_right))
    left, right = frame.filter(~in_right), frame.filter(in_right)
    told = pl.Series(rng.random(len(right)) < known)
    number = pl.when(told).then("customer_no") if known else pl.lit(None, pl.Int64)
    left = left.rename({"identity": "customer_no", **dict(zip(FIELDS, IN_LEFT, strict=True))})
    right = right.rename({"identity": "customer_no", **dict(zip(FIELDS, IN_RIGHT, strict=True))})
    right = right.rename({"record": "nr"}).with_columns(nr=pl.format("S-{}", "nr"))
    of = dict(left.select("customer_no", "record").iter_rows())
    links = {(of[i], nr) for i, nr in right.select("customer_no", "nr").iter_rows() if i in of}
    seen = set(right.filter(told)["nr"].to_list()) if known else set()
    no = [] if known else ["customer_no"]
    left.drop(no).write_csv(folder / "crm.csv")
    right.with_columns(customer_no=number).drop(no).write_csv(folder / "shop.csv")
    return links, {link for link in links if link[1] in seen}


def run(folder: Path, command: str) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [sys.executable, "-m", "gemel", *shlex.split(command)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{command}: {done.stderr}")
    print(f"$ gemel {command}\n{done.stdout}{done.stderr}", flush=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def summary(folder: Path, command: str) -> dict[str, Any]:
    """What `gemel link` says of the links that stand there; nothing is compared again."""
    words = [sys.executable, "-m", "gemel", *shlex.split(command), "--json"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)["summary"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--known", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    folder = CACHE / "bench-two-files" / f"{asked.known}-{asked.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    links, known = write(folder, asked.known, asked.seed)
    seconds = {}
    commands = LABELLED if asked.known else UNLABELLED
    for command in commands:
        made = [p.name for p in (folder / ".gemel/releases").glob("*")]
        seconds[command] = run(
            folder, command.replace("ID", f"{(made or [''])[0]} --force --reason bench")
        )
    table = pl.read_csv(folder / "links.csv", infer_schema=False)
    found = set(table.filter(pl.col("outcome") == "match").select(table.columns[:2]).iter_rows())
    right, wanted = (found & links) - known, links - known
    false, told = len(found - links), summary(folder, commands[-1])["false_links"]["expected"]
    found = {link for link in found if link[1] not in {nr for _, nr in known}}
    result = {
        "known links": len(known),
        "precision": round(len(right) / len(found), 4),
        "recall": round(len(right) / len(wanted), 4),
        "links": len(found),
        "false links of all": false,
        "expected false links": round(told, 1),
        "cpu_seconds": {k: round(v, 1) for k, v in seconds.items()},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "date": time.strftime("%Y-%m-%d"),
    }
    print(json.dumps(result, indent=1))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[f"{asked.known:g} of the numbers known"] = result
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
