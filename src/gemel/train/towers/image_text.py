"""Two towers, of pictures and of texts, that end in one space.

Each is the tower of its own modality. What each gives goes through a linear layer that starts where
the pairs of training agree most in closed form (regularised canonical correlation), and all of it
is trained from there. One coordinate says which of the two a row is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.arrays import Float32, Float64, Int64
from gemel.encode.image_text.prepare import IS_TEXT, NAME, ImageTextPrepare
from gemel.encode.modality import Prepare
from gemel.errors import ConfigError
from gemel.train.arrays import Arrays, Views, embed, take
from gemel.train.comparators import kinds
from gemel.train.towers import Defaults, Trainable
from gemel.train.towers.image import ImageTower
from gemel.train.towers.text import TextTower
from gemel.train.views.image import ImageViews
from gemel.train.views.text import TextViews

DIMS = {"small": 128, "base": 256}
MARK = 0.1
"""First coordinate of a picture's row; that of a text's is below zero by as much."""
MOST_PAIRS = 4096
"""Of training that the start is computed on."""
RIDGE = 0.1
"""Of the mean variance, added to every variance before rows are whitened."""


class ImageTextTower(nn.Module):
    """`image`, `gram`, `count` and `is_text` to unit rows (b, dim) of one space.

    Args:
        prepare: of both.
        arrays: prepared training records of both.
        size: `small` or `base`.
    Raises:
        ConfigError: all records are of one kind.
    """

    def __init__(self, prepare: ImageTextPrepare, arrays: Arrays, *, size: str = "small") -> None:
        super().__init__()
        pictures, texts = (np.flatnonzero(arrays[IS_TEXT] == kind) for kind in (0, 1))
        if not len(texts) or not len(pictures):
            raise ConfigError(
                "training takes pictures with their texts",
                where="data.path",
                hint="a table with a column of picture files and one of text, or a text file of "
                "the same name beside each picture",
            )
        self.image = ImageTower(prepare.image, take(arrays, pictures), size=size)
        self.text = TextTower(take(arrays, texts), size=size)
        self.of_image = nn.Linear(self.image.head.out_features, DIMS[size])
        self.of_text = nn.Linear(self.text.n_sketch + self.text.table.shape[1], DIMS[size])

    def forward(self, image: Tensor, gram: Tensor, count: Tensor, is_text: Tensor) -> Tensor:
        """Unit rows, (b, 1 + dim) float32; the first coordinate says which kind a row is of."""
        if torch.compiler.is_exporting():
            pictures = self.of_image(self.image(image))
            texts = self.of_text(self.text(gram, count))
            rows = torch.where(is_text[:, None] > 0, texts, pictures)
        else:
            seen, said = (torch.nonzero(is_text == kind)[:, 0] for kind in (0, 1))
            pictures = self.of_image(self.image(image[seen]))
            texts = self.of_text(self.text(gram[said], count[said]))
            rows = torch.cat([pictures, texts])[torch.argsort(torch.cat([seen, said]))]
        mark = MARK * (1.0 - 2.0 * is_text[:, None].to(rows.dtype))
        return torch.cat([mark, F.normalize(rows, dim=1) * (1.0 - MARK**2) ** 0.5], dim=1)

    def begin(self, arrays: Arrays, pairs: Int64) -> None:
        """Put both linear layers where the pairs, (m, 2) positions, agree most."""
        some = pairs[np.unique(np.linspace(0, len(pairs) - 1, MOST_PAIRS).astype(np.int64))]
        pictures = embed(self.image, {"image": arrays["image"][some[:, 0]]})
        texts = embed(self.text, {name: arrays[name][some[:, 1]] for name in ("gram", "count")})
        found = agreeing(pictures, texts, self.of_image.out_features)
        for layer, (matrix, mean) in zip((self.of_image, self.of_text), found, strict=True):
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(matrix.T))
                layer.bias.copy_(torch.from_numpy(-mean @ matrix))


def agreeing(
    left: Float32, right: Float32, dim: int
) -> tuple[tuple[Float64, Float64], tuple[Float64, Float64]]:
    """For both sides the (p, dim) directions in which pairs agree most, and the mean of the rows.

    Args:
        left: (m, p) rows of one side.
        right: (m, q) rows of the other, of the same pairs.
        dim: directions; each counts as the root of its correlation.
    Source: Hotelling 1936; Vinod 1976, Canonical ridge.
    """
    means, whitened, whitening = [], [], []
    for rows in (left, right):
        mean = rows.mean(axis=0, dtype=np.float64)
        centred = rows.astype(np.float64) - mean
        variance, axes = np.linalg.eigh(centred.T @ centred / len(rows))
        power = (np.maximum(variance, 0) + RIDGE * variance.mean() + 1e-12) ** -0.5
        means.append(mean)
        whitening.append(axes * power)
        whitened.append(centred @ whitening[-1])
    u, length, v = np.linalg.svd(whitened[0].T @ whitened[1] / len(left), full_matrices=False)
    n = min(dim, len(length))
    root = np.sqrt(length[:n])
    sides = []
    for matrix, turned, mean in zip(whitening, (u, v.T), means, strict=True):
        out = np.zeros((len(mean), dim))
        out[:, :n] = matrix @ turned[:, :n] * root
        sides.append((out, mean))
    return sides[0], sides[1]


def _prepare(payloads: Sequence[Any], fields: tuple[Any, ...]) -> Prepare:
    return ImageTextPrepare.fit(payloads)


def _tower(prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
    if not isinstance(prepare, ImageTextPrepare):
        raise ConfigError(f"the tower of pictures and texts cannot take {prepare.modality!r} input")
    return ImageTextTower(prepare, arrays, size=size)


def _begin(tower: nn.Module, arrays: Arrays, pairs: Int64) -> None:
    if not isinstance(tower, ImageTextTower):
        raise ConfigError(f"not a tower of pictures and texts: {type(tower).__name__}")
    tower.begin(arrays, pairs)


def _views(prepare: Prepare) -> Views:
    image, text = ImageViews(symmetries=False), TextViews()

    def vary(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        return {**arrays, **image(arrays, rng), **text(arrays, rng)}

    return vary


IMAGE_TEXT = Trainable(
    NAME,
    prepare=_prepare,
    sized=ImageTextPrepare.fit,
    tower=_tower,
    views=_views,
    across=_begin,
    comparator=kinds.fit,
    defaults=Defaults(
        loss="ntxent",
        identities_per_batch=64,
        views_per_identity=2,
        max_epochs=30,
        patience=15,
        learning_rate=1e-3,
        averaging=0.95,
    ),
)
