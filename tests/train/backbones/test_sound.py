"""Recordings by networks of `transformers`, here with random weights: as they are there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose
from tests.encode import voices

from gemel.cli.main import run
from gemel.data import records, splits
from gemel.encode.audio.prepare import samples
from gemel.encode.audio.waves import WavePrepare
from gemel.encode.encoder import Encoder
from gemel.errors import ConfigError
from gemel.gallery.gallery import Gallery
from gemel.release.store import Store
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.settings import TrainSettings, Tune
from gemel.testing import check_encoder
from gemel.train import towers
from gemel.train.arrays import embed
from gemel.train.backbones.frozen import Frozen
from gemel.train.fit import train

RATE = 16_000
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": 0.2,
}


def wav2vec2(folder: Path) -> Path:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    config = Wav2Vec2Config(
        **SMALL, conv_dim=[8] * 7, num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    config = WhisperConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_source_positions=50,
        vocab_size=20,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        init_std=0.2,
    )
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor(chunk_length=1).save_pretrained(folder)
    return folder


def spectrogram(folder: Path) -> Path:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

    size = {"max_length": 64, "num_mel_bins": 32}
    ASTModel(ASTConfig(**SMALL, **size)).save_pretrained(folder)
    ASTFeatureExtractor(**size).save_pretrained(folder)
    return folder


KINDS: dict[str, Callable[[Path], Path]] = {
    "wav2vec2": wav2vec2,
    "whisper": whisper,
    "spectrogram": spectrogram,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {name: make(tmp_path_factory.mktemp(name)) for name, make in KINDS.items()}


def theirs(folder: Path, sound: np.ndarray) -> np.ndarray:
    """The row that the library's own preprocessing and network give."""
    from transformers import AutoFeatureExtractor, AutoModel

    extractor = AutoFeatureExtractor.from_pretrained(folder)
    inputs = extractor(sound, sampling_rate=RATE, return_tensors="pt")
    network = AutoModel.from_pretrained(folder).eval()
    network = network.get_encoder() if network.config.is_encoder_decoder else network
    with torch.no_grad():
        seen = network(**inputs)
    row = getattr(seen, "pooler_output", None)
    if row is None:
        hidden = seen.last_hidden_state[0]
        heard = -(-len(sound) // 320) if "input_features" in inputs else len(hidden)
        row = hidden[:heard].mean(dim=0)
    row = row.numpy().reshape(-1)
    return np.asarray(row / np.linalg.norm(row))


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_is_heard_as_the_library_hears_it(folders, kind: str) -> None:
    half = towers.trainable("audio", TrainSettings(backbone=str(folders[kind]), tune="none"))
    seconds = 0.6 if kind != "wav2vec2" else 1.0
    payload = voices.said(140.0, 3, seconds=seconds, rate=RATE)
    prepare = half.fitted([payload], (), 0)
    assert isinstance(prepare, WavePrepare)
    arrays = prepare([payload])
    tower = half.tower(prepare, arrays, size="small")
    assert isinstance(tower, Frozen)
    own = embed(tower.backbone, arrays)[0]
    assert_allclose(own, theirs(folders[kind], samples(payload, RATE)[0]), atol=2e-5)


def test_windows_cover_a_long_recording_and_a_short_one_is_heard_again(folders) -> None:
    backbone = TrainSettings(backbone=str(folders["wav2vec2"]), tune="none")
    half = towers.trainable("audio", backbone)
    long = [voices.said(140.0, i, seconds=25.0) for i in range(2)]
    prepare = half.fitted(long, (), 0)
    assert isinstance(prepare, WavePrepare)
    assert prepare.said.windows == 3 and prepare.said.length == 10 * RATE
    assert WavePrepare.from_spec(prepare.spec()).spec() == prepare.spec()
    found = prepare([long[0], voices.said(140.0, 0, seconds=4.0)])
    assert found["samples"].tolist() == [[10 * RATE] * 3, [10 * RATE, 0, 0]]
    whole = samples(long[0], RATE)[0]
    assert np.array_equal(found["wave"][0, 2], whole[-10 * RATE :])
    assert np.array_equal(found["wave"][1, 0, : 4 * RATE], found["wave"][1, 0, 4 * RATE : 8 * RATE])


def test_from_a_folder_to_a_service_and_a_device(
    folders,
    recorded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = (f"train.backbone={folders['wav2vec2']}", "train.max_epochs=1")
    words = [w for setting in (*settings, "split.crossed=false") for w in ("--set", setting)]
    for command in (["init", str(recorded), "--kind", "audio"], ["train"], ["calibrate"]):
        assert run([*command, *words]) == 0
    (release,) = Store(".gemel").list()
    opened = Store(".gemel").get(release.id)
    payloads = [path.read_bytes() for path in sorted(recorded.rglob("*.wav"))[:5]]
    check_encoder(opened.encoder, payloads, bad=[b"", b"RIFF"])
    item = {"audio": base64.b64encode(payloads[0]).decode()}
    space = {"space_id": opened.space_id, "dim": opened.encoder.dim}
    with (
        Gallery.open(tmp_path / "g", **space) as gallery,
        running(create_app(Service(opened, gallery))) as url,
    ):
        body = {"left": item, "right": item}
        reply = httpx.post(f"{url}/v1/verify", json=body, timeout=30)
    assert reply.status_code == 200 and reply.json()["score"] == pytest.approx(1, abs=1e-4)
    told_by_doctor(capsys, words)
    assert run(["export", release.id, "-o", "device.onnx"]) == 0
    session = onnxruntime.InferenceSession("device.onnx")
    (row,) = session.run(None, {"sound": samples(payloads[0], RATE)[0]})
    assert_allclose(row, opened.encoder.encode(payloads[:1]), atol=1e-4)


@pytest.mark.parametrize(("kind", "tune"), [("whisper", "all"), ("spectrogram", "lora")])
def test_more_than_a_layer_behind_it_is_trained(
    folders, recorded: Path, kind: str, tune: Tune, tmp_path: Path
) -> None:
    dataset = records.read(recorded, kind="audio")
    settings = TrainSettings(backbone=str(folders[kind]), tune=tune, max_epochs=1)
    trained = train(dataset, splits.by_identity(dataset), settings, tmp_path / "run")
    assert trained.training.parity < 1e-4
    check_encoder(Encoder.open(trained.encoder), dataset.payloads(range(5)))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve voices, three recordings of each, of 8,000 samples a second."""
    folder = tmp_path_factory.mktemp("recorded")
    for i, pitch in enumerate(np.geomspace(80, 320, 12)):
        (folder / f"v{i}").mkdir()
        for j in range(3):
            (folder / f"v{i}" / f"{j}.wav").write_bytes(voices.said(float(pitch), 10 * i + j))
    return folder


def told_by_doctor(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """The recordings have 8,000 samples a second, which is half of what the network hears."""
    capsys.readouterr()
    assert run(["doctor", "--json", *words]) == 0
    signs = {s["name"]: s for s in json.loads(capsys.readouterr().out)["signs"]}
    assert signs["backbone"]["settings"] == ["[train]", 'backbone = ""']
    assert signs["copies"]["fine"] and signs["leakage"]["fine"]


def test_what_is_not_known_is_named(folders, tmp_path: Path) -> None:
    from transformers import ClvpFeatureExtractor

    ClvpFeatureExtractor().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "clvp"}')
    with pytest.raises(ConfigError, match="prepared by ClvpFeatureExtractor, which is not known"):
        towers.trainable("audio", TrainSettings(backbone=str(tmp_path)))
