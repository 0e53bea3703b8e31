"""What a release is compared with: the similarity one would have without learning anything.

Rows: character n-grams of all fields together, weighted by TF-IDF. Images: their pixels. A baseline
is measured by the very same functions as the release, with a threshold of its own chosen on dev.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.arrays import Float32, Int64, unit_rows
from gemel.data.dataset import Dataset
from gemel.encode.comparators import Scorer
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Prepare

BATCH = 256


@dataclass(frozen=True)
class Features:
    """Records as a baseline sees them.

    Attributes:
        name: of the baseline, for a table.
        how: one sentence for the report.
        rows: (n, d) float32, one per record, as the comparator wants them.
        comparator: what scores a pair of rows.
    """

    name: str
    how: str
    rows: Float32
    comparator: Scorer


@dataclass(frozen=True, eq=False)
class Sparse:
    """Cosine of sparse unit vectors; an "embedding" is (n, 1), the position of its vector.

    Holding positions keeps the memory at that of the sparse matrix, however wide it is.
    """

    vectors: Any

    def score(self, left: Float32, right: Float32) -> Float32:
        """Cosine of row i of left with row i of right: (n,) float32."""
        x, y = self._at(left), self._at(right)
        return np.asarray(x.multiply(y).sum(axis=1), np.float32).reshape(-1)

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Cosine of every left row with every right row: (n, m) float32."""
        return np.asarray((self._at(left) @ self._at(right).T).toarray(), np.float32)

    def _at(self, rows: Float32) -> Any:
        return self.vectors[rows[:, 0].astype(np.int64)]


def features(prepare: Prepare, dataset: Dataset, train: Int64, idx: Int64) -> Features:
    """Records as the baseline of their modality sees them.

    Args:
        prepare: of the release; images are resized as it does.
        dataset: where the records are.
        train: positions that n-gram weights are learned from.
        idx: (n,) positions of the records to describe.
    """
    if prepare.modality == "row":
        return _ngrams(dataset.payloads(train), dataset.payloads(idx))
    pixels = [
        _pixels(prepare, dataset.payloads(idx[start : start + BATCH]))
        for start in range(0, len(idx), BATCH)
    ]
    return Features(
        "pixels",
        "cosine of the pixels, at the size the encoder sees them",
        unit_rows(np.concatenate(pixels)),
        Cosine(),
    )


def _ngrams(train: Sequence[Any], payloads: Sequence[Any]) -> Features:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
    vectorizer.fit(_text(p) for p in train)
    vectors = vectorizer.transform(_text(p) for p in payloads).tocsr()
    return Features(
        "TF-IDF",
        "cosine of character 2- to 4-grams of all fields together, weighted by TF-IDF",
        np.arange(len(payloads), dtype=np.float32)[:, None],
        Sparse(vectors),
    )


def _text(row: dict[str, Any]) -> str:
    """All values in one text; a number as it would be typed."""
    values = (v for v in row.values() if v is not None)
    return " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)


def _pixels(prepare: Prepare, payloads: Sequence[Any]) -> Float32:
    """Pixels in [0, 1], without the normalisation meant for the network: (n, c * h * w)."""
    image = prepare(payloads)["image"].astype(np.float32)
    spec = prepare.spec()
    per_channel = (1, -1, 1, 1)
    mean = np.asarray(spec.get("mean", 0.0), np.float32).reshape(per_channel)
    std = np.asarray(spec.get("std", 1.0), np.float32).reshape(per_channel)
    return (image * std + mean).reshape(len(image), -1)
