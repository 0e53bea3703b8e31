"""The section on training in words: what a run says about itself, as names and figures to read."""

from __future__ import annotations

from typing import Any

import msgspec

from gemel import figures
from gemel.release.run import Training
from gemel.watch.html import value_of

WORDS = {
    "averaging": "averaging of the weights",
    "identities_per_batch": "identities in a batch",
    "learning_seconds": "learning took",
    "max_epochs": "epochs at most",
    "n_dev": "records of dev",
    "n_train": "records of train",
    "n_weights": "weights of the network",
    "parity": "largest difference of ONNX to torch",
    "patience": "epochs without progress that end it",
    "seconds": "all of it took",
    "size": "size of the network",
    "views_per_identity": "records of an identity in a batch",
    "warmup_ratio": "share of steps with a rising rate",
}
"""What a run calls its values, where the name with blanks would not do."""


def facts(training: Training) -> list[tuple[str, str]]:
    """What a run says about itself: epochs, then single values, and those one level down."""
    out = _epochs(training)
    for key, value in msgspec.to_builtins(training).items():
        inner = value if isinstance(value, dict) else {key: value}
        out += [
            (WORDS.get(name, name.replace("_", " ")), _figure(name, one))
            for name, one in inner.items()
            if not isinstance(one, dict | list | tuple)
        ]
    return out


def _figure(name: str, value: Any) -> str:
    """A value to read: units, thousands apart, no more digits than mean something."""
    if isinstance(value, bool) or not isinstance(value, int | float) or name == "seed":
        return value_of(value)
    if name.endswith("seconds"):
        return f"{value:,.0f} s" if value >= 10 else f"{figures.plain(value, 2)} s"
    return f"{value:,}" if isinstance(value, int) else figures.plain(value, 3)


def _epochs(training: Training) -> list[tuple[str, str]]:
    """How many epochs, and the best dev metric among them."""
    untrained, best = training.history[0], training.best
    return [
        ("epochs", f"{len(training.history) - 1}, the best was {best.epoch}"),
        (
            f"{training.measure} on dev by cosine",
            f"{figures.share(best.metric)}, untrained {figures.share(untrained.metric)}",
        ),
    ]
