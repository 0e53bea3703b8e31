"""Images by a pretrained network: the preprocessing it came with, and a layer that learns."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image

from gemel.encode.encoder import Encoder
from gemel.encode.image.prepare import ImagePrepare
from gemel.settings import TrainSettings
from gemel.testing import check_encoder
from gemel.train import export, towers
from gemel.train.arrays import embed
from gemel.train.backbones.frozen import Frozen


def files(n: int) -> list[bytes]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(n):
        file = BytesIO()
        Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(file, "png")
        made.append(file.getvalue())
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision transformer of `transformers` with random weights, for 32 x 32 pixels."""
    from transformers import ViTConfig, ViTModel

    out = tmp_path_factory.mktemp("vit")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = ViTConfig(
            image_size=32,
            patch_size=8,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            initializer_range=0.2,
        )
        ViTModel(config).save_pretrained(out)
    said = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (out / "preprocessor_config.json").write_text(json.dumps(said))
    return out


def test_a_folder_of_transformers_encodes_images_as_it_does_there(folder: Path) -> None:
    from transformers import ViTModel

    half = towers.trainable("image", TrainSettings(backbone=str(folder), tune="head"))
    payloads = files(6)
    prepare = half.fitted(payloads, (), 0)
    assert isinstance(prepare, ImagePrepare)
    assert (prepare.size, prepare.mean, prepare.std) == (32, [0.5] * 3, [0.25] * 3)
    arrays = prepare(payloads)
    tower = half.tower(prepare, arrays, size="small")
    assert isinstance(tower, Frozen)
    network, _ = export.export(tower.whole(), arrays)
    encoder = Encoder(prepare, network)
    check_encoder(encoder, payloads, bad=[b"no image", 3])
    with torch.no_grad():
        image = torch.from_numpy(arrays["image"])
        theirs = ViTModel.from_pretrained(folder)(pixel_values=image).pooler_output.numpy()
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert_allclose(encoder.encode(payloads), theirs, atol=1e-5)


def test_what_a_backbone_makes_of_records_is_kept(folder: Path, tmp_path: Path) -> None:
    half = towers.trainable("image", TrainSettings(backbone=str(folder), tune="head"))
    payloads = files(3)
    prepare = half.fitted(payloads, (), 0)
    tower = half.tower(prepare, prepare(payloads), size="small")
    assert isinstance(tower, Frozen)
    first = tower.embedded(prepare, payloads, tmp_path)["rows"]
    (kept,) = tmp_path.iterdir()
    assert_allclose(first, embed(tower.backbone, prepare(payloads)), atol=1e-6)
    # What is in the file is what comes back: the network is not asked again.
    np.save(kept, np.zeros_like(first))
    assert not tower.embedded(prepare, payloads, tmp_path)["rows"].any()
    assert tower.embedded(prepare, payloads[:2], tmp_path)["rows"].any()


def test_lite0_computes_what_the_package_of_its_weights_does() -> None:
    # The figures are those of efficientnet-lite-pytorch 0.1.0.
    half = towers.trainable("image", TrainSettings(backbone="efficientnet-lite0", tune="none"))
    prepare = half.fitted(files(2), (), 32)
    tower = half.tower(prepare, prepare(files(2)), size="small")
    assert isinstance(tower, Frozen)
    network = tower.backbone.get_submodule("network")
    image = (0.01 * torch.arange(3 * 224 * 224)).sin().reshape(1, 3, 224, 224)
    with torch.no_grad():
        found = network(image)[0].topk(4)
    assert found.indices.tolist() == [576, 113, 455, 989]
    assert_allclose(found.values, [5.2404, 4.4684, 3.8104, 3.5470], atol=1e-3)
    assert half.licence == "Apache-2.0"
