"""Recordings, as everything outside training knows them: a payload is the bytes of a sound file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import Float32, unit_rows
from gemel.data.dataset import Dataset
from gemel.data.sources import recordings
from gemel.data.sources.columns import Columns
from gemel.encode import modality
from gemel.encode.audio import waves, windows
from gemel.encode.audio.parts import AudioParts
from gemel.encode.audio.prepare import HINT, MAX_FRAMES, RATES, AudioPrepare, Heard, heard
from gemel.encode.audio.waves import WavePrepare
from gemel.encode.audio.windows import WindowPrepare
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.modality import Baseline, Payload, Prepare, packed_bytes, unpacked_bytes
from gemel.errors import InvalidInput

UNIT = 500_000
"""Samples that make a recording weigh 1: of 44,100 a second, 11 seconds."""
AUDIBLE, SECONDS = 16_000, 30
"""Samples a second, and seconds, of what a person is given to hear."""


class AudioModality(modality.Modality):
    """An item of a request is `{"audio": base64}`, or the base64 alone."""

    name = "audio"
    nouns = ("recording", "recordings")
    training = "gemel.train.towers.audio:AUDIO"
    on_command_line = "a sound file"

    def read(self, path: Path, said: Columns) -> Dataset:
        """The recordings below a folder; the first sub-folder is the identity."""
        return recordings.read(path, said)

    def prepare(self, spec: Mapping[str, Any]) -> Prepare:
        """Rate and length, as they were fitted; or what a pretrained network hears."""
        if spec.get("kind") == windows.KIND:
            return WindowPrepare.from_spec(spec)
        if spec.get("kind") == waves.KIND:
            return WavePrepare.from_spec(spec)
        return AudioPrepare.from_spec(spec)

    def pack(self, payload: Payload) -> Any:
        """The file in base64."""
        return packed_bytes(payload)

    def unpack(self, packed: Any) -> Payload:
        """The bytes of base64, which may be a data URL."""
        return unpacked_bytes(packed, where=self.name, hint=HINT)

    def payload(self, prepare: Prepare, item: Any) -> Payload:
        """The bytes of the file, decoded once to see that they can be."""
        return super().payload(prepare, {self.name: item} if isinstance(item, str) else item)

    def checked(self, prepare: Prepare, payload: Payload) -> Payload:
        """The bytes of the file, with what the network hears of it: decoded here and not again."""
        return heard(prepare, payload)

    def travelling(self, payload: Payload) -> Any:
        """The bytes of the file, and the arrays that the network takes."""
        made = payload.arrays if isinstance(payload, Heard) else {}
        rows = [(name, str(a.dtype), a.shape, a.tobytes()) for name, a in made.items()]
        return bytes(payload), rows

    def arrived(self, prepare: Prepare, said: Any) -> Payload:
        """The file, with those arrays."""
        file, rows = said
        if not rows:
            return file
        made = {name: np.frombuffer(row, kind).reshape(shape) for name, kind, shape, row in rows}
        return heard(prepare, file, made)

    def weight(self, item: Any) -> int:
        """Half millions of samples that its file says it has, or quarters of a megabyte."""
        try:
            file: bytes = self.unpack(item.get(self.name) if isinstance(item, Mapping) else item)
            return math.ceil(max(1, recordings.promised(file) / UNIT, len(file) / (256 << 10)))
        except InvalidInput:
            return 1  # reading it says what is wrong

    def work(self, prepare: Prepare, item: Any) -> float:
        """Quarters of a megabyte of its file; asked often, so nothing is decoded for it."""
        file = item.get(self.name) if isinstance(item, Mapping) else item
        return max(1, len(file) / (256 << 10)) if isinstance(file, str | bytes) else 1

    def schema(self, prepare: Prepare) -> dict[str, Any]:
        """An object with the file in base64."""
        audio = {"type": "string", "contentEncoding": "base64", "contentMediaType": "audio/*"}
        return {"type": "object", "properties": {self.name: audio}, "required": [self.name]}

    def parts(self, prepare: Prepare, payload: Payload) -> AudioParts:
        """Stretches of time, and halves of them."""
        if not isinstance(payload, bytes):
            raise InvalidInput("that is no recording")
        return AudioParts(payload)

    def sound(self, payload: Payload) -> bytes | None:
        """Its first half minute, as any browser plays it."""
        sound, rate = recordings.samples(payload, AUDIBLE)
        return recordings.wav(sound[: SECONDS * rate], rate)

    def baseline(
        self, prepare: Prepare, train: Iterable[Payload], payloads: Iterable[Payload]
    ) -> Baseline:
        """Mean and spread of each band, less what all recordings have in common."""
        if not isinstance(prepare, AudioPrepare):
            prepare = AudioPrepare(RATES[1], MAX_FRAMES)
        own = np.stack([_bands(prepare, payload) for payload in train])
        centre, spread = own.mean(axis=0), np.maximum(own.std(axis=0), 1e-6)
        rows = np.stack([_bands(prepare, payload) for payload in payloads])
        how = "cosine of the mean and the spread of each band of frequencies"
        return Baseline("bands", how, unit_rows((rows - centre) / spread), Cosine())

    def word(self, word: str, where: str) -> Any | None:
        """The sound file that the word is the path of."""
        path = modality.file_at(word)
        return None if path is None else self.item(path.read_bytes())

    def values(self, payload: Payload) -> dict[str, Any]:
        """How long it is, and how many samples a second it has."""
        sound, rate = recordings.samples(payload)
        return {"seconds": round(len(sound) / rate, 2), "rate": rate}


def _bands(prepare: Prepare, payload: Payload) -> Float32:
    """Mean and standard deviation of each band over the frames: (2 bands,) float32."""
    mel = prepare([payload])["mel"][0].astype(np.float32)
    frames = mel[mel.any(axis=1)]
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


AUDIO = AudioModality()
