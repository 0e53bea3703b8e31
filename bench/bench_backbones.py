"""Pretrained networks as they are, with a layer trained behind them, beside no learning at all.

Compared are recall_at_1 on identities that training has not seen (60/20/20 by identity, seed 0) of
TF-IDF or pixels, of gemel's own encoder where asked, of the network as it is, and of a layer behind
it. It reads the development sets, which are not part of the product: name their folder.

    python bench/bench_backbones.py FOLDER [--sets logos code definitions] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gemel.arrays import Float32, Int64
from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits, by_identity
from gemel.encode import modality
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Encoder
from gemel.settings import TrainSettings
from gemel.tasks.retrieval import retrieve
from gemel.train import fit

BACKBONE = {"text": "all-MiniLM-L6-v2", "image": "efficientnet-lite0"}
WORDS = 1500


def logos(folder: Path, scratch: Path) -> Dataset:
    """Brand logos of 8 icon sets: a brand is an identity."""
    frame = pl.read_parquet(folder / "brand_logos" / "logos.parquet")
    for i, (brand, _, _, png) in enumerate(frame.iter_rows()):
        path = scratch / brand.replace("/", "_") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png)
    return records.read(scratch, max_bad_ratio=1.0)


def code(folder: Path, scratch: Path) -> Dataset:
    """Functions of libraries without their names: what does the same is an identity."""
    frame = pl.read_parquet(folder / "code_clones" / "clones.parquet")
    pairs = frame.select(pl.col("class").alias("of"), pl.col("code_anon").alias("text"))
    return texts(pairs, scratch)


def definitions(folder: Path, scratch: Path) -> Dataset:
    """Two dictionaries' definitions of a word."""
    frame = pl.read_parquet(folder / "dictionary_definitions" / "definitions.parquet")
    frame = frame.sample(WORDS, seed=0)
    both = [
        frame.select(pl.col("word").alias("of"), pl.col(name).alias("text"))
        for name in ("wordnet_gloss", "gcide_definition")
    ]
    return texts(pl.concat(both), scratch)


def texts(frame: pl.DataFrame, scratch: Path) -> Dataset:
    """Texts in the column `text`, identities in the column `of`."""
    path = scratch / "texts.parquet"
    frame.write_parquet(path)
    return records.read(path, kind="text", identity="of", max_bad_ratio=1.0)


SETS = {"logos": logos, "code": code, "definitions": definitions}


def recall(rows: Float32, identities: Int64) -> float:
    """Share of records whose nearest other record is of their identity, where there is one."""
    return float(retrieve(rows, identities, Cosine(), k=(1,)).recall_at_k[1])


def measured(
    dataset: Dataset, splits: Splits, modes: Sequence[str], folder: Path
) -> dict[str, Any]:
    """recall_at_1 on eval, and CPU seconds of training, by mode."""
    payloads, identities = dataset.payloads(splits.eval), dataset.identities[splits.eval]
    out: dict[str, Any] = {"records": len(dataset), "eval": len(splits.eval)}
    for mode in modes:
        settings = TrainSettings(backbone=BACKBONE[dataset.modality], tune=mode)
        settings = TrainSettings() if mode == "own" else settings
        begun = time.process_time()
        run = fit.train(dataset, splits, settings, folder / "runs" / mode)
        seconds = time.process_time() - begun
        encoder = Encoder.open(run.encoder)
        if mode == modes[0]:
            kind = modality.named(dataset.modality)
            train = dataset.payloads(splits.train)
            plain = kind.baseline(encoder.prepare, train, payloads)
            out[plain.name] = recall(plain.rows, identities)
        out[mode] = recall(encoder.encode(payloads), identities)
        out[f"{mode}, CPU s"] = round(seconds, 1)
        print(json.dumps(out), flush=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--modes", nargs="+", default=["none", "head"])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    found = {}
    for name in args.sets:
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "data").mkdir()
            dataset = SETS[name](args.folder, Path(scratch) / "data")
            splits = by_identity(dataset, seed=0)
            print(name, flush=True)
            found[name] = measured(dataset, splits, args.modes, Path(scratch))
    if args.out:
        args.out.write_text(json.dumps({"backbones": BACKBONE, "sets": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
