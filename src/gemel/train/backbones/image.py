"""Images by a pretrained network: EfficientNet-Lite0 out of its package, or a folder of one.

The whole image is padded to a square, as gemel's own encoder sees it, and not cropped in the middle
as for ImageNet: what is at the edge of a logo or a product counts. Size, mean and spread are those
that the network was trained with, unless `train.image_size` says another size.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.encode.image.prepare import ImagePrepare
from gemel.encode.modality import Prepare
from gemel.errors import ConfigError
from gemel.train.arrays import Arrays
from gemel.train.backbones import efficientnet_lite, lora
from gemel.train.backbones.frozen import Backbone, tuned, unvaried
from gemel.train.backbones.library import opening, transformers
from gemel.train.backbones.source import Source
from gemel.train.towers import Defaults, Trainable
from gemel.train.views.image import ImageViews

DEFAULTS = {
    "none": Defaults(max_epochs=0),
    "head": Defaults(
        identities_per_batch=64,
        views_per_identity=4,
        max_epochs=30,
        patience=6,
        learning_rate=1e-3,
        weight_decay=0.0,
    ),
    "lora": Defaults(
        identities_per_batch=16,
        views_per_identity=4,
        max_epochs=5,
        patience=2,
        learning_rate=5e-4,
    ),
    "all": Defaults(
        identities_per_batch=16,
        views_per_identity=4,
        max_epochs=5,
        patience=2,
        learning_rate=1e-4,
    ),
}
OF_LITE0 = (160, (127 / 255,) * 3, (128 / 255,) * 3)
"""Side in pixels, mean and spread of each channel, of values from 0 to 1."""


class VisionTower(Backbone):
    """`image` (b, 3, size, size) to unit rows.

    Args:
        network: gives (b, d) features, or what `transformers` gives.
        dim: d.
    """

    def __init__(self, network: nn.Module, dim: int) -> None:
        super().__init__()
        self.network = network
        self.dim = dim

    def whole(self) -> VisionTower:
        """The network with what was added to its layers added in."""
        self.network = lora.merged(self.network)
        return self

    def forward(self, image: Tensor) -> Tensor:
        """Unit rows, (b, d) float32."""
        if isinstance(self.network, efficientnet_lite.Lite0):
            features = self.network(image)
        else:
            seen = self.network(pixel_values=image)
            pooled = getattr(seen, "pooler_output", None)
            features = _mean(seen.last_hidden_state) if pooled is None else pooled.flatten(1)
        out: Tensor = self.head(F.normalize(features, dim=1))
        return out


def _mean(hidden: Tensor) -> Tensor:
    """Of patches (b, n, d), or of places (b, d, h, w)."""
    return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))


def opened(source: Source) -> Trainable:
    """The training half of images on a pretrained network.

    Raises:
        ConfigError: the folder holds none that is known.
    """
    weights = next(iter(sorted(source.folder.glob("*.pth"))), None)
    side, mean, std = OF_LITE0 if weights else _described(source.folder)

    def prepare(payloads: Sequence[Any], size: int) -> Prepare:
        fitted = ImagePrepare.fit(payloads, size or side)
        return ImagePrepare(fitted.size, 3, mean, std, fitted.flat)

    trained_whole = source.tune in ("lora", "all")

    def tower(prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
        if weights is not None:
            loaded = VisionTower(efficientnet_lite.load(weights), efficientnet_lite.FEATURES)
        else:
            loaded = _of_library(source.folder, arrays)
        if source.tune == "lora":
            loaded.network = lora.adapted(loaded.network)
        return tuned(loaded, loaded.dim, source)

    return Trainable(
        "image",
        prepare=lambda payloads, fields: prepare(payloads, 0),
        sized=prepare,
        tower=tower,
        views=lambda prepare: ImageViews() if trained_whole else unvaried(prepare),
        defaults=DEFAULTS[source.tune],
        start=source.digest,
        licence=source.licence,
    )


def _described(folder: Path) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Size, mean and spread that `preprocessor_config.json` states."""
    path = folder / "preprocessor_config.json"
    try:
        said = json.loads(path.read_text("utf-8"))
        size = said["size"]
        side = size if isinstance(size, int) else size.get("height", size.get("shortest_edge"))
        return int(side), tuple(said["image_mean"]), tuple(said["image_std"])
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise ConfigError(
            f"no size, mean and spread of images: {e!r}",
            where=str(path),
            hint="a folder of transformers for images has them in preprocessor_config.json",
        ) from e


def _of_library(folder: Path, arrays: Arrays) -> VisionTower:
    with opening():
        library = transformers()
        config = library.AutoConfig.from_pretrained(folder, local_files_only=True)
        # Of two towers in one folder, as CLIP has, the one for images.
        half = getattr(config, "vision_config", None)
        how: dict[str, Any] = {"attn_implementation": "eager", "local_files_only": True}
        network = library.AutoModel.from_pretrained(folder, **how)
        network = (network.vision_model if half is not None else network).float().eval()
    tower = VisionTower(network, 0)
    with torch.no_grad():
        tower.dim = tower(torch.from_numpy(arrays["image"][:1])).shape[1]
    return tower
