"""Records that reach a backbone otherwise than its folder says are told, with what mends it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.encode import voices
from tests.train.backbones.test_image import files

from gemel.settings import TrainSettings
from gemel.train import towers
from gemel.train.backbones.mismatch import mismatches

VIT = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
EXTRACTOR = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 16_000}
DESCRIBED = "preprocessor_config.json"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / DESCRIBED).write_text(json.dumps(VIT))
    return tmp_path


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    (tmp_path / DESCRIBED).write_text(json.dumps(EXTRACTOR))
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
    return tmp_path


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_size_of_ones_own_and_other_statistics_are_seen(images: Path) -> None:
    settings, shown = TrainSettings(backbone=str(images)), files(4)
    half = towers.trainable("image", settings)
    as_taught = half.fitted(shown, (), 0)
    assert mismatches(settings, as_taught, shown) == []
    (size,) = mismatches(settings, half.fitted(shown, (), 16), shown)
    assert size.what == "side in pixels: 16, and the network was taught with 32"
    assert size.settings == ("[train]", "image_size = 0")
    change(images / DESCRIBED, image_mean=[0.1, 0.2, 0.3])
    (mean,) = mismatches(settings, as_taught, shown)
    assert mean.what.startswith("mean of the channels: [0.5, 0.5, 0.5], and")
    assert mean.settings == ("[train]", f'backbone = "{images}"  # and train again')


def test_small_letters_are_seen(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    settings, texts = TrainSettings(backbone=str(folder)), ["One text", "Another"]
    prepare = towers.trainable("text", settings).fitted(texts, (), 0)
    assert mismatches(settings, prepare, texts) == []
    lengths = {"max_seq_length": 16, "do_lower_case": True}
    (folder / "sentence_bert_config.json").write_text(json.dumps(lengths))
    found = {m.what for m in mismatches(settings, prepare, texts)}
    assert "small letters: off, and the network was taught with on" in found


def test_recordings_that_lack_the_high_half_are_seen(sounds: Path) -> None:
    settings = TrainSettings(backbone=str(sounds))
    good, poor = ([voices.said(140, i, rate=r) for i in range(3)] for r in (16_000, 8_000))
    prepare = towers.trainable("audio", settings).fitted(good, (), 0)
    assert mismatches(settings, prepare, good) == []
    (lacking,) = mismatches(settings, prepare, poor)
    assert lacking.what.startswith("most recordings have 8,000 samples a second")
    assert lacking.settings == ("[train]", 'backbone = ""')
    change(sounds / DESCRIBED, sampling_rate=8_000)
    (rate,) = mismatches(settings, prepare, good)
    assert rate.what == "samples a second: 16000, and the network was taught with 8000"
