"""How well scores say of given pairs what was said of them: the order of grades, or yes and no."""

from __future__ import annotations

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.data.pairing import Pairing
from gemel.encode.comparators import Scorer

GRADES = "rank correlation with the given grades"
ANSWERS = "average precision of the given pairs"


def measure_of(pairing: Pairing) -> str:
    """The name of what `reached` gives for these pairs."""
    return ANSWERS if pairing.grade is None else GRADES


def reached(rows: Float32, identities: Int64, scorer: Scorer, pairing: Pairing) -> float:
    """Spearman's correlation with the grades, or the mean precision over the genuine pairs.

    Args:
        rows: (n, d) unit rows.
        identities: (n,) codes.
        scorer: what scores a pair.
        pairing: of the rows; without given pairs, or where all are alike, nothing is reached: 0.
    """
    from scipy.stats import spearmanr
    from sklearn.metrics import average_precision_score

    if pairing.given is None or not len(pairing.given):
        return 0.0
    left, right = pairing.given.T
    score = scorer.score(rows[left], rows[right])
    if pairing.grade is not None:
        if np.ptp(pairing.grade) == 0 or np.ptp(score) == 0:
            return 0.0
        return float(spearmanr(score, pairing.grade).statistic)
    genuine = pairing.is_genuine(identities)
    return float(average_precision_score(genuine, score)) if genuine.any() else 0.0
