"""Where a network learns: the CPU, or a card that is there; towers that run on either."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.encode import voices
from torch import nn

from gemel.data import records
from gemel.data.schema import Field
from gemel.data.splits import by_identity
from gemel.errors import ConfigError
from gemel.release.run import named_by
from gemel.settings import TrainSettings
from gemel.train import fit, task, towers
from gemel.train.arrays import Arrays, tensors
from gemel.train.scale import processor, ranks

ROWS = [
    {"name": f"{a}{b}nd", "year": f"19{i}{j}"}
    for i, a in enumerate("abc")
    for j, b in enumerate("aei")
]
FIELDS = (Field("name", "text"), Field("year", "number"))


def sees(monkeypatch: pytest.MonkeyPatch, *, card: bool, torchrun: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: card)
    monkeypatch.setattr(ranks, "are_launched", lambda: torchrun)


def test_a_card_is_taken_where_torch_sees_one_and_nobody_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for card in (False, True):
        sees(monkeypatch, card=card)
        assert processor.chosen(None) == ("cuda" if card else "cpu")
        assert processor.chosen("cpu") == "cpu"
    assert processor.chosen("cuda") == "cuda"


def test_processes_that_share_a_batch_learn_on_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    sees(monkeypatch, card=True, torchrun=True)
    assert processor.chosen(None) == "cpu"
    with pytest.raises(ConfigError, match="on CPUs only"):
        processor.chosen("cuda")


def test_a_card_that_is_named_and_missing_is_said_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sees(monkeypatch, card=False)
    dataset = records.from_rows(
        [dict(row) for row in ROWS for _ in range(2)],
        identities=[str(i) for i in range(len(ROWS)) for _ in range(2)],
        fields=FIELDS,
    )
    sides = by_identity(dataset, dev=0.3, eval=0.2, seed=0)
    with pytest.raises(ConfigError, match=r"torch .*(sees no card|without support)") as said:
        fit.train(dataset, sides, TrainSettings(device="cuda"), tmp_path / "run")
    assert said.value.where == "train.device"
    assert not (tmp_path / "run").exists()


def test_a_device_that_nobody_names_changes_no_name_of_a_run() -> None:
    assert "device" not in named_by(TrainSettings())
    plain, cpu, cuda = (
        named_by(task.resolve(TrainSettings(device=d), towers.Defaults(), n_drawn=9))
        for d in (None, "cpu", "cuda")
    )
    assert plain == cpu and {**plain, "device": "cuda"} == cuda


def rows() -> tuple[nn.Module, Arrays]:
    return made("row", ROWS, FIELDS)


def texts() -> tuple[nn.Module, Arrays]:
    return made("text", [row["name"] for row in ROWS], ())


def images() -> tuple[nn.Module, Arrays]:
    rng = np.random.default_rng(0)
    drawn = [Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)) for _ in range(9)]
    files = [io.BytesIO() for _ in drawn]
    for image, file in zip(drawn, files, strict=True):
        image.save(file, "PNG")
    return made("image", [file.getvalue() for file in files], ())


def recordings() -> tuple[nn.Module, Arrays]:
    return made("audio", [voices.said(100.0 + 20 * i, i) for i in range(9)], ())


def spectra() -> tuple[nn.Module, Arrays]:
    from transformers import ASTFeatureExtractor

    from gemel.train.backbones import spectrum

    heard = spectrum.heard(ASTFeatureExtractor(max_length=20, num_mel_bins=16))
    wave = np.random.default_rng(0).standard_normal((2, heard.length), np.float32)
    return heard, {"wave": wave, "samples": np.array([heard.length, 700])}


def made(modality: str, payloads: list[Any], fields: tuple[Field, ...]) -> tuple[nn.Module, Arrays]:
    """A tower and what it takes."""
    half = towers.trainable(modality, TrainSettings(), Path())
    prepare = half.fitted(payloads, fields, 0)
    arrays = prepare(payloads)
    return half.tower(prepare, arrays, size="tiny"), arrays


@pytest.mark.parametrize("make", [rows, texts, images, recordings, spectra])
def test_a_network_makes_nothing_on_another_device_than_its_own(
    make: Callable[[], tuple[nn.Module, Arrays]],
) -> None:
    network, arrays = make()
    # The device "meta" refuses to meet tensors of the CPU, as a card would.
    out = network.to("meta").train()(**tensors(arrays, "meta"))
    assert out.device.type == "meta"
