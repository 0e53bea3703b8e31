"""Recordings by a pretrained network of `transformers`, from a folder or a name that a hub knows.

Networks that hear waves (wav2vec 2.0, HuBERT, WavLM), the encoder of Whisper, and Audio Spectrogram
Transformers. What the folder says of rate, length, levels and bands is done as part of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.encode.audio.waves import WavePrepare
from gemel.encode.modality import Prepare
from gemel.train.arrays import Arrays
from gemel.train.backbones import lora, spectrum, voice
from gemel.train.backbones.frozen import Backbone, mean_of_windows, tuned, unvaried
from gemel.train.backbones.library import opening, transformers
from gemel.train.backbones.source import Source
from gemel.train.backbones.spectrum import Heard
from gemel.train.towers import Trainable

DEFAULTS = {**voice.DEFAULTS, "lora": replace(voice.DEFAULTS["all"], learning_rate=5e-4)}


class SoundTower(Backbone):
    """`wave` (b, w, length) and `samples` (b, w) to unit rows: of the mean of the windows there.

    Args:
        heard: what is made of a window before the first layer.
        network: gives (m, places, d), or a row of each window.
        dim: d.
    """

    def __init__(self, heard: Heard, network: nn.Module, dim: int) -> None:
        super().__init__()
        self.heard = heard
        self.network = network
        self.dim = dim

    def whole(self) -> SoundTower:
        """The network with what was added to its layers added in."""
        self.network = lora.merged(self.network)
        return self

    def forward(self, wave: Tensor, samples: Tensor) -> Tensor:
        """Unit rows, (b, d) float32."""
        windows, n = wave.flatten(0, 1), samples.flatten()
        seen = self.network(**{self.heard.name: self.heard(windows, n)})
        pooled = getattr(seen, "pooler_output", None)
        if pooled is None:
            pooled = self._mean(seen.last_hidden_state, n)
        out: Tensor = self.head(mean_of_windows(F.normalize(pooled, dim=1), samples > 0))
        return out

    def _mean(self, hidden: Tensor, n: Tensor) -> Tensor:
        """Of places (m, places, d) that begin within the n samples of their window."""
        if not self.heard.per_step:
            return hidden.mean(dim=1)
        at = torch.arange(hidden.shape[1], device=hidden.device) * self.heard.per_step
        weight = (at < n[:, None]).to(hidden.dtype)[..., None]
        return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def opened(source: Source) -> Trainable:
    """The training half of recordings on a network of `transformers`.

    Raises:
        ConfigError: the folder holds none, or one whose recordings are prepared in no known way.
    """
    with opening():
        library = transformers()
        said = library.AutoFeatureExtractor.from_pretrained(source.folder, local_files_only=True)
    heard = spectrum.heard(said)

    def prepare(payloads: Sequence[Any], fields: tuple[Any, ...]) -> Prepare:
        return WavePrepare.fit(payloads, heard.rate, heard.length, heard.short)

    def tower(prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
        loaded = SoundTower(heard, *_network(source.folder))
        if source.tune == "lora":
            loaded.network = lora.adapted(loaded.network)
        return tuned(loaded, loaded.dim, source)

    return Trainable(
        "audio",
        prepare=prepare,
        tower=tower,
        views=unvaried,
        defaults=DEFAULTS[source.tune],
        start=source.digest,
        licence=source.licence,
    )


def _network(folder: Path) -> tuple[nn.Module, int]:
    """The network with its weights, of several that which hears, and the length of its rows."""
    with opening():
        library = transformers()
        config = library.AutoConfig.from_pretrained(folder, local_files_only=True)
        # Parts of a wave are not hidden while it learns: two runs would not be the same.
        config.apply_spec_augment = False
        how: dict[str, Any] = {"attn_implementation": "eager", "local_files_only": True}
        whole = library.AutoModel.from_pretrained(folder, config=config, **how)
    network = whole.get_encoder() if config.is_encoder_decoder else whole
    return network.float().eval(), int(config.hidden_size)
