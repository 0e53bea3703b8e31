"""MiniLM trained on graded pairs of the STS benchmark, by gemel and with sentence-transformers.

Part of `bench_train.py`. Both see the same batches in the same order at the same rates, so that
what is left between them is what dropout draws. Without dropout nothing is left, which is measured
as well. The set lies outside of the repository, see `fewshot_data.py`.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from train_costs import interval
from train_quality import MODEL, pairs_of, theirs

from gemel.arrays import Float32, Int64, unit_rows
from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.data.sampler import GivenPairs
from gemel.data.sources.pairs import PairColumns
from gemel.data.splits import Splits, by_identity
from gemel.encode.encoder import Encoder
from gemel.settings import TrainSettings
from gemel.train import fit
from gemel.train.backbones import source

Encode = Callable[[list[str]], Float32]

SAME = 4.0
TAUGHT, PAIRS_OF_A_BATCH, RATE, DECAY, WARM = 1200, 16, 2e-5, 0.01, 0.1
"""Pairs of the train file that both learn from, a fifth of which selects."""
SEEDS = range(5)
"""Each draws an order of the batches, the same for both, and what dropout leaves out."""
SPLIT = 0
EXACTLY = 0.0005


def fine_tuned() -> dict[str, Any]:
    """All of MiniLM trained on graded pairs, by gemel and with sentence-transformers' loss."""
    left, right, grades = pairs_of("sts-dev.csv")

    def judged(encode: Encode) -> float:
        return float(spearmanr((encode(left) * encode(right)).sum(axis=1), grades).statistic)

    folder = source.find(TrainSettings(backbone=MODEL, tune="none"), Path()).folder
    ours_by, theirs_by, spent = list[float](), list[float](), {"gemel": 0.0, "baseline": 0.0}
    with tempfile.TemporaryDirectory() as scratch:
        dataset = _graded(Path(scratch))
        splits = by_identity(dataset, dev=0.2, eval=0.02, seed=SPLIT)

        def both(start: Path, seed: int) -> tuple[float, float]:
            begun = time.process_time()
            ours = judged(_here(start, dataset, splits, seed))
            between = time.process_time()
            others = judged(_there(start, dataset, splits, seed))
            spent["gemel"] += between - begun
            spent["baseline"] += time.process_time() - between
            print(start.name, seed, ours, others, flush=True)
            return ours, others

        still = both(_without_dropout(folder, Path(scratch) / "still"), SPLIT)
        spent = dict.fromkeys(spent, 0.0)
        for seed in SEEDS:
            ours, others = both(folder, seed)
            ours_by.append(ours)
            theirs_by.append(others)
        spent = {name: round(s / len(SEEDS), 1) for name, s in spent.items()}
    difference = interval([a - b for a, b in zip(ours_by, theirs_by, strict=True)])
    n_steps = len(_batches(dataset, splits, SPLIT)[1])
    return {
        "protocol": f"{TAUGHT} pairs of the train file, the same in train for both, in the same "
        f"batches; CoSENT at scale 20, {PAIRS_OF_A_BATCH} pairs a batch, {n_steps} steps, AdamW at "
        f"{RATE} with warm-up of a tenth and a cosine to zero; {len(SEEDS)} seeds of order and "
        "dropout; Spearman's correlation on the dev file, 95 % t intervals over seeds",
        "baseline": "sentence-transformers' model and CoSENTLoss in a loop of torch",
        "untrained": round(judged(theirs(folder)), 5),
        "figures": {
            "sentence-transformers": {"spearman": interval(theirs_by), "runs": _rounded(theirs_by)},
            "gemel": {"spearman": interval(ours_by), "runs": _rounded(ours_by)},
        },
        "difference": difference,
        "without dropout": dict(
            zip(("gemel", "sentence-transformers"), _rounded(still), strict=True)
        ),
        "cpu_s": {
            "gemel, export and judging included": spent["gemel"],
            "baseline": spent["baseline"],
        },
        "met": difference["high"] >= 0 and abs(still[0] - still[1]) <= EXACTLY,
    }


def _rounded(values: list[float] | tuple[float, ...]) -> list[float]:
    return [round(v, 5) for v in values]


def _graded(folder: Path) -> Dataset:
    left, right, grades = pairs_of("sts-train.csv")
    chosen = np.random.default_rng(SPLIT).permutation(len(grades))[:TAUGHT]
    path = folder / "pairs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["left", "right", "grade"])
        writer.writerows([left[i], right[i], grades[i]] for i in chosen)
    columns = PairColumns(same="grade", same_from=SAME)
    return records.read(path, kind="pairs", pair_columns=columns)


def _without_dropout(folder: Path, copy: Path) -> Path:
    """A copy of a model in which nothing is left out while it learns."""
    shutil.copytree(folder, copy)
    said = json.loads((copy / "config.json").read_text())
    said |= {name: 0.0 for name in said if name.endswith("dropout_prob")}
    (copy / "config.json").write_text(json.dumps(said))
    return copy


def _here(start: Path, dataset: Dataset, splits: Splits, seed: int) -> Encode:
    settings = TrainSettings(
        backbone=str(start),
        tune="all",
        max_epochs=1,
        learning_rate=RATE,
        warmup_ratio=WARM,
        identities_per_batch=PAIRS_OF_A_BATCH,
        views_per_identity=2,
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as run:
        trained = fit.train(dataset, splits, settings, Path(run))
        if trained.training.best.epoch != 1:
            print("the epoch was not kept", seed, flush=True)
        return Encoder.open(trained.encoder).encode


def _batches(
    dataset: Dataset, splits: Splits, seed: int
) -> tuple[Int64, list[tuple[Int64, NDArray[Any]]]]:
    """Positions and grades of the pairs of each batch, as gemel's own sampler draws them."""
    pairing = dataset.pairing.take(splits.train)
    if pairing.given is None or pairing.grade is None:
        raise SystemExit("the pairs have no grades")
    nth = np.repeat(np.arange(len(pairing.given))[:, None], 2, axis=1)
    drawn = list(GivenPairs(nth, PAIRS_OF_A_BATCH, seed))
    return splits.train, [(pairing.given[idx], pairing.grade[idx]) for idx in drawn]


def _there(start: Path, dataset: Dataset, splits: Splits, seed: int) -> Encode:
    """The same lesson with the model and the loss of sentence-transformers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import CoSENTLoss

    torch.manual_seed(seed)
    model = SentenceTransformer(str(start), device="cpu")
    loss = CoSENTLoss(model)
    train, batches = _batches(dataset, splits, seed)
    texts = dataset.payloads(train)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=RATE,
    )
    n_warm = round(WARM * len(batches))

    def share(step: int) -> float:
        if step < n_warm:
            return (step + 1) / n_warm
        return 0.5 + 0.5 * math.cos(math.pi * (step - n_warm) / (len(batches) - n_warm))

    plan = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    model.train()
    for pairs, grades in batches:
        sides = [model.preprocess([texts[i] for i in pairs[:, side]]) for side in (0, 1)]
        cost = loss(sides, torch.from_numpy(grades).float())
        optimizer.zero_grad()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        plan.step()
    model.eval()
    return lambda texts: unit_rows(model.encode(texts, show_progress_bar=False))
