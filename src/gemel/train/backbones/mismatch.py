"""Where records reach a pretrained network otherwise than what comes with the network says.

Such a network still gives embeddings, and worse ones, without a word. What it says itself is read
out of its folder once more, so that a folder that was changed after training is seen as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gemel.data.sources import recordings
from gemel.encode.modality import Prepare
from gemel.settings import TrainSettings
from gemel.train import towers

WORDS = {
    "size": "side in pixels",
    "mean": "mean of the channels",
    "std": "spread of the channels",
    "lower": "small letters",
    "max_length": "tokens at most",
    "tokenizer": "the tokenizer",
    "prefix": "what is put before each text",
    "rate": "samples a second",
}
"""What is compared, by its name in the description of a preprocessing."""
SHOWN = 40
"""Characters of a value."""
LOOKED_AT = 200
LESS = 0.75
"""Share of a network's rate below which recordings lack what it listens to."""


@dataclass(frozen=True)
class Mismatch:
    """One thing that is otherwise.

    Attributes:
        what: it is, with both values.
        settings: lines for gemel.toml that mend it.
    """

    what: str
    settings: tuple[str, ...]


def mismatches(
    settings: TrainSettings, prepare: Prepare, payloads: Sequence[Any], base: Path = Path()
) -> list[Mismatch]:
    """What of the preprocessing of a run differs from what its backbone says.

    Args:
        settings: of the run; they name a backbone.
        prepare: of the run.
        payloads: of training.
        base: folder that a relative `train.backbone` is seen from.
    Raises:
        ConfigError: the backbone is not there any more.
    """
    half = towers.trainable(prepare.modality, settings, base)
    some = [payloads[i] for i in range(0, len(payloads), max(1, len(payloads) // LOOKED_AT))]
    own, wanted = prepare.spec(), half.prepare(some, prepare.fields).spec()
    again = f"backbone = {_toml(settings.backbone)}"
    found = []
    for name, word in WORDS.items():
        if name not in wanted or name not in own or own[name] == wanted[name]:
            continue
        line = "image_size = 0" if name == "size" else f"{again}  # and train again"
        here, there = _short(own[name]), _short(wanted[name])
        what = f"{word}: {here}, and the network was taught with {there}"
        found.append(Mismatch(what, ("[train]", line)))
    return [*found, *_lacking(prepare, some)]


def _lacking(prepare: Prepare, payloads: Sequence[Any]) -> list[Mismatch]:
    """Whether most recordings have far fewer samples a second than the network listens to."""
    rate = prepare.spec().get("rate")
    if not rate:
        return []
    own = float(np.median([recordings.samples(payload)[1] for payload in payloads]))
    if own >= LESS * rate:
        return []
    what = (
        f"most recordings have {own:,.0f} samples a second, and the network was taught with "
        f"{rate:,}: the high half of what it listens to is empty"
    )
    return [Mismatch(what, ("[train]", 'backbone = ""'))]


def _short(value: Any) -> str:
    text = "on" if value is True else "off" if value is False else str(value)
    return text if len(text) <= SHOWN else "another"


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
