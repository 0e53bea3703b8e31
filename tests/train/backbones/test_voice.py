"""A speaker encoder as it is; its weights here are random, those of the package are fetched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.encode import voices

from gemel.data import records, splits
from gemel.encode.audio.windows import LENGTH, N_WINDOWS, WindowPrepare
from gemel.encode.encoder import Encoder
from gemel.errors import ConfigError
from gemel.settings import TrainSettings
from gemel.testing import check_encoder
from gemel.train import towers
from gemel.train.backbones.voice import VoiceTower
from gemel.train.fit import train


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file as the package has it."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = VoiceTower().state_dict()
    state |= {"similarity_weight": torch.ones(1), "similarity_bias": torch.zeros(1)}
    torch.save({"step": 1, "model_state": state}, folder / "pretrained.pt")
    return folder


def test_a_layer_behind_it_is_trained_and_exported(weights: Path, tmp_path: Path) -> None:
    for i, pitch in enumerate(np.geomspace(80, 320, 10)):
        (tmp_path / "voices" / f"v{i}").mkdir(parents=True)
        for j in range(3):
            said = voices.said(float(pitch), 10 * i + j)
            (tmp_path / "voices" / f"v{i}" / f"{j}.wav").write_bytes(said)
    dataset = records.read(tmp_path / "voices", kind="audio")
    settings = TrainSettings(backbone=str(weights), max_epochs=1)
    run = train(dataset, splits.by_identity(dataset), settings, tmp_path / "runs" / "run")
    encoder = Encoder.open(run.encoder)
    assert encoder.dim == 256 and isinstance(encoder.prepare, WindowPrepare)
    check_encoder(encoder, dataset.payloads(range(7)), bad=[b"", b"RIFF"])
    assert run.report.training.parity < 1e-4


def test_windows_cover_a_recording_and_a_short_one_is_repeated() -> None:
    prepare = WindowPrepare.from_spec(WindowPrepare().spec())
    long, short = voices.said(120.0, 0, seconds=30.0), voices.said(120.0, 0, seconds=0.4)
    found = prepare([long, short])["voice"]
    there = found.max(axis=(2, 3)) > 0
    assert there.sum(axis=1).tolist() == [N_WINDOWS, 1]
    assert np.array_equal(found[1, 0, :41], found[1, 0, 41:82]), "it begins again"
    assert found.shape[2] == LENGTH


def test_what_is_no_speaker_encoder_is_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no weights of a speaker encoder, \*\.pt"):
        towers.trainable("audio", TrainSettings(backbone=str(tmp_path)))
    with pytest.raises(ConfigError, match="cannot be tuned by 'lora'"):
        towers.trainable("audio", TrainSettings(backbone=str(weights), tune="lora"))
    with pytest.raises(ConfigError, match="with their pauses"):
        towers.trainable("audio", TrainSettings(backbone=str(weights), skip_pauses=True))
    with pytest.raises(ConfigError, match="texts have no pauses"):
        towers.trainable("text", TrainSettings(skip_pauses=True))
