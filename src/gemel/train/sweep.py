"""Settings tried against each other on dev, most of them only briefly.

Successive halving: all candidates learn for a few epochs, the better third for three times as
many, and so on; the last few learn as long as a run does. Every one starts anew, since the
learning rate of an epoch depends on how many there are. Eval is not touched.

Source: Jamieson and Talwalkar 2016, Non-stochastic best arm identification.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gemel.settings import TrainSettings
from gemel.train.towers import Defaults

KEEP = 3
"""One of so many goes on."""
MOST = 27
"""Candidates; of more combinations, that many are drawn."""
Values = Mapping[str, Any]
"""Settings of `[train]` by name."""


@dataclass(frozen=True)
class Trial:
    """A candidate that has learned.

    Args:
        values: its settings.
        rung: 0 for the first and briefest.
        epochs: at most; 0: as many as a run has.
        metric: on dev, higher is better; NaN where training failed.
    """

    values: Values
    rung: int
    epochs: int
    metric: float

    @property
    def order(self) -> tuple[int, float]:
        """Later rungs first, better ones first, failed ones last."""
        return -self.rung, math.inf if math.isnan(self.metric) else -self.metric


def usual(settings: TrainSettings, defaults: Defaults) -> dict[str, tuple[Any, ...]]:
    """The dials that matter most, around what a setting is or what was measured best."""
    rate = settings.learning_rate or defaults.learning_rate
    n = settings.identities_per_batch or defaults.identities_per_batch
    return {
        "learning_rate": tuple(float(f"{rate * by:.2g}") for by in (1 / 3, 1, 3)),
        "identities_per_batch": (max(2, n // 2), n, 2 * n),
    }


def candidates(dials: Mapping[str, Sequence[Any]], seed: int) -> list[dict[str, Any]]:
    """Every combination of the values of dials; of too many, a random choice that stays."""
    found = [dict(zip(dials, values, strict=True)) for values in itertools.product(*dials.values())]
    if len(found) <= MOST:
        return found
    return random.Random(seed).sample(found, MOST)


def halve(
    tried: Sequence[Values], epochs: int, learn: Callable[[Values, int], float]
) -> list[Trial]:
    """All trials, the best first.

    Args:
        tried: the candidates.
        epochs: that a run has at most.
        learn: trains a candidate for so many epochs at most, 0 for as many as a run has, and
            gives its metric on dev.
    """
    done: list[Trial] = []
    n_rungs = math.floor(math.log(max(len(tried), 1), KEEP) + 1e-9)
    left = list(tried)
    for rung in range(n_rungs + 1):
        last = rung == n_rungs
        some = 0 if last else max(1, round(epochs / KEEP ** (n_rungs - rung)))
        here = sorted(
            (Trial(values, rung, some, learn(values, some)) for values in left),
            key=lambda trial: trial.order,
        )
        done += here
        left = [trial.values for trial in here[: math.ceil(len(here) / KEEP)]]
    return sorted(done, key=lambda trial: trial.order)


def with_values(settings: TrainSettings, values: Values, epochs: int) -> TrainSettings:
    """The settings of a candidate; `epochs` 0 leaves theirs as they are."""
    changed = dict(values) | ({"max_epochs": epochs} if epochs else {})
    return msgspec.structs.replace(settings, **changed)
