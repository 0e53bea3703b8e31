"""Pictures found by texts and texts by pictures: two towers beside a bag of words.

The bag of words is a ridge regression from the pixels of a picture to the TF-IDF of its text, whose
penalty is chosen on dev; a text and a picture are as alike as the words of the one and those told
of the other. Records of eval (20 % of the identities, seed 0) search those of the other kind in
eval. It reads the development sets, which are not part of the product: name their folder. Or it
sets the last release of a project, such as that of the example `captions`, beside the bag of words.

    python bench/bench_image_text.py FOLDER [--sets emoji stamps] [--out FILE]
    python bench/bench_image_text.py --project FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from gemel.arrays import Float32, Int64, unit_rows
from gemel.calibrate.rates.intervals import mean_by_unit
from gemel.cli.project import Project
from gemel.config import FILE
from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits, by_identity
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Encoder
from gemel.encode.image.prepare import ImagePrepare
from gemel.settings import TrainSettings
from gemel.tasks.retrieval import retrieve
from gemel.train import fit

VENDORS = ("noto", "twemoji", "openmoji")
PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10000.0)
SIZE = 32


def emoji(folder: Path, scratch: Path) -> Dataset:
    """Emoji of three vendors with their English names."""
    frame = pl.read_parquet(folder / "emoji_vendors" / "emoji.parquet")
    frame = frame.filter(pl.col("vendor").is_in(VENDORS), pl.col("name_en").is_not_null())
    return _captioned(zip(frame["png"], frame["name_en"], strict=True), scratch)


def stamps(folder: Path, scratch: Path) -> Dataset:
    """Photos and drawings of a painting program with one English sentence each."""
    frame = pl.read_parquet(folder / "stamps_image_text" / "stamps.parquet")
    picture = next(c for c in frame.columns if frame[c].dtype == pl.Binary)
    text = next(c for c in frame.columns if c in ("text_en", "en", "text"))
    frame = frame.filter(pl.col(text).is_not_null())
    return _captioned(zip(frame[picture], frame[text], strict=True), scratch)


SETS = {"emoji": emoji, "stamps": stamps}


def _captioned(pairs: Any, scratch: Path) -> Dataset:
    lines = [("file", "text")]
    for i, (data, text) in enumerate(pairs):
        (scratch / f"{i}.png").write_bytes(data)
        lines.append((f"{i}.png", text))
    with (scratch / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return records.read(scratch, kind="image_text", max_bad_ratio=0.1)


def both_ways(rows: Float32, identities: Int64, kinds: Int64) -> dict[str, list[float]]:
    """recall_at_1 and recall_at_10 of records of each kind among those of the other.

    Each is a value and its 95 % interval, by identity.
    """
    out = {}
    for name, asked in (("text to image", 1), ("image to text", 0)):
        first = kinds == asked
        # Only records of one kind ask: the identities of the others are not told to those.
        score = rows[first] @ rows[~first].T
        hit = identities[first][:, None] == identities[~first][None, :]
        best = np.where(hit, score, -np.inf).max(axis=1)
        rank = (np.where(hit, -np.inf, score) >= best[:, None]).sum(axis=1)
        for k in (1, 10):
            found = mean_by_unit(rank < k, identities[first], 0.95)
            out[f"{name}, recall_at_{k}"] = [
                round(v, 4) for v in (found.value, found.low, found.high)
            ]
    return out


def bag_of_words(dataset: Dataset, splits: Splits) -> tuple[Float32, float]:
    """Rows of the records of eval: words of a text, words told of the pixels; and the penalty."""
    payloads = dataset.payloads()
    is_text = np.array([isinstance(p, str) for p in payloads])
    text_of = {int(dataset.identities[i]): payloads[i] for i in np.flatnonzero(is_text)}
    train = splits.train[~is_text[splits.train]]
    prepare = ImagePrepare.fit([payloads[i] for i in train], SIZE)
    words = TfidfVectorizer(analyzer="word", sublinear_tf=True, dtype=np.float32)
    target = words.fit_transform([text_of[int(dataset.identities[i])] for i in train]).toarray()
    pixels = _pixels(prepare, payloads, train)
    models = [Ridge(penalty).fit(pixels, target) for penalty in PENALTIES]

    def rows(idx: Int64, model: Ridge) -> Float32:
        return _bags(idx, payloads, (prepare, words, model))

    dev, kinds = dataset.identities[splits.dev], _kinds(dataset, splits.dev)
    reached = [retrieve(rows(splits.dev, m), dev, Cosine(), files=kinds).mrr for m in models]
    best = int(np.argmax(reached))
    return rows(splits.eval, models[best]), PENALTIES[best]


def _pixels(prepare: ImagePrepare, payloads: list[Any], idx: Int64) -> Float32:
    return prepare.pixels([payloads[i] for i in idx])


def _bags(idx: Int64, payloads: list[Any], fitted: Any) -> Float32:
    prepare, words, model = fitted
    rows = np.zeros((len(idx), len(words.vocabulary_)), np.float32)
    is_text = np.array([isinstance(payloads[i], str) for i in idx])
    rows[is_text] = words.transform([payloads[i] for i in idx[is_text]]).toarray()
    rows[~is_text] = model.predict(_pixels(prepare, payloads, idx[~is_text]))
    rows += 1e-9
    return unit_rows(rows)


def _kinds(dataset: Dataset, idx: Int64) -> Int64:
    kinds = dataset.pairing.take(idx).files
    if kinds is None:
        raise ValueError("records of one kind")
    return kinds


def without_towers(dataset: Dataset, splits: Splits) -> dict[str, Any]:
    """Sizes, and both ways for a bag of words."""
    identities, kinds = dataset.identities[splits.eval], _kinds(dataset, splits.eval)
    rows, penalty = bag_of_words(dataset, splits)
    return {
        "pictures of eval": int((kinds == 0).sum()),
        "texts of eval": int((kinds == 1).sum()),
        "records of train": len(splits.train),
        "bag of words": {**both_ways(rows, identities, kinds), "penalty": penalty},
    }


def of_project(folder: Path) -> dict[str, Any]:
    """Both ways for a bag of words and for the last release of a project."""
    project = Project.open(folder / FILE)
    release = project.store().get(project.store().list()[-1].id)
    dataset = project.dataset(release)
    splits = project.splits(dataset)
    idx = splits.eval
    rows = release.encoder.encode(dataset.payloads(idx))
    towers = both_ways(rows, dataset.identities[idx], _kinds(dataset, idx))
    return {**without_towers(dataset, splits), "two towers": towers}


def measured(dataset: Dataset, splits: Splits, folder: Path) -> dict[str, Any]:
    """Both ways for a bag of words and for two towers, and CPU seconds of training."""
    idx = splits.eval
    identities, kinds = dataset.identities[idx], _kinds(dataset, idx)
    out = without_towers(dataset, splits)
    begun = time.process_time()
    run = fit.train(dataset, splits, TrainSettings(image_size=SIZE), folder / "run")
    seconds = round(time.process_time() - begun, 1)
    encoder = Encoder.open(run.encoder)
    towers = both_ways(encoder.encode(dataset.payloads(idx)), identities, kinds)
    history = run.training.history
    out["two towers"] = {**towers, "CPU s": seconds, "best epoch": run.training.best.epoch}
    out["MRR on dev"] = {"closed form": history[0].metric, "trained": run.training.best.metric}
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--project", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.project:
        print(json.dumps(of_project(args.project)))
        return
    if args.folder is None:
        parser.error("name the folder of the development sets, or --project")
    found = {}
    for name in args.sets:
        with tempfile.TemporaryDirectory() as scratch:
            (Path(scratch) / "data").mkdir()
            dataset = SETS[name](args.folder, Path(scratch) / "data")
            found[name] = measured(dataset, by_identity(dataset, seed=0), Path(scratch))
            print(name, json.dumps(found[name], indent=1), flush=True)
    if args.out:
        args.out.write_text(json.dumps({"image size": SIZE, "sets": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
