"""Recordings to arrays: how loud each band of frequencies is, frame by frame.

Decode, average the channels, resample, log energies of mel bands (25 ms every 10 ms; the scale of
O'Shaughnessy, 1987). Each band is told relative to the loudest frames of the recording, so that
distance to the microphone does not matter. Of a long recording, even stretches are heard, which is
said in the spec: nothing is cut off at the end alone. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32
from gemel.data.schema import Field
from gemel.data.sources import recordings
from gemel.errors import DataError, InvalidInput, ReleaseError

N_BANDS = 40
WINDOW, STEP = 0.025, 0.010
"""Seconds."""
RATES = (8_000, 16_000)
RANGE = 80.0
"""Decibels below the loudest that are told apart; levels are thirds of a decibel, from 1."""
MIN_FRAMES, MAX_FRAMES = 50, 600
N_STRETCHES = 4
DOUBLE = "float64"
FITTED = 500
QUIET = 40.0
"""Decibels below the loud frames of a recording: what is quieter is a pause."""
HINT = 'send {"audio": base64} of a WAV, FLAC, OGG or MP3 file'


class Heard(bytes):
    """A sound file, with what a preprocessing made of it, so that it is decoded once.

    Attributes:
        by: that preprocessing.
        arrays: what it makes of the file, without the axis of a batch.
        sound: samples of one channel and their rate, until the arrays are made.
    """

    by: Any = None
    arrays: Mapping[str, NDArray[Any]] = {}
    sound: tuple[Float32, int] | None = None


class AudioPrepare:
    """Recordings to `mel` (n, frames, 40) uint8: 1 to 241 where there is a frame, else 0.

    Args:
        rate: samples a second.
        frames: hundredths of a second that are heard.
        voiced: pauses are left out before it is decided what is heard.
        trimmed: pauses before and after are; of releases of before they are heard.
        double: levels are computed in float64, as on devices; releases of before are in float32,
            where one level in 100,000 falls on the other side of a half.

    Attributes:
        taper: (width,) float32, of a frame.
        size: of its Fourier transform.
        bands: (size // 2 + 1, 40) float32, of power.
    """

    modality = "audio"
    fields: tuple[Field, ...] = ()

    def __init__(
        self,
        rate: int,
        frames: int,
        *,
        voiced: bool = False,
        trimmed: bool = False,
        double: bool = True,
    ) -> None:
        if rate not in RATES or not MIN_FRAMES <= frames <= MAX_FRAMES:
            raise DataError(f"rate {rate} and {frames} frames make no preprocessing")
        self.rate = rate
        self.frames = frames
        self.voiced = voiced
        self.trimmed = trimmed
        self.double = double
        self.size = 1 << int(WINDOW * rate - 1).bit_length()
        self.bands = _bands(rate, self.size)
        self.taper = np.hanning(int(WINDOW * rate)).astype(np.float32)

    @classmethod
    def fit(cls, payloads: Sequence[bytes], *, voiced: bool = False) -> AudioPrepare:
        """The rate that most recordings have and the length of nine of ten, within bounds.

        Raises:
            DataError: there are none.
            InvalidInput: one cannot be decoded.
        """
        if not len(payloads):
            raise DataError("no recordings to choose the preprocessing from")
        some = np.unique(np.linspace(0, len(payloads) - 1, FITTED).astype(int))
        sounds = [samples(payloads[i]) for i in some]
        rate = RATES[1] if np.median([r for _, r in sounds]) >= RATES[1] else RATES[0]
        seconds = float(np.percentile([len(sound) / r for sound, r in sounds], 90))
        frames = int(np.clip(round(seconds / STEP), MIN_FRAMES, MAX_FRAMES))
        return cls(rate, frames, voiced=voiced, trimmed=not voiced)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> AudioPrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: the spec is not one of recordings.
        """
        try:
            return cls(
                int(spec["rate"]),
                int(spec["frames"]),
                voiced=bool(spec.get("voiced", False)),
                trimmed=bool(spec.get("trimmed", False)),
                double=spec.get("numbers") == DOUBLE,
            )
        except (KeyError, TypeError, ValueError, DataError) as e:
            raise ReleaseError(f"this is no preprocessing of recordings: {e}") from e

    def spec(self) -> dict[str, Any]:
        """Everything that decides the arrays, as JSON values."""
        return {
            "modality": self.modality,
            "rate": self.rate,
            "frames": self.frames,
            "bands": N_BANDS,
            "long": f"{N_STRETCHES} even stretches",
            **({"voiced": True} if self.voiced else {}),
            **({"trimmed": True} if self.trimmed else {}),
            **({"numbers": DOUBLE} if self.double else {}),
        }

    def check(self, payload: Any) -> None:
        """Raise InvalidInput if the payload is not a recording that can be encoded."""
        check(payload)

    def __call__(self, payloads: Sequence[bytes]) -> dict[str, NDArray[Any]]:
        """`mel` (n, frames, 40) uint8.

        Raises:
            InvalidInput: one of the files cannot be decoded.
        """
        mel = np.zeros((len(payloads), self.frames, N_BANDS), np.uint8)
        for i, payload in enumerate(payloads):
            if (made := made_by(self, payload)) is not None:
                mel[i] = made["mel"]
                continue
            levels = self.levels(samples(payload, self.rate)[0])
            mel[i, : len(levels)] = levels
        return {"mel": mel}

    def levels(self, sound: Float32) -> NDArray[np.uint8]:
        """(at most `frames`, 40) levels of a sound at this rate."""
        width, step = len(self.taper), int(STEP * self.rate)
        padded = np.pad(sound, (0, max(0, width - len(sound))))
        windows = np.lib.stride_tricks.sliding_window_view(padded, width)[::step]
        if self.voiced or self.trimmed:
            loud = _loud(windows, double=self.double)
            windows = windows[loud] if self.voiced else windows[loud[0] : loud[-1] + 1]
        windows = windows[_heard(len(windows), self.frames)]
        tapered = windows * self.taper.astype(np.float64 if self.double else np.float32)
        spectrum = np.fft.rfft(tapered, self.size)
        power = np.abs(spectrum if self.double else spectrum.astype(np.complex64)) ** 2
        decibels = 10 * np.log10(power @ self.bands + 1e-10)
        top = float(np.percentile(decibels.max(axis=1), 95))
        below = np.clip(decibels - top, -RANGE, 0) + RANGE
        out: NDArray[np.uint8] = (1 + np.round(3 * below)).astype(np.uint8)
        return out


def _loud(windows: Float32, *, double: bool) -> NDArray[np.intp]:
    """Which frames of a recording, (n, width), are no pauses; all are not."""
    if double:  # without a copy of all frames in it
        square = np.einsum("ij,ij->i", windows, windows, dtype=np.float64) / windows.shape[1]
    else:
        square = np.square(windows).mean(axis=1)
    level = 10 * np.log10(square + 1e-12)
    return np.flatnonzero(level >= np.percentile(level, 95) - QUIET)


def _heard(n: int, most: int) -> NDArray[np.intp]:
    """Which of n frames are heard: all, or even stretches of them."""
    if n <= most:
        return np.arange(n)
    length = most // N_STRETCHES
    starts = np.linspace(0, n - length, N_STRETCHES).astype(int)
    return np.concatenate([np.arange(start, start + length) for start in starts])


def _bands(rate: int, size: int) -> Float32:
    """Triangles of even width on the mel scale, (size // 2 + 1, bands)."""
    mel = np.linspace(_mel(60.0), _mel(rate / 2), N_BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    at = np.arange(size // 2 + 1)[:, None] * rate / size
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    out: Float32 = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return out


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def heard(prepare: Any, payload: Any, arrays: Mapping[str, NDArray[Any]] | None = None) -> Heard:
    """A recording with what the network takes of it.

    Args:
        prepare: the preprocessing.
        payload: bytes of a file.
        arrays: what that made of it already, see `Heard`.
    Raises:
        InvalidInput: it is no recording that can be encoded.
    """
    sound = samples(payload) if arrays is None else None
    told = Heard(payload)
    if arrays is None:
        told.sound = sound
        prepare.check(told)
        arrays = {name: rows[0] for name, rows in prepare([told]).items()}
        told.sound = None
    told.by, told.arrays = prepare, arrays
    return told


def made_by(prepare: Any, payload: Any) -> Mapping[str, NDArray[Any]] | None:
    """What a preprocessing made of a recording before; None if it did not."""
    return payload.arrays if isinstance(payload, Heard) and payload.by is prepare else None


def check(payload: Any) -> None:
    """Raise InvalidInput unless the payload is a recording in which something is heard."""
    sound, _ = samples(payload)
    if np.abs(sound).max() <= 1e-5:
        raise InvalidInput("silence", where="audio", hint=HINT)


def samples(payload: Any, rate: int = 0) -> tuple[Float32, int]:
    """The sound of a payload, (n,) float32 of one channel, and its samples a second.

    Args:
        payload: bytes of a file.
        rate: to bring it to; 0: as it is.
    Raises:
        InvalidInput: it cannot be decoded.
    """
    if not isinstance(payload, bytes | bytearray | memoryview):
        what = f"a {type(payload).__name__} is not the bytes of a recording"
        raise InvalidInput(what, where="audio", hint=HINT)
    if isinstance(payload, Heard) and payload.sound is not None:
        return recordings.at_rate(*payload.sound, rate)
    try:
        return recordings.samples(bytes(payload), rate)
    except recordings.Unusable as e:
        raise InvalidInput(str(e), where="audio", hint=HINT) from e
