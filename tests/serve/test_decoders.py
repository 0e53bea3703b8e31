"""Whatever bytes come, a decoder reads them or says what is wrong: no crash, hang or blow-up.

Sound bytes of each kind are cut, changed, doubled and spliced. `GEMEL_TEST_EXAMPLES` asks for more
of them than there is time for on every change.
"""

from __future__ import annotations

import base64
import io
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.serve.small import ROWS

from gemel.data.records import read as read_file
from gemel.encode import modality
from gemel.encode.audio.prepare import AudioPrepare
from gemel.encode.image.prepare import ImagePrepare
from gemel.errors import GemelError
from gemel.release.items import Items
from gemel.serve.grpc import inference, native
from gemel.serve.grpc.exchange import read
from gemel.serve.grpc.values import to_json
from gemel.serve.http.body import SMALL, Body
from gemel.serve.wire.enrolled import RecordsBody
from gemel.serve.wire.pairs import VerifyBatchBody

EXAMPLES = int(os.environ.get("GEMEL_TEST_EXAMPLES", "40"))
CPU_SECONDS = 5.0
"""For one input; fifty million pixels may be read."""
GROWTH = 700 << 20
"""Of the memory, in bytes, over all inputs of one decoder."""
Change = tuple[str, int, bytes]


class Decoder(NamedTuple):
    """What reads bytes, and bytes that it reads."""

    read: Callable[[bytes], Any]
    sound: list[bytes]


def picture(kind: str, mode: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (24, 20, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind)
    return file.getvalue()


def recording(kind: str, subtype: str | None = None) -> bytes:
    wave = np.sin(np.arange(4000) / 9) / 2
    file = io.BytesIO()
    soundfile.write(file, wave, 8000, format=kind, subtype=subtype)
    return file.getvalue()


def items(kind: str, prepare: Any) -> Callable[[bytes], Any]:
    """Reads an item of a request and makes the arrays of it."""
    reads = Items(modality.named(kind), prepare, None)

    def decode(sent: bytes) -> None:
        item = {kind: base64.b64encode(sent).decode()}
        prepare([reads.read(item, "left").payload])

    return decode


def in_base64(sent: bytes) -> None:
    reads = Items(modality.named("image"), ImagePrepare(16, 1, [0.5], [0.25]), None)
    reads.read({"image": sent.decode("latin-1")}, "left")


def json_lines(sent: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        file.write(sent)
        file.flush()
        read_file(Path(file.name))


def grpc_bodies() -> Decoder:
    classes = native.file().classes()
    kind = classes["RecordsRequest"]
    asked = kind()
    for i, row in enumerate(ROWS):
        new = asked.records.add(id=str(i))
        for name, value in row.items():
            into = new.payload.struct_value.fields[name]
            if isinstance(value, str):
                into.string_value = value
            else:
                into.number_value = value
    bodies = Body(RecordsBody)

    def decode(sent: bytes) -> None:
        bodies.read(to_json(read(kind, sent)))

    return Decoder(decode, [asked.SerializeToString()])


def grpc_tensors() -> Decoder:
    kind = inference.file().classes()["Infer"]
    texts = [json.dumps(row).encode() for row in ROWS]
    one = kind(model_name="gemel")
    one.inputs.add(name="input", datatype="BYTES", shape=[5]).contents.bytes_contents.extend(texts)
    two = kind(model_name="gemel")
    for name in ("left", "right"):
        two.inputs.add(name=name, datatype="BYTES", shape=[5])
        two.raw_input_contents.append(b"".join(len(t).to_bytes(4, "little") + t for t in texts))

    def decode(sent: bytes) -> None:
        inference.asked(read(kind, sent))

    return Decoder(decode, [one.SerializeToString(), two.SerializeToString()])


PAIRS = json.dumps({"pairs": [{"left": ROWS[0], "right": row} for row in ROWS]}).encode()
LINES = b"".join(json.dumps({"id": i, **row}).encode() + b"\n" for i, row in enumerate(ROWS * 4))
PICTURES = [
    picture(*one)
    for one in (
        ("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("JPEG", "RGB"), ("JPEG", "CMYK"),
        ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "RGB"), ("WEBP", "RGB"),
    )
]  # fmt: skip
RECORDINGS = [
    recording("WAV"), recording("WAV", "FLOAT"), recording("WAV", "ULAW"), recording("FLAC"),
    recording("OGG"), recording("MP3"),
]  # fmt: skip
DECODERS: dict[str, Callable[[], Decoder]] = {
    "json": lambda: Decoder(Body(VerifyBatchBody).read, [PAIRS]),
    "large json": lambda: Decoder(
        Body(VerifyBatchBody).read, [PAIRS.replace(b"anna0", b"anna" * (SMALL // 16))]
    ),
    "image": lambda: Decoder(items("image", ImagePrepare(16, 1, [0.5], [0.25])), PICTURES),
    "audio": lambda: Decoder(items("audio", AudioPrepare(8000, 64)), RECORDINGS),
    "base64": lambda: Decoder(in_base64, [base64.b64encode(PICTURES[0])]),
    "lines of json": lambda: Decoder(json_lines, [LINES]),
    "grpc": grpc_bodies,
    "grpc tensors": grpc_tensors,
}


SOME = st.binary(min_size=1, max_size=8) | st.sampled_from(
    [b"\xff" * 4, b"\x00" * 4, b"\x7f\xff\xff\xff", b'"', b"{", b"[" * 60, b"1e999", b"-"]
)
KINDS = st.sampled_from(["put", "insert", "cut", "double", "end"])
CHANGES = st.lists(st.tuples(KINDS, st.integers(0, 1 << 16), SOME), max_size=4)


def changed(sent: bytes, changes: list[Change]) -> bytes:
    for kind, number, new in changes:
        at = number % (len(sent) + 1)
        if kind == "put":
            sent = sent[:at] + new + sent[at + len(new) :]
        elif kind == "insert":
            sent = sent[:at] + new + sent[at:]
        elif kind == "cut":
            sent = sent[:at] + sent[at + len(new) :]
        elif kind == "double":
            sent = sent[:at] + sent[at // 2 :]
        else:
            sent = sent[:at]
    return sent


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_reads_or_refuses(name: str) -> None:
    decoder = DECODERS[name]()
    for sent in decoder.sound:
        decoder.read(sent)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES < 1000,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, len(decoder.sound)), st.binary(max_size=300), CHANGES)
    def feed(number: int, other: bytes, changes: list[Change]) -> None:
        sent = changed([other, *decoder.sound][number], changes)
        started = time.process_time()
        try:
            decoder.read(sent)
        except GemelError as error:
            assert error.status in (400, 413, 422), error
        assert time.process_time() - started < CPU_SECONDS

    feed()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < GROWTH
