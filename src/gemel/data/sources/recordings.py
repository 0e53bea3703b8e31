"""Folders of recordings, and the sound in the bytes of one."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import Float32
from gemel.data.dataset import Dataset
from gemel.data.sources import folders
from gemel.data.sources.columns import Columns
from gemel.errors import ConfigError

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au")
UNREAD = (".m4a", ".aac", ".wma", ".amr", ".webm", ".mp4", ".mov", ".mkv")
MAX_LEVEL = 1e6
"""Of a sample; floats that were never scaled down are within 32768."""
MAX_SECONDS = 600
MIN_SECONDS = 0.1
MAX_SAMPLES = 1 << 27
"""Samples of all channels that a file may promise: more is a bomb, or no recording of speech."""

PIPED = 0x7FFF_0000
"""Bytes of sound from which on a head of WAV is one of which the length was not known."""


class Unusable(Exception):
    """The bytes are no recording that can be compared; says why."""


def read(path: Path, said: Columns) -> Dataset:
    """The recordings below a folder; see `folders.read`.

    Raises:
        ConfigError: the package that reads them is not installed.
    """
    _reader()
    return folders.read(path, said, KIND)


def samples(data: bytes, rate: int = 0) -> tuple[Float32, int]:
    """The sound of a file in one channel, and its rate.

    Args:
        data: bytes of a WAV, FLAC, OGG, MP3, AIFF or AU file.
        rate: samples a second that it is brought to; 0: as it is.
    Returns:
        (n,) float32 about within [-1, 1], channels averaged; and samples a second.
    Raises:
        Unusable: broken, another format, shorter than .1 or longer than 600 seconds.
        ConfigError: the package that reads them is not installed.
    """
    soundfile = _reader()
    if is_cut_short(data):
        raise Unusable("cut short: its head announces more sound than there is")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            own, n = int(file.samplerate), int(file.frames)
            if n / own > MAX_SECONDS or n * file.channels > MAX_SAMPLES:
                raise Unusable(f"{n / own:,.0f} seconds, at most {MAX_SECONDS} are read")
            channels = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, ValueError, RuntimeError, TypeError) as e:
        raise Unusable("no recording that can be read") from e
    if len(channels) < MIN_SECONDS * own:
        raise Unusable(f"{len(channels) / own:.2f} seconds, at least {MIN_SECONDS} are needed")
    if not (channels.min() >= -MAX_LEVEL and channels.max() <= MAX_LEVEL):
        raise Unusable("samples that are no numbers, or none of a sound")
    return at_rate(channels.mean(axis=1), own, rate)


def wav(sound: Float32, rate: int, subtype: str = "PCM_16") -> bytes:
    """A WAV file of samples, as `soundfile` calls what they are written in."""
    file = io.BytesIO()
    _reader().write(file, sound, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def at_rate(sound: Float32, own: int, rate: int) -> tuple[Float32, int]:
    """A sound brought to a rate, and that rate; 0: as it is.

    Args:
        sound: (n,) float32.
        own: samples a second that it has.
        rate: that it is brought to.
    """
    if rate and rate != own:
        from scipy.signal import resample_poly

        common = math.gcd(rate, own)
        sound = resample_poly(sound, rate // common, own // common).astype(np.float32)
    return np.ascontiguousarray(sound, np.float32), rate or own


def is_cut_short(data: bytes) -> bool:
    """Whether a WAV file ends before its sound does; of other formats only FLAC is refused then.

    A head that was written before the sound, to a pipe, says nothing or as much as can be said.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return False
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return len(data) - at - 8 < size - 1 < PIPED
        at += 8 + size + size % 2
    return False


def promised(data: bytes) -> int:
    """Samples of all channels that a file says it has, found without reading them; 0 if none."""
    soundfile = _reader()
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            return int(file.frames) * int(file.channels)
    except (soundfile.SoundFileError, ValueError, RuntimeError, TypeError):
        return 0


def fault(data: bytes) -> str:
    """Why the bytes are no usable recording; empty if they are."""
    try:
        sound, _ = samples(data)
    except Unusable as e:
        return str(e)
    return "" if np.abs(sound).max() > 1e-5 else "silence"


def _reader() -> Any:
    try:
        import soundfile
    except ImportError as e:
        hint = "pip install 'gemel[audio]'"
        raise ConfigError("reading recordings takes the package soundfile", hint=hint) from e
    return soundfile


KIND = folders.Kind(
    "audio",
    SUFFIXES,
    ("recording", "recordings"),
    fault,
    unread=(UNREAD, "save it as WAV, FLAC, OGG or MP3"),
)
