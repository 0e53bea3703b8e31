"""Time series as a modality that a package would add: one object, and nothing of gemel changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import Float32, unit_rows
from gemel.data.dataset import Dataset, Held, codes
from gemel.data.schema import Field
from gemel.data.sources.columns import Columns
from gemel.encode import modality
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.modality import Baseline, Payload, Prepare
from gemel.encode.parts import Cut
from gemel.errors import DataError, InvalidInput, ReleaseError

N_PARTS = 4


class SeriesPrepare:
    """Numbers in time, brought to one length and without their mean."""

    modality = "series"
    fields: tuple[Field, ...] = ()

    def __init__(self, length: int) -> None:
        self.length = length

    def spec(self) -> dict[str, Any]:
        return {"modality": self.modality, "length": self.length}

    def check(self, payload: Any) -> None:
        numbers = isinstance(payload, list) and all(
            isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v)
            for v in payload
        )
        if not numbers or len(payload) < 2:
            raise InvalidInput("expected at least two finite numbers", where="series")

    def __call__(self, payloads: Sequence[list[float]]) -> dict[str, np.ndarray]:
        return {"series": np.stack([self._one(p) for p in payloads])}

    def _one(self, payload: list[float]) -> Float32:
        at = np.linspace(0, len(payload) - 1, self.length)
        values = np.interp(at, np.arange(len(payload)), payload)
        return (values - values.mean()).astype(np.float32)


class SeriesParts:
    """Stretches of time; without one, the series stays where it was."""

    def __init__(self, payload: list[float]) -> None:
        self.payload = payload

    def coarse(self) -> list[Cut]:
        edges = np.linspace(0, len(self.payload), N_PARTS + 1).round().astype(int).tolist()
        cuts = []
        for i, (start, stop) in enumerate(pairwise(edges)):
            if start < stop:
                flat = [self.payload[max(start - 1, 0)]] * (stop - start)
                rest = [*self.payload[:start], *flat, *self.payload[stop:]]
                cuts.append(Cut(f"stretch {i + 1}", rest, (start, stop)))
        return cuts

    def finer(self, cut: Cut) -> list[Cut]:
        return []

    def borrowed(self, cut: Cut, other: Any) -> Any | None:
        return None

    def nothing(self) -> list[float]:
        return [0.0, 0.0]


class SeriesModality(modality.Modality):
    """A payload is a list of numbers, an item `{"series": [...]}`."""

    name = "series"
    nouns = ("time series", "time series")
    training = "tests.conformance.toy_series_training:SERIES"

    def read(self, path: Path, said: Columns) -> Dataset:
        lines = json.loads(path.read_text())
        who = said.identity or "who"
        if not all("series" in line and who in line for line in lines):
            raise DataError(f"a record lacks series or {who}", where=str(path))
        code, names = codes([line[who] for line in lines])
        return Dataset(
            modality=self.name,
            contents=Held(tuple(line["series"] for line in lines)),
            fields=(),
            ids=np.array([line["id"] for line in lines], dtype=np.str_),
            identities=code,
            identity_names=names,
            source=str(path),
            n_read=len(lines),
        )

    def prepare(self, spec: Mapping[str, Any]) -> SeriesPrepare:
        try:
            return SeriesPrepare(int(spec["length"]))
        except (KeyError, ValueError) as e:
            raise ReleaseError(f"no preprocessing of series: {e!r}") from e

    def pack(self, payload: Payload) -> Any:
        return payload

    def unpack(self, packed: Any) -> Payload:
        return packed

    def schema(self, prepare: Prepare) -> dict[str, Any]:
        series = {"type": "array", "items": {"type": "number"}, "minItems": 2}
        return {"type": "object", "properties": {"series": series}, "required": ["series"]}

    def parts(self, prepare: Prepare, payload: Payload) -> SeriesParts:
        return SeriesParts(payload)

    def baseline(
        self, prepare: Prepare, train: Iterable[Payload], payloads: Iterable[Payload]
    ) -> Baseline:
        rows = unit_rows(prepare(list(payloads))["series"])
        return Baseline("values", "cosine of the values in time", rows, Cosine())

    def values(self, payload: Payload) -> dict[str, Any]:
        stretches = {cut.name: cut.key for cut in SeriesParts(payload).coarse()}
        means = {n: float(np.mean(payload[a:b])) for n, (a, b) in stretches.items()}
        return {"from": payload[0], "to": payload[-1], **{n: round(m, 3) for n, m in means.items()}}


SERIES = SeriesModality()
