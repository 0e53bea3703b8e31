"""Graded pairs teach a network of sentence-transformers the same weights, here and over there."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gemel.arrays import unit_rows
from gemel.data.pairing import Pairing
from gemel.data.sampler import GivenPairs
from gemel.encode.text.tokens import TokenPrepare
from gemel.train import loop
from gemel.train.arrays import embed
from gemel.train.backbones import sentence
from gemel.train.given import AsGiven
from gemel.train.losses import named

SYLLABLES = [a + b for a in "bcdfg" for b in "aeiou"]
N_PAIRS, OF_A_BATCH, RATE, DECAY, WARM = 24, 4, 0.01, 0.1, 0.2


def material() -> tuple[list[str], Pairing]:
    """Texts of several lengths, one of them in many pairs, with grades of which some are equal."""
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(SYLLABLES, n)) for n in rng.integers(1, 9, 2 * N_PAIRS)]
    given = np.arange(2 * N_PAIRS).reshape(N_PAIRS, 2)
    given[::5, 0] = 0
    grade = rng.integers(0, 6, N_PAIRS) / 5
    return texts, Pairing(given=given, same=grade >= 0.8, grade=grade, same_from=0.8)


def theirs(folder: Path, texts: list[str], pairing: Pairing, batches: list[Any]) -> Any:
    """Their model after one epoch in a plain loop."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import CoSENTLoss

    assert pairing.given is not None and pairing.grade is not None
    model = without_dropout(SentenceTransformer(str(folder), device="cpu"))
    loss, n_warm = CoSENTLoss(model), round(WARM * len(batches))
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    for step, idx in enumerate(batches):
        share = (step - n_warm) / (len(batches) - n_warm)
        warm = (step + 1) / n_warm
        rate = warm if step < n_warm else 0.5 + 0.5 * math.cos(math.pi * share)
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate
        sides = [model.preprocess([texts[i] for i in pairing.given[idx, s]]) for s in (0, 1)]
        cost = loss(sides, torch.from_numpy(pairing.grade[idx]).float())
        optimizer.zero_grad()
        torch.autograd.backward(cost)
        nn.utils.clip_grad_norm_(model.parameters(), loop.MAX_GRADIENT)
        optimizer.step()
    return model.eval()


def without_dropout(network: Any) -> Any:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network.train()


def test_an_epoch_of_graded_pairs_is_that_of_sentence_transformers(tiny_model: Path) -> None:
    texts, pairing = material()
    assert pairing.given is not None
    recipe = sentence.read(tiny_model, "truncate")
    tower = without_dropout(sentence.load(recipe))
    arrays = TokenPrepare(recipe.tokens)(texts)
    before = embed(tower, arrays)
    identities = np.arange(len(texts))
    rising = iter([0.0, 1.0])
    loop.fit(
        tower,
        loop.Material(arrays, identities, arrays, identities),
        GivenPairs(pairing.given, OF_A_BATCH, 7),
        loop.Objective(
            AsGiven.of(named("cosent"), "cosent", pairing, identities), lambda *_: next(rising)
        ),
        loop.Plan(max_epochs=1, learning_rate=RATE, weight_decay=DECAY, warmup_ratio=WARM, seed=7),
    )
    # Of pairs of each position with itself the sampler says which ones it draws.
    nth = np.repeat(np.arange(N_PAIRS)[:, None], 2, axis=1)
    batches = list(GivenPairs(nth, OF_A_BATCH, 7))
    there = theirs(tiny_model, texts, pairing, batches)
    expected = unit_rows(there.encode(texts, show_progress_bar=False))
    assert abs(embed(tower, arrays) - expected).max() < 1e-3
    assert abs(before - expected).max() > 0.1
