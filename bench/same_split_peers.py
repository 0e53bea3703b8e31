"""The peers of `bench_same_split.py`: loops as their users write them.

Each is given the epochs, batch, rate, decay and schedule of gemel's run, and keeps the epoch that
is best on dev by the same measure, the untrained one among them. Patience ends both alike.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from same_split_data import BEHIND, GEMEL, MULTI_SIMILARITY, SEED, SENTENCES
from torch import nn

from gemel.arrays import Float32, Int64, unit_rows
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.release.run import RunSettings
from gemel.settings import TrainSettings
from gemel.train import task, towers
from gemel.train.arrays import embed, take, tensors
from gemel.train.backbones import source
from gemel.train.lessons import map_at_r

Encode = Callable[[list[Any]], Float32]
MARGIN = 0.2


def warm(who: str) -> None:
    """Load the modules of a learner before the clock starts."""
    if who in (GEMEL, BEHIND):
        importlib.import_module("gemel.train.export")
    elif who == SENTENCES:
        importlib.import_module("sentence_transformers")
    else:
        importlib.import_module("pytorch_metric_learning.losses")


def metric_learning(
    dataset: Dataset, splits: Splits, settings: TrainSettings, steps: int, which: str
) -> tuple[Encode, dict[str, Any]]:
    """Gemel's tower in a loop of torch with losses, miners and a sampler of the peer.

    The network begins where gemel's does, and batches are varied as gemel varies them.
    """
    from pytorch_metric_learning import distances, losses, miners
    from pytorch_metric_learning.samplers import MPerClassSampler
    from pytorch_metric_learning.utils import common_functions

    half = towers.trainable(dataset.modality)
    identities = dataset.identities[splits.train]
    planned = _resolved(settings, half, identities)
    payloads = dataset.payloads(splits.train)
    prepare = half.fitted(payloads, dataset.fields, settings.image_size)
    arrays, dev = prepare(payloads), prepare(dataset.payloads(splits.dev))
    torch.manual_seed(SEED)
    tower = half.tower(prepare, arrays, size=settings.size)
    if which == MULTI_SIMILARITY:
        loss, miner = losses.MultiSimilarityLoss(), miners.MultiSimilarityMiner()
    else:
        cosine = distances.CosineSimilarity()
        loss = losses.TripletMarginLoss(margin=MARGIN, distance=cosine)
        miner = miners.TripletMarginMiner(MARGIN, distance=cosine, type_of_triplets="semihard")
    common_functions.NUMPY_RANDOM = np.random.RandomState(SEED)
    k = planned.views_per_identity
    p = min(planned.identities_per_batch, len(np.unique(identities)))
    sampler = MPerClassSampler(identities, k, p * k, steps * p * k)
    views, rng = half.views(prepare), np.random.default_rng(SEED)

    def costs() -> Iterator[torch.Tensor]:
        drawn = np.fromiter(sampler, np.int64).reshape(-1, p * k)
        for idx in drawn:
            rows = tower(**tensors(views(take(arrays, idx), rng)))
            labels = torch.from_numpy(identities[idx])
            yield loss(rows, labels, miner(rows, labels))

    said = _learn(
        tower,
        costs,
        lambda: map_at_r(embed(tower, dev), dataset.identities[splits.dev]),
        planned,
        steps,
    )
    return lambda some: embed(tower, prepare(some)), said


def sentences(
    dataset: Dataset, splits: Splits, settings: TrainSettings, steps: int
) -> tuple[Encode, dict[str, Any]]:
    """The model and the ranking loss of sentence-transformers, on a pair of each identity."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    half = towers.trainable(dataset.modality, settings)
    identities = dataset.identities[splits.train]
    planned = _resolved(settings, half, identities)
    torch.manual_seed(SEED)
    folder = source.find(settings, Path()).folder
    model = SentenceTransformer(str(folder), device="cpu")
    loss = MultipleNegativesRankingLoss(model)
    payloads, dev = dataset.payloads(splits.train), dataset.payloads(splits.dev)
    rng = np.random.default_rng(SEED)
    of = [np.flatnonzero(identities == code) for code in np.unique(identities)]
    of = [group for group in of if len(group) > 1]
    p = min(planned.identities_per_batch, len(of))

    def costs() -> Iterator[torch.Tensor]:
        order = np.zeros(0, np.int64)
        for _ in range(steps):
            if len(order) < p:
                order = rng.permutation(len(of))
            batch, order = order[:p], order[p:]
            pairs = [rng.permutation(of[i])[:2] for i in batch]
            sides = [model.preprocess([payloads[pair[s]] for pair in pairs]) for s in (0, 1)]
            yield loss(sides, torch.zeros(p))

    def encode(some: list[Any]) -> Float32:
        return unit_rows(model.encode(some, show_progress_bar=False))

    said = _learn(
        model,
        costs,
        lambda: map_at_r(encode(dev), dataset.identities[splits.dev]),
        planned,
        steps,
    )
    return encode, said


def _resolved(settings: TrainSettings, half: towers.Trainable, identities: Int64) -> RunSettings:
    """What gemel's run takes: epochs, batch, rate, decay, warm-up."""
    return task.resolve(settings, half.defaults, n_identities=len(np.unique(identities)))


def _learn(
    network: nn.Module,
    costs: Callable[[], Iterator[torch.Tensor]],
    judge: Callable[[], float],
    plan: RunSettings,
    steps: int,
) -> dict[str, Any]:
    """Train in place; the epoch that is best on dev stays."""
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    total = plan.max_epochs * steps
    n_warm = max(1, round(plan.warmup_ratio * total))

    def share(step: int) -> float:
        if step < n_warm:
            return (step + 1) / n_warm
        return 0.5 + 0.5 * math.cos(math.pi * (step - n_warm) / max(1, total - n_warm))

    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    best, kept_epoch, epoch = judge(), 0, 0
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    while epoch < plan.max_epochs and epoch - kept_epoch < plan.patience:
        network.train()
        for cost in costs():
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            rate.step()
        network.eval()
        epoch, metric = epoch + 1, judge()
        if metric > best:
            best, kept_epoch = metric, epoch
            weights = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(weights)
    return {"epochs": epoch, "kept_epoch": kept_epoch, "dev_map_at_r": best}
