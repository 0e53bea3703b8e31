"""How well scores say of given pairs what was said of them: the order of grades, or yes and no."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    if pairing.given is None or not len(pairing.given):
        return 0.0
    left, right = pairing.given.T
    return agreement(scorer.score(rows[left], rows[right]), *said(identities, pairing))


def said(identities: Int64, pairing: Pairing) -> tuple[NDArray[Any], bool]:
    """The grade of each given pair, or whether it is genuine; and whether it is grades."""
    if pairing.grade is not None:
        return pairing.grade, True
    return pairing.is_genuine(identities), False


def agreement(score: Float32, of: NDArray[Any], graded: bool) -> float:
    """How well (p,) scores say of pairs what was said of them; 0 where all are alike."""
    from scipy.stats import spearmanr
    from sklearn.metrics import average_precision_score

    if not graded:
        return float(average_precision_score(of, score)) if of.any() else 0.0
    if np.ptp(of) == 0 or np.ptp(score) == 0:
        return 0.0
    return float(spearmanr(score, of).statistic)
