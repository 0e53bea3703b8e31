"""Recordings as pretrained speaker encoders take them: windows of mel power spectra.

As GE2E encoders of 16 kHz were taught (Wan et al., 2018): 25 ms every 10 ms, 40 bands of the mel
scale of Slaney's Auditory Toolbox, power and not decibels, a quiet recording amplified to -30 dB.
Windows of 1.6 s cover a recording by halves; of a long one, even ones are taken, which is said in
the spec. Frames that are far quieter than the loudest may be left out first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32
from gemel.data.schema import Field
from gemel.encode.audio.prepare import check, made_by, samples
from gemel.errors import ReleaseError

KIND = "windows"
RATE, WIDTH, STEP, N_BANDS = 16_000, 400, 160, 40
LENGTH, HOP, N_WINDOWS = 160, 80, 8
"""Frames of a window, frames between two, windows at most."""
LOUDNESS = -30.0
"""Decibels to which quieter recordings are amplified."""
LINEAR, LOG_FROM, LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27
"""The mel scale is linear below a kilohertz, so many hertz a step, and logarithmic above."""


class WindowPrepare:
    """Recordings to `voice` (n, 8, 160, 40) float32; windows that are not there are zeros."""

    modality = "audio"
    fields: tuple[Field, ...] = ()

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> WindowPrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: it is of another kind.
        """
        if dict(spec) != cls().spec():
            raise ReleaseError("these windows of recordings are not those of this version")
        return cls()

    def spec(self) -> dict[str, Any]:
        """Everything that decides the arrays, as JSON values."""
        return {
            "modality": self.modality,
            "kind": KIND,
            "rate": RATE,
            "bands": N_BANDS,
            "frames": LENGTH,
            "long": f"{N_WINDOWS} even windows",
        }

    def check(self, payload: Any) -> None:
        """Raise InvalidInput if the payload is not a recording that can be encoded."""
        check(payload)

    def __call__(self, payloads: Sequence[bytes]) -> dict[str, NDArray[Any]]:
        """`voice` (n, 8, 160, 40) float32.

        Raises:
            InvalidInput: one of the files cannot be decoded.
        """
        voice = np.zeros((len(payloads), N_WINDOWS, LENGTH, N_BANDS), np.float32)
        for i, payload in enumerate(payloads):
            if (made := made_by(self, payload)) is not None:
                voice[i] = made["voice"]
                continue
            found = _windows(_power(samples(payload, RATE)[0]))
            voice[i, : len(found)] = found
        return {"voice": voice}


def _windows(frames: Float32) -> Float32:
    """(w, 160, 40) windows of (n, 40) frames; a short recording is repeated to one."""
    if len(frames) < LENGTH:
        frames = np.tile(frames, (-(-LENGTH // len(frames)), 1))[:LENGTH]
    last = len(frames) - LENGTH
    starts = np.unique([*range(0, last + 1, HOP), last])
    some = np.unique(np.linspace(0, len(starts) - 1, N_WINDOWS).round().astype(int))
    found: Float32 = np.stack([frames[start : start + LENGTH] for start in starts[some]])
    return found


def _power(sound: Float32) -> Float32:
    """(n, 40) power of bands of a sound at 16 kHz, centred on each hundredth of a second."""
    loudness = 10 * np.log10(np.square(sound, dtype=np.float64).mean() + 1e-18)
    sound = sound * np.float32(10 ** (max(0.0, LOUDNESS - loudness) / 20))
    padded = np.pad(sound, WIDTH // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WIDTH)[::STEP]
    power = np.abs(np.fft.rfft(frames * taper(), axis=1).astype(np.complex64)) ** 2
    out: Float32 = (power @ bands()).astype(np.float32)
    return out


@lru_cache
def taper() -> Float32:
    """Of a frame, (400,)."""
    whole = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIDTH) / WIDTH)
    return np.asarray(whole, np.float32)


@lru_cache
def bands() -> Float32:
    """Triangles of even area on the mel scale, (201, 40)."""
    top = LOG_FROM / LINEAR + np.log(RATE / 2 / LOG_FROM) / LOG_STEP
    mel = np.linspace(0, top, N_BANDS + 2)
    linear = LOG_FROM / LINEAR
    above = LOG_FROM * np.exp(LOG_STEP * (mel - linear))
    edges = np.where(mel < linear, mel * LINEAR, above)
    at = np.linspace(0, RATE / 2, WIDTH // 2 + 1)[:, None]
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    area = 2 / (edges[2:] - edges[:-2])
    out: Float32 = (np.maximum(0, np.minimum(rising, falling)) * area).astype(np.float32)
    return out
