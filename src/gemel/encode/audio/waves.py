"""Recordings as pretrained networks take them that hear the wave itself: windows of samples.

What such a network makes of a wave before its first layer (levels, bands, their logarithm) is part
of the network. Windows are of one length, so that an embedding does not depend on its batch. Even
ones cover a long recording; a short one is repeated, or followed by silence, as the network was
taught; which of the two is part of the spec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32
from gemel.data.schema import Field
from gemel.encode.audio.prepare import check, made_by, samples
from gemel.errors import DataError, ReleaseError

KIND = "waves"
MAX_WINDOWS = 4
LEAST_SECONDS, MOST_SECONDS = 1, 10
"""Of a window, where the network takes any length."""
COVERED = 90
"""Percentile of the lengths of recordings that windows cover whole."""
FITTED = 500
Short = Literal["repeated", "silent"]


class Waves(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides the windows of a recording; part of `prepare.json`.

    Attributes:
        rate: samples a second.
        length: samples of a window.
        windows: of a recording at most; even ones of a long one.
        short: what fills a window that a recording does not.
        kind: of the preprocessing.
        modality: of the payloads.
    """

    rate: int
    length: int
    windows: int = 1
    short: Short = "repeated"
    kind: str = KIND
    modality: str = "audio"


class WavePrepare:
    """Recordings to `wave` (n, windows, length) float32 and `samples` (n, windows) int64.

    `samples` says how many of a window are of the recording; a window with none is not there.

    Args:
        said: what decides the windows.
    Raises:
        ReleaseError: they are none.
    """

    modality = "audio"
    fields: tuple[Field, ...] = ()

    def __init__(self, said: Waves) -> None:
        right = said.rate > 0 and said.length > 0 and 1 <= said.windows <= MAX_WINDOWS
        if not right or said.kind != KIND or said.modality != self.modality:
            raise ReleaseError(f"this is no preprocessing of recordings to waves: {said}")
        self.said = said

    @classmethod
    def fit(cls, payloads: Sequence[bytes], rate: int, length: int, short: Short) -> WavePrepare:
        """As many windows as cover nine of ten recordings, at most `MAX_WINDOWS`.

        Args:
            payloads: of training.
            rate: that the network was taught with.
            length: samples of a window; 0: as long as the recordings, within bounds.
            short: what fills a window.
        Raises:
            DataError: there are none.
            InvalidInput: one cannot be decoded.
        """
        if not len(payloads):
            raise DataError("no recordings to choose the preprocessing from")
        some = np.unique(np.linspace(0, len(payloads) - 1, FITTED).astype(int))
        sounds = (samples(payloads[i]) for i in some)
        long = float(np.percentile([len(sound) / own for sound, own in sounds], COVERED))
        length = length or round(rate * float(np.clip(long, LEAST_SECONDS, MOST_SECONDS)))
        windows = int(np.clip(np.ceil(long * rate / length), 1, MAX_WINDOWS))
        return cls(Waves(rate=rate, length=length, windows=windows, short=short))

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> WavePrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: the spec is not one of waves.
        """
        try:
            return cls(msgspec.convert(dict(spec), Waves))
        except msgspec.ValidationError as e:
            raise ReleaseError(f"this is no preprocessing of recordings to waves: {e}") from e

    def spec(self) -> dict[str, Any]:
        """Everything that decides the arrays, as JSON values."""
        spec: dict[str, Any] = msgspec.to_builtins(self.said)
        return spec

    def check(self, payload: Any) -> None:
        """Raise InvalidInput if the payload is not a recording that can be encoded."""
        check(payload)

    def __call__(self, payloads: Sequence[bytes]) -> dict[str, NDArray[Any]]:
        """`wave` (n, windows, length) float32 and `samples` (n, windows) int64.

        Raises:
            InvalidInput: one of the files cannot be decoded.
        """
        said = self.said
        wave = np.zeros((len(payloads), said.windows, said.length), np.float32)
        there = np.zeros((len(payloads), said.windows), np.int64)
        for i, payload in enumerate(payloads):
            if (made := made_by(self, payload)) is not None:
                wave[i], there[i] = made["wave"], made["samples"]
                continue
            for j, window in enumerate(self.windows(samples(payload, said.rate)[0])):
                wave[i, j, : len(window)] = window
                there[i, j] = len(window)
        return {"wave": wave, "samples": there}

    def windows(self, sound: Float32) -> list[Float32]:
        """The windows of a sound at this rate; one that is too short may stay so."""
        length = self.said.length
        if len(sound) < length:
            times = -(-length // len(sound)) if self.said.short == "repeated" else 1
            return [np.tile(sound, times)[:length]]
        n = min(self.said.windows, -(-len(sound) // length))
        starts = np.linspace(0, len(sound) - length, n).astype(int)
        return [sound[start : start + length] for start in starts]
