"""Records that agree without being the same, and no labels: households, products of one kind.

    OMP_NUM_THREADS=1 python bench/bench_kin.py [--sets NAME ...] [--seeds N ...] [--out FILE]

Households: FEBRL 2 with a fifth of its duplicates, of whose people three fifths live together and
share surname and address. Moved: FEBRL 3, of whose duplicates a quarter has another address. Shops:
made-up power tools of ten brands and ten kinds, 4,000 in one shop and 1,500 in the other, 900 in
both, with title, brand, power and price; `shops, numbers`: a third of either has its article number
as well. Each goes through `gemel init`, `train` and `duplicates` or `link`, as they are; precision
and recall are of all pairs that match. Writes results/kin.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from records_data import Table, load

CACHE = Path(__file__).parent.parent / ".cache" / "packages"
RESULTS = Path(__file__).parent / "results" / "kin.json"
TOGETHER = ("surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state")
KEPT, IN_HOUSES, SIZES, MOVED = 0.2, 0.6, (2, 2, 3, 4), 0.25
BRANDS = ["Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gorse", "Hazel", "Ivy", "Juniper"]
KINDS = [
    "cordless drill",
    "angle grinder",
    "jigsaw",
    "circular saw",
    "random orbit sander",
    "rotary hammer",
    "planer",
    "heat gun",
    "router",
    "multi tool",
]
EXTRAS = ("with case", "in box", "incl. accessories", "professional", "2 batteries")
WATTS = (12, 18, 36, 500, 550, 600, 650, 710, 800, 850, 900, 1010, 1200, 1400)
N_ONE, N_TWO, N_BOTH = 4000, 1500, 900
Record = dict[str, str | None]
Files = list[list[Record]]
Identities = dict[str, Any]


def of_table(table: Table, rows: Sequence[Sequence[str | None]]) -> tuple[Files, Identities]:
    """Rows of a set as one file, and the identity of each id."""
    names = [f"r{i}" for i in range(len(rows))]
    records: list[Record] = [
        {"id": name, **dict(zip(table.kinds, row, strict=True))}
        for name, row in zip(names, rows, strict=True)
    ]
    return [records], dict(zip(names, table.identities.tolist(), strict=True))


def firsts(table: Table) -> dict[Any, int]:
    """The first row of each identity."""
    found: dict[Any, int] = {}
    for i, identity in enumerate(table.identities.tolist()):
        found.setdefault(identity, i)
    return found


def households(rng: Random) -> tuple[Files, Identities]:
    """People who share surname and address, but for what was typed wrong."""
    table = load("febrl2-all", CACHE)
    first, people = firsts(table), table.identities.tolist()
    home: dict[Any, Any] = {}
    some = rng.sample(sorted(first), round(IN_HOUSES * len(first)))
    while some:
        size = rng.choice(SIZES)
        home.update(dict.fromkeys(some[:size], some[0]))
        some = some[size:]
    records, identities = of_table(table, table.rows)
    for person, record in zip(people, records[0], strict=True):
        own, head = (table.rows[first[p]] for p in (person, home.get(person, person)))
        for column, mine, shared in zip(table.kinds, own, head, strict=True):
            if column in TOGETHER and record[column] == mine:
                record[column] = shared
    kept = {i for i in range(len(people)) if i in first.values() or rng.random() < KEPT}
    return [[record for i, record in enumerate(records[0]) if i in kept]], identities


def moved(rng: Random) -> tuple[Files, Identities]:
    """People of whom some records have another address."""
    table = load("febrl3-all", CACHE)
    first = set(firsts(table).values())
    records, identities = of_table(table, table.rows)
    address = [c for c in TOGETHER if c != "surname"]
    for i, record in enumerate(records[0]):
        if i not in first and rng.random() < MOVED:
            number, street, town = (rng.choice(records[0]) for _ in range(3))
            for column in address:
                of = number if column == "street_number" else street if "_" in column else town
                record[column] = of[column]
    return records, identities


def shops(rng: Random, *, numbers: bool = False) -> tuple[Files, Identities]:
    """The tools of two shops, whose titles differ."""
    files: Files = [[], []]
    identities: Identities = {}
    for i in range(N_ONE + N_TWO - N_BOTH):
        brand, kind, watts = rng.choice(BRANDS), rng.choice(KINDS), rng.choice(WATTS)
        letters = "".join(rng.choice("ABCDEGHKMPRSTX") for _ in range(rng.choice((2, 3))))
        model = f"{letters} {rng.randint(10, 999)}{rng.choice(('', 'E', 'CE', '-40'))}"
        price, number = rng.uniform(40, 450), str(4_000_000_000_000 + rng.randint(0, 10**9))
        for shop in range(2):
            if not (i < N_ONE if shop == 0 else i >= N_ONE - N_BOTH):
                continue
            written = model.replace(" ", "") if shop and rng.random() < 0.4 else model
            title = [kind.title(), brand, written] if shop else [brand, model, kind]
            title += [f"{watts} W"] if rng.random() < 0.5 else []
            title += [rng.choice(EXTRAS)] if rng.random() < 0.3 else []
            record: Record = {
                "id": f"{'AB'[shop]}{i}",
                "title": " ".join(title),
                "brand": brand if rng.random() < 0.9 else None,
                "power": str(watts) if rng.random() < 0.85 else None,
                "price": f"{price * rng.uniform(0.9, 1.1) if shop else price:.2f}",
            }
            if numbers:
                record["ean"] = number if rng.random() < 1 / 3 else None
            files[shop].append(record)
            identities[f"{'AB'[shop]}{i}"] = i
    return files, identities


SETS: dict[str, Callable[[Random], tuple[Files, Identities]]] = {
    "households": households,
    "moved": moved,
    "shops": shops,
    "shops, numbers": lambda rng: shops(rng, numbers=True),
}


def gemel(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What a command says."""
    told = [sys.executable, "-m", "gemel", *words]
    return subprocess.run(told, cwd=folder, check=True, capture_output=True, text=True)


