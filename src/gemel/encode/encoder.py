"""An encoder at run time: preprocessing and an ONNX Runtime session that belong together.

A folder holds `prepare.json` (the preprocessing, as data) and `encoder.onnx`. Their digest is the
`space_id`: two embeddings may be compared if, and only if, it is equal. The embedding of a payload
does not depend on what else is in its batch.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arguments import path_of
from gemel.arrays import Float32, canonical_json, digest, unit_rows
from gemel.data.sources.formats import frames
from gemel.encode import modality, ragged
from gemel.encode.modality import Payload, Prepare
from gemel.encode.runtime import onnxruntime
from gemel.errors import ConfigError, ReleaseError

PREPARE = "prepare.json"
NETWORK = "encoder.onnx"
NUMERIC_FORMAT = b"float32 unit rows"
OUTPUT = "unit_rows"
KEPT = 0.9
"""Of what is known of the speed, when more was encoded."""


def prepare_from_spec(spec: dict[str, Any], where: str = "") -> Prepare:
    """The preprocessing that a spec describes.

    Raises:
        ReleaseError: neither gemel nor an installed package has its modality.
    """
    try:
        return modality.named(str(spec.get("modality"))).prepare(spec)
    except ConfigError as e:
        raise ReleaseError(e.what, where=where, hint=e.hint) from e


def open_prepare(folder: Path) -> Prepare:
    """The preprocessing of the encoder that a folder holds, without its network.

    Raises:
        ReleaseError: its file is missing or unreadable.
    """
    try:
        spec = json.loads((folder / PREPARE).read_text())
    except (OSError, ValueError) as e:
        raise ReleaseError(f"no readable encoder: {e}", where=str(folder)) from e
    return prepare_from_spec(spec, str(folder / PREPARE))


class Encoder:
    """Payloads to unit rows, with the preprocessing and the network of one space.

    Args:
        prepare: the preprocessing.
        network: an ONNX model; its output `unit_rows` is (n, d).
        threads: threads of ONNX Runtime inside one call.
        fused: it may make one operator of several; if not, it adds up in another order, as it does
            on another processor.
    Attributes:
        spec: of the preprocessing, canonical JSON.
        space_id: see above.
        dim: of an embedding.
    """

    def __init__(
        self, prepare: Prepare, network: bytes, *, threads: int = 1, fused: bool = True
    ) -> None:
        ort = onnxruntime()

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        if not fused:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.prepare = prepare
        self._session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        self._speed = 0.0, 1e-9
        self._at_once = (
            ragged.CACHED * threads,
            modality.named(prepare.modality).n_bytes_at_once * threads,
        )
        self.dim = int(self._session.get_outputs()[0].shape[-1])
        self.spec = canonical_json(prepare.spec())
        self.space_id = digest(self.spec, network, NUMERIC_FORMAT)

    @classmethod
    def open(cls, folder: str | Path, *, threads: int = 1, fused: bool = True) -> Encoder:
        """The encoder that a folder holds.

        Args:
            folder: with its two files.
            threads: see `Encoder`.
            fused: see `Encoder`.
        Raises:
            ReleaseError: a file is missing or unreadable.
        """
        folder = path_of(folder, "the folder of an encoder")
        prepare = open_prepare(folder)
        try:
            network = (folder / NETWORK).read_bytes()
        except OSError as e:
            raise ReleaseError(f"no readable encoder: {e}", where=str(folder)) from e
        return cls(prepare, network, threads=threads, fused=fused)

    @property
    def modality(self) -> str:
        """Name of what it encodes."""
        return self.prepare.modality

    def encode(self, payloads: Sequence[Payload], *, batch: int = 256) -> Float32:
        """Embeddings of the payloads.

        Args:
            payloads: n payloads, already checked (`prepare.check`); or a frame of rows as they
                stand in a file, which is read as one is.
            batch: payloads per call of the network; does not change the result.
        Returns:
            (n, d) float32, unit rows.
        Raises:
            InvalidInput: a payload cannot be prepared.
            ConfigError: one payload, not several.
            DataError: a frame without the fields, or with a row that a file may not have.
        """
        if frames.is_frame(payloads) and (fields := self.prepare.fields):
            from gemel.data.records import read

            payloads = read(payloads, kind="rows", fields=fields, max_bad_ratio=0.0).payloads()
        if isinstance(payloads, Mapping | str | bytes) or not hasattr(payloads, "__getitem__"):
            what = f"a value of type {type(payloads).__name__}, expected several payloads"
            raise ConfigError(what, hint="encode([payload]) encodes one")
        parts = list(self.encode_in_batches(payloads, batch=batch))
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def encode_in_batches(
        self, payloads: Sequence[Payload], *, batch: int = 256
    ) -> Iterator[Float32]:
        """The same rows as `encode`, a batch at a time."""
        work = modality.named(self.modality).work
        for start in range(0, len(payloads), batch):
            some, began = payloads[start : start + batch], time.perf_counter()
            rows = self.embed(self.prepare(some))
            new_s, new = time.perf_counter() - began, sum(work(self.prepare, one) for one in some)
            took_s, done = self._speed
            self._speed = KEPT * took_s + new_s, KEPT * done + new
            yield rows

    def seconds(self, items: Sequence[Any]) -> list[float]:
        """How long it takes to encode each of some items or payloads, by what others took of late.

        Zeros until any were encoded.
        """
        work, (took_s, done) = modality.named(self.modality).work, self._speed
        pace = took_s / done
        return [pace * work(self.prepare, item) for item in items]

    def embed(self, arrays: Mapping[str, NDArray[Any]]) -> Float32:
        """Embeddings of one batch of prepared payloads: (n, d) float32, unit rows."""
        rows = np.empty((len(next(iter(arrays.values()))), self.dim), np.float32)
        for idx, run in ragged.runs(arrays, *self._at_once):
            rows[idx] = self._session.run([OUTPUT], run)[0]
        return unit_rows(rows)
