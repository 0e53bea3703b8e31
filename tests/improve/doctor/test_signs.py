"""Signs are seen where they were put."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.data.pairing import Pairing
from gemel.encode.comparators.cosine import Cosine
from gemel.improve.doctor import suspects
from gemel.improve.doctor.signs import alignment, signs, uniformity
from gemel.release.run import Batches, Epoch, RunSettings, Training


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def training(batches: Batches | None = None) -> Training:
    settings = RunSettings(
        threads=1, loss="triplet", mining="all", margin="hard", identities_per_batch=8,
        views_per_identity=4, max_epochs=4, patience=2, learning_rate=0.03, warmup_ratio=0.1,
        weight_decay=0.0, averaging=0.0, size="small", seed=0,
    )  # fmt: skip
    history = (Epoch(0, None, 0.1, 0.0, 4.0), Epoch(1, 1.0, 0.4, 0.0, 4.0, batches))
    return Training(
        settings=settings, history=history, parity=0.0, learning_seconds=1.0, n_weights=1,
        n_train=1, n_dev=1, seconds=1.0, torch="2",
    )  # fmt: skip


def spoilt(train: np.ndarray, dev: np.ndarray, batches: Batches | None = None) -> dict[str, tuple]:
    who = np.repeat(np.arange(len(dev) // 2), 2)
    found = signs(training(batches), (train, who), (dev, who), Cosine())
    return {s.name: s.settings for s in found if not s.fine}


def test_a_healthy_space_has_no_sign() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 12)).repeat(2, 0)
    x = unit(centres + 0.3 * rng.normal(size=centres.shape))
    active = Batches(active=0.2, hardness=(-0.5, -0.3, 0.1), dominated_by=(("p", 0.05),))
    assert spoilt(x, x, active) == {}
    assert uniformity(x) == pytest.approx(-3.1, abs=0.5)
    close = alignment(x, np.repeat(np.arange(60), 2))
    assert close is not None and close < 0.3


def test_a_point_a_line_train_by_heart_and_easy_batches_are_seen() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(120, 12))
    point = unit(1.0 + 0.01 * noise)
    found = spoilt(point, point, Batches(active=0.001, hardness=(-0.9, -0.8, -0.7)))
    assert found["collapse"] == ("[train]", "learning_rate = 0.01", "identities_per_batch = 16")
    assert found["spread"] and found["negatives"] == ("[train]", 'mining = "hard"')
    known = unit(noise[::2].repeat(2, 0))
    assert spoilt(known, unit(noise))["by heart"] == ("[train]", "max_epochs = 1")


def test_a_swapped_label_is_the_first_suspect() -> None:
    rng = np.random.default_rng(1)
    x = unit(unit(rng.normal(size=(30, 8))).repeat(3, 0) + 0.1 * rng.normal(size=(90, 8)))
    who = np.arange(30).repeat(3)
    who[4] = 20
    first = suspects.of_identities(x, who, Cosine(), n=3)[0]
    assert first.record == 4 and first.stranger in (3, 5)
    assert first.own is not None and first.score > first.own


def test_a_pair_that_was_answered_wrongly_is_the_first_suspect() -> None:
    rng = np.random.default_rng(2)
    x = unit(rng.normal(size=(20, 8)).repeat(2, 0) + 0.2 * rng.normal(size=(40, 8)))
    mates = np.arange(40).reshape(-1, 2)
    others = np.stack([np.arange(0, 38, 2), np.arange(2, 40, 2)], 1)
    same = np.r_[np.ones(20, bool), np.zeros(19, bool)]
    same[5] = False
    pairing = Pairing(given=np.concatenate([mates, others]), same=same)
    first = suspects.of_pairs(x, pairing, Cosine(), n=3)[0]
    assert (first.record, first.stranger) == (10, 11)