def judged(folder: Path, files: Files, identities: Identities, seed: int) -> dict[str, Any]:
    """What is found in files, and what was said of it."""
    names = ["one.csv", "two.csv"][: len(files)]
    for name, records in zip(names, files, strict=True):
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    ids = ["--id", "id"] + (["--other-id", "id"] if len(files) == 2 else [])
    gemel(folder, "init", *names, *ids, "--set", f"train.seed={seed}")
    done = gemel(folder, "train")
    told = (done.stdout + done.stderr).splitlines()
    if len(files) == 2:
        said = json.loads(gemel(folder, "link", "--json").stdout)["summary"]
        left, right, out = "one id", "two id", "links.csv"
    else:
        said = json.loads(gemel(folder, "duplicates", "--pairs", "pairs.csv", "--json").stdout)
        left, right, out = "left", "right", "pairs.csv"
    with (folder / out).open(newline="") as file:
        found = [
            (p[left], p[right])
            for p in csv.DictReader(file)
            if p.get("outcome", "match") == "match"
        ]
    sides = [[identities[str(r["id"])] for r in records] for records in files]
    one, two = sides[0], sides[-1]
    n = sum(one.count(i) * two.count(i) for i in set(one))
    n = n if len(files) == 2 else (n - len(one)) // 2
    good = sum(identities[a] == identities[b] for a, b in found)
    return {
        "seed": seed,
        "pairs": n,
        "matches": len(found),
        "precision": round(good / max(1, len(found)), 3),
        "precision, expected": round(1 - said["false_links"]["expected"] / max(1, len(found)), 3),
        "recall": round(good / n, 3),
        "notes": [line for line in told if line.startswith("note: about")],
    }


def main() -> None:
    """Run what is asked for, and keep the rest of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    for name in asked.sets:
        told = []
        for seed in asked.seeds:
            with tempfile.TemporaryDirectory() as folder:
                told.append(judged(Path(folder), *SETS[name](Random(seed)), seed))
            print(name, json.dumps(told[-1], indent=1), flush=True)
        results = json.loads(asked.out.read_text()) if asked.out.exists() else {}
        results[name] = told
        results["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
        results["date"] = time.strftime("%Y-%m-%d")
        asked.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
