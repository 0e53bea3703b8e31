"""An encoder at run time: preprocessing and an ONNX Runtime session that belong together.

A folder holds `prepare.json` (the preprocessing, as data) and `encoder.onnx`. Their digest is the
`space_id`: two embeddings may be compared if, and only if, it is equal. The embedding of a payload
does not depend on what else is in its batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, canonical_json, digest, unit_rows
from gemel.encode.prepare_image import ImagePrepare
from gemel.encode.prepare_tabular import RowPrepare
from gemel.errors import ReleaseError

PREPARE = "prepare.json"
NETWORK = "encoder.onnx"
NUMERIC_FORMAT = b"float32 unit rows"
OUTPUT = "unit_rows"

Payload = dict[str, Any] | bytes
"""One thing to encode: a row (field name to value) or the bytes of an image file."""


class Prepare(Protocol):
    """Preprocessing: payloads to the arrays that the network takes."""

    modality: str

    def spec(self) -> dict[str, Any]:
        """Everything that decides the result, as JSON values; part of `space_id`."""

    def check(self, payload: Any) -> None:
        """Raise InvalidInput, naming the field, if the payload cannot be encoded."""

    def __call__(self, payloads: Sequence[Any]) -> dict[str, NDArray[Any]]:
        """Arrays by network input name, first axis = payloads."""


def prepare_from_spec(spec: dict[str, Any], where: str = "") -> Prepare:
    """The preprocessing that a spec describes.

    Raises:
        ReleaseError: a modality that this version does not know.
    """
    kinds: dict[str, Any] = {"row": RowPrepare, "image": ImagePrepare}
    kind = kinds.get(str(spec.get("modality")))
    if kind is None:
        raise ReleaseError(f"unknown modality {spec.get('modality')!r}", where=where)
    prepare: Prepare = kind.from_spec(spec)
    return prepare


class Encoder:
    """Payloads to unit rows, with the preprocessing and the network of one space.

    Args:
        prepare: the preprocessing.
        network: an ONNX model; its output `unit_rows` is (n, d).
        threads: threads of ONNX Runtime inside one call.
    """

    def __init__(self, prepare: Prepare, network: bytes, *, threads: int = 1) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.prepare = prepare
        self._session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        self.dim = int(self._session.get_outputs()[0].shape[-1])
        self.space_id = digest(canonical_json(prepare.spec()), network, NUMERIC_FORMAT)

    @classmethod
    def open(cls, folder: Path, *, threads: int = 1) -> Encoder:
        """The encoder that a folder holds.

        Raises:
            ReleaseError: a file is missing or unreadable.
        """
        try:
            spec = json.loads((folder / PREPARE).read_text())
            network = (folder / NETWORK).read_bytes()
        except (OSError, ValueError) as e:
            raise ReleaseError(f"no readable encoder: {e}", where=str(folder)) from e
        return cls(prepare_from_spec(spec, str(folder / PREPARE)), network, threads=threads)

    @property
    def modality(self) -> str:
        """What a payload is: `row` or `image`."""
        return self.prepare.modality

    def encode(self, payloads: Sequence[Payload], *, batch: int = 256) -> Float32:
        """Embeddings of the payloads.

        Args:
            payloads: n rows or images, already checked (`prepare.check`).
            batch: payloads per call of the network; does not change the result.
        Returns:
            (n, d) float32, unit rows.
        Raises:
            InvalidInput: a payload cannot be prepared.
        """
        parts = list(self.encode_in_batches(payloads, batch=batch))
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def encode_in_batches(
        self, payloads: Sequence[Payload], *, batch: int = 256
    ) -> Iterator[Float32]:
        """The same rows as `encode`, a batch at a time."""
        for start in range(0, len(payloads), batch):
            arrays = self.prepare(payloads[start : start + batch])
            yield unit_rows(self._session.run([OUTPUT], arrays)[0])
