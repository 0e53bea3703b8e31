"""Rows compared without learning: character n-grams of all fields together, weighted by TF-IDF."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.arrays import Float32
from gemel.encode.modality import Baseline, Payload


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


def ngrams(train: Iterable[Payload], payloads: Iterable[Payload]) -> Baseline:
    """The rows as TF-IDF sees them, with weights of the training rows."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
    vectorizer.fit(_text(p) for p in train)
    vectors = vectorizer.transform(_text(p) for p in payloads).tocsr()
    return Baseline(
        "TF-IDF",
        "cosine of character 2- to 4-grams of all fields together, weighted by TF-IDF",
        np.arange(vectors.shape[0], dtype=np.float32)[:, None],
        Sparse(vectors),
    )


def _text(row: dict[str, Any]) -> str:
    """All values in one text; a number as it would be typed."""
    values = (v for v in row.values() if v is not None)
    return " ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
