"""Golden probes: a few payloads with the embeddings they gave when the release was built.

Re-encoding them tells whether this machine, this runtime and this preprocessing still make the
space that the thresholds were measured in. It does not tell whether the space is any good.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, Float64, Int64
from gemel.encode.modality import Modality, Payload
from gemel.errors import InvalidInput, ParityError, ReleaseError
from gemel.figures import number_of
from gemel.release.folder import Tolerance

PAYLOADS = "probes.json"
EMBEDDINGS = "probes.npy"
N_PROBES = 24
N_TRIED = 64
"""Records that tell how far probes may move."""
MARGIN = 3.0
"""Times as far as those move, a probe may."""
LEAST_SAME = 0.5
"""Share of the probes that must not move even then: another preprocessing moves them all."""
USUAL = Tolerance()


@dataclass(frozen=True)
class Parity:
    """How far the probes moved: the largest coordinate difference and the smallest cosine."""

    n: int
    max_abs: float
    min_cosine: float


def allowed(again: Float32, rows: Float32) -> Tolerance:
    """How far a probe may move on another machine before the encoder counts as another one.

    Sums of floats end differently in the eighth digit there. A network that rounds to 8 bits makes
    of that a step here and there, and of a step another embedding of the same item.

    Args:
        again: (n, d) embeddings by the same network, computed in another order.
        rows: (n, d) embeddings of the same n records.
    """
    moved, cosine = _moved(again, rows)
    if _within(USUAL, moved, cosine).all():
        return USUAL
    far, apart = MARGIN * float(moved.max()), MARGIN * (1 - float(cosine.min()))
    return Tolerance(max(far, USUAL.max_abs), min(1 - apart, USUAL.min_cosine))


def choose(n: int, seed: int = 0, *, most: int = N_PROBES) -> Int64:
    """Positions of the probes among n payloads, ascending, (min(n, most),) int64."""
    picked = np.random.default_rng(seed).choice(n, size=min(n, most), replace=False)
    return np.sort(picked).astype(np.int64)


def write(folder: Path, kind: Modality, payloads: Sequence[Payload], embeddings: Float32) -> None:
    """Store payloads of a modality, as JSON, with their embeddings."""
    body = [pack(kind, p) for p in payloads]
    (folder / PAYLOADS).write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=1))
    np.save(folder / EMBEDDINGS, embeddings, allow_pickle=False)


def read(
    kind: Modality, payloads: bytes, embeddings: bytes, where: str
) -> tuple[list[Payload], Float32]:
    """Payloads and their (n, d) float32 embeddings from the bytes of the two files.

    Raises:
        ReleaseError: they cannot be read or do not belong together.
    """
    try:
        body = [unpack(kind, p) for p in msgspec.json.decode(payloads, type=list[dict[str, Any]])]
        rows = np.load(io.BytesIO(embeddings), allow_pickle=False)
    except (msgspec.DecodeError, ValueError, InvalidInput) as e:
        raise ReleaseError(f"no readable probes: {e}", where=where) from e
    if rows.ndim != 2 or len(rows) != len(body) or not len(body):
        raise ReleaseError(
            f"{number_of(len(body), 'probe has', 'probes have')} embeddings of shape {rows.shape}",
            where=where,
        )
    return body, rows.astype(np.float32)


def check(
    encode: Callable[[list[Any]], Float32],
    payloads: list[Any],
    expected: Float32,
    tolerance: Tolerance,
    where: str,
) -> Parity:
    """Encode the probes again and compare.

    Raises:
        ParityError: a probe is outside the tolerance; says which and how far.
    """
    actual = encode(payloads)
    if actual.shape != expected.shape:
        raise ParityError(
            f"probes give embeddings of shape {actual.shape}, expected {expected.shape}",
            where=where,
        )
    moved, cosine = _moved(actual, expected)
    same = _within(USUAL, moved, cosine)
    if same.mean() < LEAST_SAME:
        tolerance = min(USUAL, tolerance, key=lambda t: t.max_abs)
    inside = _within(tolerance, moved, cosine)
    if not inside.all():
        outside = np.flatnonzero(~inside)
        i = int(outside[np.argmax(np.nan_to_num(moved[outside], nan=np.inf))])
        raise ParityError(
            f"probe {i} moved by {moved[i]:.3g} (cosine {cosine[i]:.6f}), allowed is "
            f"{tolerance.max_abs:.3g} ({tolerance.min_cosine:.6f}); "
            f"{len(outside)} of {len(moved)} probes are outside",
            where=where,
            hint="the runtime or the preprocessing differs from the one the release was built "
            "with; install the versions of constraints.txt, or build and calibrate a new release",
        )
    return Parity(len(moved), float(moved.max()), float(cosine.min()))


def _moved(actual: Float32, expected: Float32) -> tuple[Float64, Float64]:
    """Of each row, the largest difference of a coordinate, and the cosine; 1 of rows of zeros."""
    apart = actual.astype(np.float64)
    cosine = np.einsum("ij,ij->i", apart, expected.astype(np.float64))
    cosine = np.where(np.abs(expected).max(axis=1) > 0, cosine, 1.0)
    return np.abs(apart - expected).max(axis=1), cosine


def _within(tolerance: Tolerance, moved: Float64, cosine: Float64) -> NDArray[np.bool_]:
    """Which rows a tolerance allows; NaN is outside."""
    return (moved <= tolerance.max_abs) & (cosine >= tolerance.min_cosine)


def pack(kind: Modality, payload: Payload) -> dict[str, Any]:
    """A payload as files keep it: the name of its modality and JSON values."""
    return {kind.name: kind.pack(payload)}


def unpack(kind: Modality, packed: dict[str, Any]) -> Payload:
    """The payload that `pack` was given.

    Raises:
        InvalidInput: it is of another modality, or cannot be read.
    """
    if kind.name not in packed:
        raise InvalidInput(f"{', '.join(packed) or 'nothing'} is no {kind.name}")
    return kind.unpack(packed[kind.name])
