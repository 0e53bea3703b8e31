"""Rows of numbers to vectors: for networks that take numbers as they are.

The preprocessing of an estimator's release. A missing value is the mean of its column, which is
what the network sees least in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.data.schema import Field
from gemel.encode.row.prepare import Row, check_row
from gemel.errors import ReleaseError

MEANS = "means"


class NumbersPrepare:
    """Rows of d number fields to `vector` (n, d) float32.

    Args:
        means: of each field, by name, in the order of the vector.
    """

    modality = "row"

    def __init__(self, means: Mapping[str, float]) -> None:
        self.means = {str(name): float(value) for name, value in means.items()}
        self.fields = tuple(Field(name, "number") for name in self.means)
        self._by_name = {field.name: field for field in self.fields}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> NumbersPrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: the spec is not one of numbers.
        """
        try:
            return cls(dict(spec[MEANS]))
        except (KeyError, TypeError, ValueError) as e:
            raise ReleaseError(f"no specification of numbers: {e!r}", where="prepare.json") from e

    def spec(self) -> dict[str, Any]:
        """Everything that decides the result, as JSON values; pairs, since order matters."""
        return {"modality": self.modality, MEANS: [[n, v] for n, v in self.means.items()]}

    def check(self, payload: Any) -> None:
        """Raise if the row cannot be encoded.

        Raises:
            InvalidInput: not an object, an unknown field, no finite number, or no value at all.
        """
        check_row(self._by_name, payload)

    def __call__(self, payloads: Sequence[Row]) -> dict[str, NDArray[Any]]:
        """Arrays of n rows: `vector` (n, d) float32."""
        rows = [[_number(row.get(n), mean) for n, mean in self.means.items()] for row in payloads]
        return {"vector": np.array(rows, np.float32).reshape(len(rows), len(self.means))}


def _number(value: Any, mean: float) -> float:
    return mean if value is None or value == "" else float(value)
