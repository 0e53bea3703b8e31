"""Voices by a pretrained network: the GE2E weights of the package Resemblyzer.

Source: Wan et al. 2018, Generalized end-to-end loss for speaker verification.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.encode.audio.windows import N_BANDS, WindowPrepare
from gemel.encode.modality import Prepare
from gemel.errors import ConfigError
from gemel.train.arrays import Arrays
from gemel.train.backbones.frozen import Backbone, mean_of_windows, tuned, unvaried
from gemel.train.backbones.source import Source
from gemel.train.towers import Defaults, Trainable

DIM, LAYERS = 256, 3
DEFAULTS = {
    "none": Defaults(max_epochs=0),
    "head": Defaults(
        identities_per_batch=32,
        views_per_identity=4,
        max_epochs=30,
        patience=6,
        learning_rate=1e-3,
        weight_decay=0.0,
    ),
    "all": Defaults(
        identities_per_batch=16,
        views_per_identity=4,
        max_epochs=5,
        patience=2,
        learning_rate=1e-4,
    ),
}


class VoiceTower(Backbone):
    """`voice` (b, w, frames, bands) to unit rows: of the mean of what each window says."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(N_BANDS, DIM, LAYERS, batch_first=True)
        self.linear = nn.Linear(DIM, DIM)

    def forward(self, voice: Tensor) -> Tensor:
        """Unit rows, (b, 256) float32."""
        there = voice.amax(dim=(2, 3)) > 0
        last = self.lstm(voice.flatten(0, 1))[0][:, -1]
        rows = F.normalize(F.relu(self.linear(last)), dim=1)
        out: Tensor = self.head(mean_of_windows(rows, there))
        return out


def load(path: Path) -> VoiceTower:
    """The network with the weights of a file; those of its loss are left out.

    Raises:
        ConfigError: the file holds other weights.
    """
    tower = VoiceTower()
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")["model_state"]
        own = {name: found[name] for name in tower.state_dict()}
        tower.load_state_dict(own)
    except (OSError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError) as e:
        reason = (str(e).strip().splitlines() or [type(e).__name__])[0]
        raise ConfigError(
            f"no weights of a speaker encoder: {reason}",
            where=str(path),
            hint='train.backbone = "resemblyzer" fetches those that are known',
        ) from e
    return tower.eval()


def opened(source: Source) -> Trainable:
    """The training half of recordings on a pretrained speaker encoder.

    Raises:
        ConfigError: the folder holds none, or low-rank additions are asked for.
    """
    weights = next(iter(sorted(source.folder.glob("*.pt"))), None)
    if weights is None:
        raise ConfigError(
            "no weights of a speaker encoder, *.pt",
            where=str(source.folder),
            hint='train.backbone = "resemblyzer" fetches those that are known; a folder of '
            "transformers has a config.json",
        )
    if source.tune not in DEFAULTS:
        raise ConfigError(
            f"a speaker encoder cannot be tuned by {source.tune!r}",
            where="train.tune",
            hint=f"one of: {', '.join(DEFAULTS)}",
        )

    def tower(prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
        return tuned(load(weights), DIM, source)

    def prepare(payloads: Sequence[Any], fields: tuple[Any, ...]) -> Prepare:
        return WindowPrepare()

    return Trainable(
        "audio",
        prepare=prepare,
        tower=tower,
        views=unvaried,
        defaults=DEFAULTS[source.tune],
        start=source.digest,
        licence=source.licence,
    )
