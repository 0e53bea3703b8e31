"""The training half of the time series of `toy_series`; only training imports it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from tests.conformance.toy_series import SeriesPrepare
from torch import Tensor, nn

from gemel.encode.modality import Prepare
from gemel.train.arrays import Arrays, Views
from gemel.train.towers import Defaults, Trainable


class SeriesTower(nn.Module):
    def __init__(self, length: int) -> None:
        super().__init__()
        self.project = nn.Linear(length, 16)

    def forward(self, series: Tensor) -> Tensor:
        return F.normalize(self.project(series), dim=1)


def prepare(payloads: Sequence[Any], fields: tuple[Any, ...]) -> Prepare:
    return SeriesPrepare(int(np.median([len(p) for p in payloads])))


def tower(prepared: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
    return SeriesTower(arrays["series"].shape[1])


def views(prepared: Prepare) -> Views:
    def vary(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        series = arrays["series"]
        return {"series": series + 0.05 * rng.standard_normal(series.shape, dtype=np.float32)}

    return vary


SERIES = Trainable(
    "series", prepare=prepare, tower=tower, views=views, defaults=Defaults(max_epochs=3)
)
