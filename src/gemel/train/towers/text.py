"""The text tower: what a text has, as it is, beside what its n-grams have come to mean.

One block is a count sketch of the TF-IDF vector (Charikar, Chen and Farach-Colton, 2002): nothing
is learned in it, so words that training never saw count as much as TF-IDF lets them. The other is a
sum of vectors of n-grams. It starts as latent semantic analysis of the training texts (Deerwester
et al., 1990) and is trained from there. How much each counts is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.encode.modality import Prepare
from gemel.encode.text.prepare import TextPrepare
from gemel.errors import ConfigError
from gemel.train.arrays import Arrays, Views
from gemel.train.towers import Defaults, Trainable
from gemel.train.views.text import TextViews

if TYPE_CHECKING:
    from gemel.train.backbones.source import Source

WIDTHS = {"tiny": (256, 64), "small": (1024, 128), "base": (2048, 256)}
"""Lengths of the sketch and of the learned block."""
MAX_BUCKETS = {"tiny": 1 << 14, "small": 1 << 15, "base": 1 << 17}
LEARNED = -0.5
"""Log of the weight with which the learned block starts: alone it finds less than the sketch."""
SIGN, PLACE = 1 << 30, 15
"""Bit of a hash that is its sign in the sketch, and the first one of its place there."""


class TextTower(nn.Module):
    """`gram` (b, width) int32 and `count` (b, width) uint8 to unit rows.

    Args:
        arrays: prepared training texts; frequencies are counted on them.
        size: `tiny`, `small` or `base`.
    """

    rarity: Tensor

    def __init__(self, arrays: Arrays, *, size: str = "small") -> None:
        super().__init__()
        self.n_sketch, dim = WIDTHS[size]
        gram, count = torch.from_numpy(arrays["gram"]), torch.from_numpy(arrays["count"])
        n_used = int(torch.unique(gram[gram > 0] % MAX_BUCKETS[size]).numel())
        self.buckets = min(MAX_BUCKETS[size], 1 << max(8, 2 * n_used - 1).bit_length())
        bucket = self._bucket(gram)
        rows = torch.bincount(bucket[gram > 0].to(torch.int64), minlength=self.buckets)
        rare = torch.log((len(gram) + 1) / (rows + 1)) + 0.3
        # One past the end is no n-gram.
        self.register_buffer("rarity", F.pad(rare.float(), (0, 1)))
        weight = self._weight(bucket, count)
        self.table = nn.Parameter(torch.from_numpy(self._semantic(bucket, weight, dim)))
        self.log_weight = nn.Parameter(torch.tensor([0.0, LEARNED]))

    def _bucket(self, gram: Tensor) -> Tensor:
        """Row of the table of each n-gram, (b, width) int32."""
        return torch.where(gram > 0, gram & (self.buckets - 1), self.buckets)

    def _weight(self, bucket: Tensor, count: Tensor) -> Tensor:
        """TF-IDF of each n-gram, of length one over a text: (b, width) float32."""
        often = 1 + torch.log(count.to(torch.float32).clamp(min=1))
        return F.normalize(often * F.embedding(bucket, self.rarity[:, None])[..., 0], dim=1)

    def _semantic(self, bucket: Tensor, weight: Tensor, dim: int) -> Any:
        """Directions in which the training texts vary most, (buckets, dim) float32."""
        from scipy.sparse import csr_array
        from sklearn.utils.extmath import randomized_svd

        row = np.repeat(np.arange(len(bucket)), bucket.shape[1])
        shape = (len(bucket), self.buckets + 1)
        texts = csr_array((weight.numpy().ravel(), (row, bucket.numpy().ravel())), shape=shape)
        n = min(dim, min(shape) - 1)
        seed = int(torch.randint(1 << 31, ()).item())
        _, length, axes = randomized_svd(texts, n, random_state=seed)
        out = np.zeros((self.buckets, dim), np.float32)
        # Half way to whitening: what most texts share counts for less.
        out[:, :n] = (axes * (length[:1] / np.maximum(length, 1e-6))[:, None] ** 0.5).T[:-1]
        return out

    def forward(self, gram: Tensor, count: Tensor) -> Tensor:
        """Unit rows, (b, sketch + learned) float32."""
        bucket = self._bucket(gram)
        weight = self._weight(bucket, count)
        place = (gram >> PLACE) & (self.n_sketch - 1)
        signed = torch.where((gram & SIGN) > 0, weight, -weight)
        sketch = torch.zeros_like(weight[:, :1]).expand(-1, self.n_sketch)
        sketch = sketch.scatter_add(1, place.to(torch.int64), signed)
        table = F.pad(self.table, (0, 0, 0, 1))
        if torch.compiler.is_exporting():
            learned = torch.matmul(weight[:, None], F.embedding(bucket, table))[:, 0]
        else:
            learned = F.embedding_bag(bucket, table, per_sample_weights=weight, mode="sum")
        share = torch.exp(self.log_weight)
        parts = [F.normalize(sketch, dim=1) * share[0], F.normalize(learned, dim=1) * share[1]]
        return F.normalize(torch.cat(parts, 1), dim=1)


def _prepare(payloads: Sequence[Any], fields: tuple[Any, ...]) -> Prepare:
    return TextPrepare.fit(payloads)


def _tower(prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
    if not isinstance(prepare, TextPrepare):
        raise ConfigError(f"the text tower cannot take {prepare.modality!r} input")
    return TextTower(arrays, size=size)


def _views(prepare: Prepare) -> Views:
    return TextViews()


def _on(source: Source) -> Trainable:
    from gemel.train.backbones.text import opened

    return opened(source)


TEXT = Trainable(
    "text",
    prepare=_prepare,
    tower=_tower,
    views=_views,
    on=_on,
    defaults=Defaults(
        identities_per_batch=64,
        views_per_identity=2,
        max_epochs=20,
        patience=4,
        learning_rate=3e-3,
        weight_decay=0.0,
    ),
)
