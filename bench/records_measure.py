"""What a contestant is measured by: pairwise precision, recall, F1 and recall at 1, with intervals.

Every pair of records counts. Scores lie in the order of `numpy.triu_indices(n, 1)`; a pair that a
contestant never compared has the score -inf and is a non-match at every threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_BOOTSTRAP = 1000
MEASURES = ("precision", "recall", "f1", "recall_at_1")


@dataclass(frozen=True)
class Truth:
    """Identity codes (n,) of the records and, per pair, both codes and whether they are equal."""

    codes: np.ndarray
    left: np.ndarray
    right: np.ndarray
    genuine: np.ndarray

    @classmethod
    def of(cls, identities: np.ndarray) -> Truth:
        """The truth about all pairs of records of these identities (n,)."""
        codes = np.unique(identities, return_inverse=True)[1].astype(np.int32)
        i, j = np.triu_indices(len(codes), 1)
        left, right = codes[i], codes[j]
        return cls(codes, left, right, left == right)


def best_f1_threshold(score: np.ndarray, truth: Truth) -> float:
    """The threshold with the highest pairwise F1; tied scores are accepted or refused together."""
    seen = np.isfinite(score)
    order = np.argsort(-score[seen], kind="stable")
    value, genuine = score[seen][order], truth.genuine[seen][order]
    last = np.append(value[1:] != value[:-1], True)
    hits, accepted = np.cumsum(genuine)[last], np.flatnonzero(last) + 1
    f1 = 2 * hits / (accepted + truth.genuine.sum())
    return float(value[last][np.argmax(f1)])


@dataclass(frozen=True)
class Result:
    """What happened on a side, kept by identity so that identities can be resampled.

    `hits` and `genuine` count accepted and all genuine pairs per identity, `left` and `right` are
    the identities of the false matches; `found` and `sought` are recall at 1 per identity: records
    with a mate whose best other record is one, and records with a mate.
    """

    hits: np.ndarray
    genuine: np.ndarray
    left: np.ndarray
    right: np.ndarray
    found: np.ndarray
    sought: np.ndarray

    @classmethod
    def at(cls, threshold: float, score: np.ndarray, truth: Truth) -> Result:
        """The result on a side when pairs scored `threshold` or more are matches."""
        n = int(truth.codes.max()) + 1
        match = score >= threshold
        hit, wrong = match & truth.genuine, match & ~truth.genuine
        share, sought = _best_is_mate(score, truth)
        return cls(
            np.bincount(truth.left[hit], minlength=n),
            np.bincount(truth.left[truth.genuine], minlength=n),
            truth.left[wrong],
            truth.right[wrong],
            np.bincount(truth.codes, share, minlength=n),
            np.bincount(truth.codes, sought, minlength=n),
        )

    def measure(self, weight: np.ndarray | None = None) -> np.ndarray:
        """MEASURES (4,) when identity i stands in the data `weight[i]` times (default: once)."""
        weight = np.ones(len(self.hits)) if weight is None else weight
        hits = float(self.hits @ weight)
        wrong = float(weight[self.left] @ weight[self.right])
        genuine, sought = float(self.genuine @ weight), float(self.sought @ weight)
        return np.array(
            [
                hits / (hits + wrong) if hits + wrong else 1.0,
                hits / genuine if genuine else 1.0,
                2 * hits / (hits + wrong + genuine) if hits + wrong + genuine else 1.0,
                float(self.found @ weight) / sought if sought else 1.0,
            ]
        )


def resampled(results: list[Result], seed: int = 0) -> np.ndarray:
    """(N_BOOTSTRAP, contestants, 4) measures on identities drawn with replacement.

    All contestants see the same draws, so differences may be taken draw by draw. A false match
    between identities i and j counts weight i times weight j.
    Source: Owen 2007, The pigeonhole bootstrap.
    """
    n = len(results[0].genuine)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=N_BOOTSTRAP).astype(float)
    return np.array([[one.measure(weight) for one in results] for weight in draws])


def _best_is_mate(score: np.ndarray, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Per record whether its best scored other record is a mate, and whether it has a mate.

    Among records that tie for best the share of mates counts; no compared record is a miss.
    """
    n = len(truth.codes)
    square = np.full((n, n), -np.inf, dtype=np.float32)
    square[np.triu_indices(n, 1)] = score
    square = np.maximum(square, square.T)
    best = square.max(axis=1, keepdims=True)
    tied = (square == best) & np.isfinite(best)
    mate = truth.codes[:, None] == truth.codes[None, :]
    np.fill_diagonal(mate, False)
    share = (tied & mate).sum(axis=1) / np.maximum(tied.sum(axis=1), 1)
    return share, mate.any(axis=1).astype(float)
