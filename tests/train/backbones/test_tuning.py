"""Pretrained networks trained in whole, or by additions to their layers, and exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from gemel.data import records
from gemel.data.splits import Splits
from gemel.encode.encoder import Encoder
from gemel.settings import TrainSettings
from gemel.train import fit, towers
from gemel.train.arrays import embed


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six folders of five pictures: a bar in a place of its own, and noise."""
    out = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for i in range(6):
        (out / f"bar{i}").mkdir()
        for j in range(5):
            pixels = rng.integers(0, 120, (24, 24, 3), dtype=np.uint8)
            pixels[4 * i : 4 * i + 4] += 120
            Image.fromarray(pixels).save(out / f"bar{i}" / f"{j}.png")
    return out


def saved(folder: Path, network: Any) -> Path:
    """A network of `transformers` as a folder, with what images it takes."""
    network.save_pretrained(folder)
    said = {"size": {"height": 24, "width": 24}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return folder


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        image_size=24,
        patch_size=8,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return saved(tmp_path_factory.mktemp("vit"), ViTModel(config))


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import ResNetConfig, ResNetModel

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return saved(tmp_path_factory.mktemp("resnet"), ResNetModel(config))


def trained(shapes: Path, backbone: str, into: Path, **settings: Any) -> tuple[Any, Encoder]:
    data = records.read(shapes)
    who = data.identities
    splits = Splits(*(np.flatnonzero(np.isin(who, part)) for part in ((0, 1, 2, 3), (4, 5), ())))
    run = fit.train(
        data,
        splits,
        TrainSettings(
            backbone=backbone,
            max_epochs=1,
            identities_per_batch=4,
            views_per_identity=4,
            **settings,
        ),
        into,
    )
    return run, Encoder.open(run.encoder)


@pytest.mark.parametrize(
    ("kind", "tune", "saving"),
    [
        ("attention", "lora", {"bf16": True, "gradient_checkpointing": True}),
        ("convolutions", "lora", {}),
        ("convolutions", "all", {"bf16": True, "chunk": 5}),
    ],
)
def test_a_network_for_images_is_tuned_and_what_it_learned_is_exported(
    kind: str,
    tune: str,
    saving: dict[str, Any],
    shapes: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    folder = str(request.getfixturevalue(kind))
    run, encoder = trained(shapes, folder, tmp_path, tune=tune, learning_rate=0.01, **saving)
    assert [e.epoch for e in run.training.history] == [0, 1]
    assert run.training.parity < 1e-4
    network = onnx.load(run.encoder / "encoder.onnx")
    assert onnx.TensorProto.BFLOAT16 not in {w.data_type for w in network.graph.initializer}
    assert b"lora" not in (run.encoder / "encoder.onnx").read_bytes()
    half = towers.trainable("image", TrainSettings(backbone=folder, tune="all"))
    payloads = records.read(shapes).payloads()[::5]
    arrays = encoder.prepare(payloads)
    before = embed(half.tower(encoder.prepare, arrays, size="small"), arrays)
    moved = abs(encoder.encode(payloads) - before).max()
    assert (moved > 1e-3) == (run.training.best.epoch == 1)
