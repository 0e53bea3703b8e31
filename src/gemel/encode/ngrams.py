"""Texts compared without learning: character n-grams, weighted by TF-IDF."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.arrays import Float32
from gemel.encode.modality import Baseline


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


def ngrams(train: Iterable[str], texts: Iterable[str], *, of: str) -> Baseline:
    """Texts as TF-IDF sees them.

    Args:
        train: what the weights are counted on.
        texts: n texts to describe.
        of: what a text is, for the report.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
    vectorizer.fit(train)
    vectors = vectorizer.transform(texts).tocsr()
    return Baseline(
        "TF-IDF",
        f"cosine of character 2- to 4-grams of {of}, weighted by TF-IDF",
        np.arange(vectors.shape[0], dtype=np.float32)[:, None],
        Sparse(vectors),
    )
