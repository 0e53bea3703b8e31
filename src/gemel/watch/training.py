"""The section on training in words: what a run says about itself, as names and figures to read."""

from __future__ import annotations

from typing import Any

import msgspec

from gemel import figures
from gemel.release.run import Training
from gemel.watch.html import value_of

WORDS = {
    "averaging": "averaging of the weights",
    "by": "estimated from",
    "by_views": "a varied copy of each record chooses the epoch too",
    "doubtful": "matches that may be of one household, or of one kind of product",
    "identities_per_batch": "identities in a batch",
    "learning_seconds": "learning took",
    "max_epochs": "epochs at most",
    "licence": "licence of the weights it started from",
    "n_dev": "records of dev",
    "n_records": "records that were estimated from",
    "n_train": "records of train",
    "n_weights": "weights of the network",
    "parity": "largest difference of ONNX to torch",
    "patience": "epochs without progress that end it",
    "seconds": "all of it took",
    "share": "share of pairs that belong together, estimated",
    "size": "size of the network",
    "views_per_identity": "records of an identity in a batch",
    "warmup_ratio": "share of steps with a rising rate",
}
"""What a run calls its values, where the name with blanks would not do."""
VALUES: dict[Any, str] = {
    True: "yes",
    "fields": "how fields agree",
    "views": "variants made of the records",
}
UNTOLD = ("measure",)
"""What stands in another line."""


def facts(training: Training) -> list[tuple[str, str]]:
    """What a run says about itself: epochs, then single values, and those one level down."""
    out = _epochs(training)
    for key, value in msgspec.to_builtins(training).items():
        inner = value if isinstance(value, dict) else {key: value}
        out += [
            (WORDS.get(name, name.replace("_", " ")), _figure(name, one))
            for name, one in inner.items()
            if not isinstance(one, dict | list | tuple)
            and name not in UNTOLD
            and one not in (None, "")
            and one is not False
        ]
    return out


def _figure(name: str, value: Any) -> str:
    """A value to read: units, thousands apart, no more digits than mean something."""
    if isinstance(value, bool | str):
        return VALUES.get(value, value_of(value))
    if not isinstance(value, int | float) or name == "seed":
        return value_of(value)
    if name == "share":
        return figures.share(value)
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
