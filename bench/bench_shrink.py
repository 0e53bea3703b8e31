"""What smaller encoders cost and lose: people in a table, brand logos, sentences.

RLdata10000 with its own encoder of rows; brand logos of 8 icon sets with that of images; pairs of
sentences of the STS benchmark (grade 4 and above is the same) with all-MiniLM-L6-v2 as it is. Each
is made into a release by the commands, then shrunk, with a student. Target: a candidate with 75 %
fewer bytes, of the network and a gallery of 100,000 embeddings, whose loss lies within its
interval. Times are of one record, on one thread. Beside it: how many of the ten nearest by cosine a
first stage of binary codes keeps (engine `sketch`, 64 bytes a record). It reads the development
sets, which are not part of the product: name their folder. Writes bench/results/shrink.json.

    OMP_NUM_THREADS=1 python bench/bench_shrink.py FOLDER [--sets rows images text]
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from gemel.arrays import Int64
from gemel.cli.main import run
from gemel.cli.project import Project
from gemel.gallery.engines.faiss import SKETCH_BITS, Flat, Sketch
from gemel.release.evidence.part import encode
from gemel.release.evidence.shrunk import Shrunk, Tried
from gemel.release.make.measured import machine
from gemel.release.store import Store

SENTENCE_PAIRS = 2000
SAME = 4.0
LESS = 0.75
GALLERY = 100_000
NEAREST = 10
ONE_SPLIT = ("--set", "split.crossed=false")
RESULT = Path(__file__).with_name("results") / "shrink.json"


def gemel(*words: str) -> str:
    """What a command writes to stdout; the bench ends if it fails."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run(words)
    if code not in (0, 3):
        sys.exit(f"gemel {' '.join(words)} ended with {code}")
    return out.getvalue()


def rows(folder: Path) -> None:
    """People, 10,000 records of 9,000."""
    pl.read_parquet(folder / "record_linkage" / "rldata10000.parquet").write_csv("people.csv")
    gemel("init", "people.csv", *ROWS)
    gemel("train")
    gemel("calibrate")


ROWS = ("--identity", "entity_id", *ONE_SPLIT)


def images(folder: Path) -> None:
    """Logos: a brand is an identity."""
    frame = pl.read_parquet(folder / "brand_logos" / "logos.parquet")
    for i, (brand, _, _, png) in enumerate(frame.iter_rows()):
        path = Path("logos") / str(brand).replace("/", "_") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
    # Some brands have drawings that look alike: the splits would be refused.
    gemel("init", "logos", *ONE_SPLIT, "--set", "data.same_record=note", *SHORT)
    gemel("train")
    gemel("calibrate")


SHORT = ("--set", "train.image_size=32", "--set", "train.max_epochs=6")
"""Half the side and a fifth of the epochs of the defaults, so that it ends within the hour."""


def text(folder: Path) -> None:
    """Pairs of sentences with the answer of people, by a model that is not trained."""
    lines = (folder / "stsb" / "sts-train.csv").read_text("utf-8").splitlines()
    pairs = [line.split("\t") for line in lines]
    random.Random(0).shuffle(pairs)
    with Path("pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["left", "right", "same"])
        for p in pairs[:SENTENCE_PAIRS]:
            writer.writerow([p[5], p[6], "yes" if float(p[4]) >= SAME else "no"])
    share = ("--set", "calibrate.prior=0.2")
    gemel("import", "all-MiniLM-L6-v2", "--data", "pairs.csv", *share)


SETS = {"rows": rows, "images": images, "text": text}


def measured(name: str, folder: Path) -> dict[str, Any]:
    """The table of a set."""
    SETS[name](folder)
    (release,) = Store(".gemel").list()
    said = json.loads(gemel("shrink", release.id, "--student", "--dry-run", "--json"))
    found = said["shrunk"]
    table = msgspec.convert(found, Shrunk)
    best = max((saved(t, table) for t in table.tried if within(t)), default=0.0)
    codes = binary_codes(release.id)
    return {
        "set": name,
        "bytes_saved_within": best,
        "met": best >= LESS,
        "binary_codes": codes,
        "table": found,
    }


def binary_codes(release_id: str) -> dict[str, Any]:
    """What a scan of bits, four times as many scored exactly as are wanted, finds of dev and eval.

    Each record searches all others of both sides; the peer is the exact scan.
    """
    project = Project.open()
    dataset = project.dataset()
    splits = project.splits(dataset)
    encoder = project.store().get(release_id).encoder
    rows = encode(encoder, dataset, np.sort(np.concatenate([splits.dev, splits.eval])))
    found: dict[str, Any] = {"records": len(rows), "bytes": SKETCH_BITS // 8, "of": 4 * encoder.dim}
    ids: dict[str, Int64] = {}
    for kind in (Flat, Sketch):
        engine = kind(encoder.dim)
        engine.add(np.arange(len(rows)), rows)
        engine.width = NEAREST + 1
        begun = time.process_time()
        ids[kind.__name__] = engine.search(rows, NEAREST + 1)[0]
        found[f"{kind.__name__.lower()}_us"] = (time.process_time() - begun) / len(rows) * 1e6
    kept = [len(np.intersect1d(a, b)) for a, b in zip(ids["Flat"], ids["Sketch"], strict=True)]
    return {**found, "kept": float(np.mean(kept)) / (NEAREST + 1)}


def saved(tried: Tried, table: Shrunk) -> float:
    """The share of bytes saved, of the network and a gallery."""
    before, after = (c.encoder_bytes + GALLERY * c.vector_bytes for c in (table.before, tried.cost))
    return 1 - after / before


def within(tried: Tried) -> bool:
    """Whether no loss is shown beyond the interval."""
    return tried.quality is not None and tried.quality.seen != "worse"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    args = parser.parse_args()
    folder, before = args.folder.resolve(), Path.cwd()
    found = json.loads(RESULT.read_text())["sets"] if RESULT.exists() else {}
    for name in args.sets:
        with tempfile.TemporaryDirectory() as project:
            os.chdir(project)
            found[name] = {**measured(name, folder), "machine": machine()}
            os.chdir(before)
        print(name, found[name]["bytes_saved_within"], found[name]["met"], flush=True)
        result = {"least_saved": LESS, "sets": found}
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if all(one["met"] for one in found.values()) else 1)


if __name__ == "__main__":
    main()
