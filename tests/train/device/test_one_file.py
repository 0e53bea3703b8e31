"""Encoders with their preprocessing in one file give what the releases give, also in a browser."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from onnx import helper, parser
from PIL import Image
from tests.encode import voices
from tests.train.device import browser

from gemel.encode.audio.prepare import AudioPrepare, samples
from gemel.encode.audio.waves import WavePrepare, Waves
from gemel.encode.audio.windows import WindowPrepare
from gemel.encode.encoder import Encoder
from gemel.encode.modality import Prepare
from gemel.train import export, towers
from gemel.train.device.one_file import FORMS, in_front, one_file

LIMIT = 1e-4
SIDES = ((24, 24), (60, 100), (211, 37), (8, 8), (320, 240), (5, 90))
SECONDS = (0.1, 0.45, 1.0, 3.1, 9.7)


DRAWN = parser.parse_model("""
    <ir_version: 10, opset_import: ["" : 18]>
    drawn (float[n, 1, 24, 24] image) => (float[n, 576] unit_rows)
    <int64[2] flat = {-1, 576}>
    { rows = Reshape(image, flat) unit_rows = LpNormalization<axis = 1, p = 2>(rows) }
""").SerializeToString()
"""What shows each pixel of a grey image that was prepared."""


@dataclass(frozen=True)
class Made:
    """An encoder and its one file, with records as files and as a device has them."""

    encoder: Encoder
    file: bytes
    name: str
    payloads: list[bytes]
    inputs: list[NDArray[Any]]


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def pictures(sides: Sequence[tuple[int, int]], *, colour: bool) -> list[Image.Image]:
    """Smooth patterns of these sizes."""
    out = []
    for i, side in enumerate(sides):
        blocks = np.random.default_rng(i).integers(0, 255, (5, 7, 3 if colour else 1))
        small = Image.fromarray(blocks.repeat(1 if colour else 3, 2).astype(np.uint8))
        out.append(small.resize(side, Image.Resampling.BICUBIC))
    return out


def sounds(rate: int) -> list[bytes]:
    """Recordings of many lengths; of one the second half is a pause."""
    made = [voices.said(90 + 40 * i, i, seconds=s, rate=rate) for i, s in enumerate(SECONDS)]
    return [*made, voices.said(140, 9, seconds=2.0, rate=rate, pause=1.0)]


def network(kind: str, prepare: Prepare, learned_from: list[bytes]) -> bytes:
    """An exported tower, in which nothing is zero."""
    half, arrays = towers.trainable(kind), prepare(learned_from)
    torch.manual_seed(0)
    tower = half.tower(prepare, arrays, size="tiny")
    for weight in tower.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    return export.export(tower, arrays)[0]


@pytest.fixture(scope="module")
def images() -> list[Made]:
    made = []
    for colour in (False, True):
        learned_from = [png(p) for p in pictures(((30, 40),) * 8, colour=colour)]
        prepare = towers.trainable("image").fitted(learned_from, (), 24)
        model = network("image", prepare, learned_from) if colour else DRAWN
        shown = pictures(SIDES, colour=colour)
        pixels = [np.asarray(image) for image in shown]
        file = one_file(prepare, model).model
        made.append(Made(Encoder(prepare, model), file, "pixels", list(map(png, shown)), pixels))
    return made


@pytest.fixture(scope="module")
def recordings() -> list[Made]:
    made, model = [], b""
    for voiced in (False, True):
        prepare = AudioPrepare(8000, 200, voiced=voiced)
        heard = sounds(8000)
        model = model or network("audio", prepare, heard)
        sound = [samples(payload, 8000)[0] for payload in heard]
        file = one_file(prepare, model).model
        made.append(Made(Encoder(prepare, model), file, "sound", heard, sound))
    return made


def found_in(made: Made) -> NDArray[np.float32]:
    """What ONNX Runtime makes of the records as a device has them."""
    session = onnxruntime.InferenceSession(made.file)
    return np.concatenate([session.run(None, {made.name: value})[0] for value in made.inputs])


def test_one_file_gives_what_the_encoder_gives(images: list[Made], recordings: list[Made]) -> None:
    for made in (*images, *recordings):
        assert_allclose(found_in(made), made.encoder.encode(made.payloads), atol=LIMIT, rtol=0)


def test_a_browser_gives_what_onnx_runtime_gives_here(
    images: list[Made], recordings: list[Made], tmp_path: Path
) -> None:
    browser.require()
    tasks = [(made.file, made.name, made.inputs) for made in (*images, *recordings)]
    for made, rows in zip((*images, *recordings), browser.rows(tasks, tmp_path), strict=True):
        assert_allclose(rows, found_in(made), atol=LIMIT, rtol=0)


WAVES = Waves(rate=16_000, length=14_000, windows=3)
SILENT = Waves(rate=16_000, length=14_000, windows=2, short="silent")


@pytest.mark.parametrize("said", [WAVES, SILENT])
def test_windows_of_waves_are_those_of_the_preprocessing(said: Waves) -> None:
    prepare = WavePrepare(said)
    for payload in sounds(16_000):
        for name, array in device_arrays(prepare, payload, 16_000).items():
            assert_array_equal(array, prepare([payload])[name])


def test_windows_of_speech_are_those_of_the_preprocessing() -> None:
    prepare = WindowPrepare()
    for payload in sounds(16_000):
        wanted = prepare([payload])["voice"]
        found = device_arrays(prepare, payload, 16_000)["voice"]
        assert_allclose(found, wanted, atol=1e-6 * wanted.max(), rtol=0)


@pytest.mark.parametrize("rate", [8_000, 16_000])
@pytest.mark.parametrize("kept", [{}, {"voiced": True}, {"trimmed": True}])
def test_levels_are_those_of_the_preprocessing(rate: int, kept: dict[str, bool]) -> None:
    prepare = AudioPrepare(rate, 90, **kept)
    for payload in sounds(rate):
        wanted = prepare([payload])["mel"]
        assert_array_equal(device_arrays(prepare, payload, rate)["mel"], wanted)


def device_arrays(prepare: Prepare, payload: bytes, rate: int) -> dict[str, NDArray[Any]]:
    """What the graph in front of a network makes of a recording."""
    like = helper.make_model(
        helper.make_graph([], "none", [], []),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    graph = FORMS[type(prepare)](prepare)
    session = onnxruntime.InferenceSession(in_front(graph, like).SerializeToString())
    found = session.run(list(graph.gives), {"sound": samples(payload, rate)[0]})
    return dict(zip(graph.gives, found, strict=True))
