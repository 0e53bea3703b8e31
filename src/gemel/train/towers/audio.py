"""The audio tower: long-term levels whitened in closed form, plus what a small network adds.

What a voice or a machine sounds like on average is in the mean and the spread of each band; a
whitening of the training recordings turns that into an embedding that works untrained. The learned
part is a time-delay network with attentive statistics pooling (Okabe, Koshinaka and Shinoda, 2018)
that starts at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.encode.audio.prepare import N_BANDS, AudioPrepare
from gemel.encode.modality import Prepare
from gemel.errors import ConfigError
from gemel.train.arrays import Arrays, Views
from gemel.train.towers import Defaults, Trainable
from gemel.train.views.audio import AudioViews

if TYPE_CHECKING:
    from gemel.train.backbones.source import Source

DIMS = {"tiny": 64, "small": 128, "base": 256}
CHANNELS = {"tiny": 32, "small": 96, "base": 192}
DILATIONS = (1, 2, 3)
CONFIG = "config.json"
"""A folder of `transformers` has one."""


class AudioTower(nn.Module):
    """`mel` (b, frames, bands) uint8 to unit rows (b, dim).

    Args:
        arrays: prepared training recordings; the whitening is computed on them.
        size: `tiny`, `small` or `base`.
    """

    level: Tensor
    mean: Tensor
    whiten: Tensor

    def __init__(self, arrays: Arrays, *, size: str = "small") -> None:
        super().__init__()
        dim, c = DIMS[size], CHANNELS[size]
        self.register_buffer("level", torch.zeros(N_BANDS))
        self.register_buffer("mean", torch.zeros(4 * N_BANDS))
        self.register_buffer("whiten", torch.zeros(4 * N_BANDS, dim))
        self._fit(torch.from_numpy(np.array(arrays["mel"])))
        layers: list[nn.Module] = []
        for i, dilation in enumerate(DILATIONS):
            n_in = N_BANDS if i == 0 else c
            layers += [nn.Conv1d(n_in, c, 3, padding=dilation, dilation=dilation), nn.GELU()]
            layers += [nn.GroupNorm(8, c)]
        self.frames = nn.Sequential(*layers)
        self.attend = nn.Sequential(nn.Conv1d(c, 32, 1), nn.Tanh(), nn.Conv1d(32, c, 1))
        self.head = nn.Linear(2 * c, dim)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @torch.no_grad()
    def _fit(self, mel: Tensor) -> None:
        there = mel.amax(dim=2) > 0
        self.level.copy_(mel[there].float().mean(dim=0))
        features = torch.cat([_statistics(*self._heard(part)) for part in mel.split(256)]).double()
        mean = features.mean(dim=0)
        centred = features - mean
        variance, axes = torch.linalg.eigh(centred.T @ centred / len(centred))
        variance, axes = variance.flip(0).clamp(min=0), axes.flip(1)
        # A floor keeps directions that hardly vary in training from being blown up.
        scaled = axes * (variance + 0.02 * variance.mean() + 1e-12) ** -0.5
        n = min(self.whiten.shape)
        self.whiten[:, :n] = scaled[:, :n].float()
        self.whiten /= (centred.float() @ self.whiten).norm(dim=1).mean().clamp(min=1e-6)
        self.mean.copy_(mean.float())

    def _heard(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Levels about zero, (b, bands, frames), and which frames there are, (b, 1, frames)."""
        there = (mel.amax(dim=2) > 0).to(torch.float32)[:, None]
        levels = (mel.to(torch.float32) - self.level) / 30.0
        return levels.transpose(1, 2) * there, there

    def forward(self, mel: Tensor) -> Tensor:
        """Unit rows, (b, dim) float32."""
        levels, there = self._heard(mel)
        closed_form = (_statistics(levels, there) - self.mean) @ self.whiten
        frames = self.frames(levels)
        share = torch.softmax(self.attend(frames) - 1e4 * (1 - there), dim=2)
        centre = (frames * share).sum(dim=2)
        spread = (((frames - centre[..., None]) ** 2 * share).sum(dim=2) + 1e-5).sqrt()
        learned = self.head(torch.cat([centre, spread], dim=1))
        return F.normalize(closed_form + learned, dim=1)


def _statistics(levels: Tensor, there: Tensor) -> Tensor:
    """Mean and spread of levels, mean and spread of what loud frames change: (b, 4 bands)."""
    n = there.sum(dim=2).clamp(min=1)
    mean = levels.sum(dim=2) / n
    spread = ((((levels - mean[..., None]) ** 2) * there).sum(dim=2) / n + 1e-6).sqrt()
    loud = levels.mean(dim=1, keepdim=True)
    share = torch.softmax(8 * loud - 1e4 * (1 - there), dim=2)
    voiced = (levels * share).sum(dim=2)
    change = (levels[..., 1:] - levels[..., :-1]).abs() * there[..., 1:]
    return torch.cat([mean, spread, voiced, change.sum(dim=2) / n], dim=1)


def _prepare(payloads: Sequence[Any], fields: tuple[Any, ...]) -> Prepare:
    return AudioPrepare.fit(payloads)


def _voiced(payloads: Sequence[Any], fields: tuple[Any, ...]) -> Prepare:
    return AudioPrepare.fit(payloads, voiced=True)


def _on(source: Source) -> Trainable:
    from gemel.train.backbones import sound, voice

    is_library = (source.folder / CONFIG).is_file()
    return sound.opened(source) if is_library else voice.opened(source)


def _tower(prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
    if not isinstance(prepare, AudioPrepare):
        raise ConfigError(f"the audio tower cannot take {prepare.modality!r} input")
    return AudioTower(arrays, size=size)


def _views(prepare: Prepare) -> Views:
    return AudioViews()


AUDIO = Trainable(
    "audio",
    prepare=_prepare,
    tower=_tower,
    views=_views,
    voiced=_voiced,
    on=_on,
    defaults=Defaults(
        identities_per_batch=16,
        views_per_identity=8,
        max_epochs=15,
        patience=4,
        learning_rate=1e-4,
        averaging=0.9,
    ),
)
