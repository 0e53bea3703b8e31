"""Comparison vectors for the Fellegi-Sunter peers: one likeness per pair and comparator.

A likeness lies in [0, 1], -1 says that a value is missing on one side. Comparators follow the kind
of the field, as a careful user of those tools would set them up; nothing here sees a label.
"""

from __future__ import annotations

import numpy as np
from peers_records import Job
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler
from rapidfuzz.process import cpdist
from sklearn.feature_extraction.text import TfidfVectorizer

MISSING = -1.0
COMPARATORS = {
    "name": ("jaro-winkler",),
    "text": ("jaro-winkler", "grams"),
    "title": ("words",),
    "category": ("exact",),
    "number": ("edits", "near"),
    "code": ("edits",),
    "date": ("edits",),
    "day": ("years",),
    "set": ("items",),
}
# Lower edges of the levels of agreement; what lies below the first edge is disagreement.
EDGES = {
    "jaro-winkler": (0.7, 0.8, 0.88, 0.94, 1.0),
    "edits": (0.4, 0.6, 0.8, 1.0),
    "near": (0.5, 0.9, 1.0),
    "exact": (1.0,),
    "grams": (0.1, 0.3, 0.6, 0.95),
    "words": (0.02, 0.08, 0.2, 0.5),
    "items": (0.01, 0.05, 0.15, 0.4),
    "years": (0.4, 0.7, 0.9),
    "swap": (0.8, 0.9, 1.0),
}
TOKENS = {
    "grams": {"analyzer": "char_wb", "ngram_range": (2, 3)},
    "words": {"analyzer": "word", "stop_words": "english", "sublinear_tf": True},
    "items": {"token_pattern": r"[^;]+", "lowercase": True},
}
SWAPS = (("given_name", "surname"),)


class Comparison:
    """Comparators over one job; `compare` gives the vectors of any list of pairs."""

    def __init__(self, job: Job) -> None:
        everything = np.arange(len(job.rows))
        self.columns = {k: np.array(job.column(k, everything), object) for k in job.kinds}
        self.terms = [(how, k, k) for k, kind in job.kinds.items() for how in COMPARATORS[kind]]
        self.terms += [("swap", a, b) for a, b in SWAPS if {a, b} <= set(job.kinds)]
        self._vectors = {
            (how, k): TfidfVectorizer(**TOKENS[how]).fit_transform(self.columns[k].astype(str))
            for how, k, _ in self.terms
            if how in TOKENS
        }

    def compare(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(n, comparators) float32 likenesses of the records at `left` (n,) and `right` (n,)."""
        out = np.full((len(left), len(self.terms)), MISSING, dtype=np.float32)
        known = {k: np.array([v is not None for v in c]) for k, c in self.columns.items()}
        for at, (how, a, b) in enumerate(self.terms):
            both = known[a][left] & known[a][right] & known[b][left] & known[b][right]
            i, j = left[both], right[both]
            if how == "swap":
                out[both, at] = np.minimum(
                    _jaro_winkler(self.columns[a][i], self.columns[b][j]),
                    _jaro_winkler(self.columns[b][i], self.columns[a][j]),
                )
            elif how in TOKENS:
                out[both, at] = self._cosine(how, a, i, j)
            else:
                out[both, at] = SCALARS[how](self.columns[a][i], self.columns[a][j])
        return out

    def levels(self, likeness: np.ndarray) -> np.ndarray:
        """(n, comparators) int8: 0 disagreement, rising with agreement, -1 missing."""
        columns = []
        for at, (how, _, _) in enumerate(self.terms):
            level = np.searchsorted(np.array(EDGES[how]) - 1e-6, likeness[:, at], side="right")
            columns.append(np.where(likeness[:, at] == MISSING, -1, level))
        return np.stack(columns, axis=1).astype(np.int8)

    def _cosine(self, how: str, field: str, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        vectors = self._vectors[how, field]
        parts = np.array_split(np.arange(len(i)), max(1, len(i) // 100_000))
        dots = [vectors[i[p]].multiply(vectors[j[p]]).sum(axis=1) for p in parts]
        return np.asarray(np.concatenate(dots), dtype=np.float32).ravel()


def _jaro_winkler(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return cpdist(left, right, scorer=JaroWinkler.similarity, dtype=np.float32)


def _edits(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return cpdist(left, right, scorer=DamerauLevenshtein.normalized_similarity, dtype=np.float32)


def _exact(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left == right).astype(np.float32)


def _near(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """1 for equal numbers, falling by a tenth with each unit between them."""
    apart = np.abs(_numbers(left) - _numbers(right))
    return np.nan_to_num(np.maximum(0, 1 - apart / 10), nan=0.0).astype(np.float32)


def _numbers(values: np.ndarray) -> np.ndarray:
    return np.array([float(v) if v.isdigit() else np.nan for v in values])


def _years(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """1 on the same day, 0.37 ten years apart."""
    days = left.astype("datetime64[D]") - right.astype("datetime64[D]")
    return np.exp(-np.abs(days.astype(float)) / 3652).astype(np.float32)


SCALARS = {
    "jaro-winkler": _jaro_winkler,
    "edits": _edits,
    "exact": _exact,
    "near": _near,
    "years": _years,
}
