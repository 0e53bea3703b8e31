"""How well unknown items are told from known ones: DIR at a FPIR, OSCR, AUROC, FPR95.

Known items belong to an enrolled class and may be given the right or a wrong one; unknown items
belong to none. An item is accepted if its best score reaches a threshold. The conventions differ
between papers, so the result says which ones were used. Where the threshold lies is not known here.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float64
from gemel.errors import DataError

CONVENTION = (
    "an item is accepted if its best score reaches the threshold; known items are the positives; "
    "FPR95 is the share of unknown items accepted at the highest threshold that accepts 95 % of "
    "the known ones, right class or not; DIR counts known items accepted in the right class; "
    "FNIR = 1 - DIR; OSCR is the area under DIR over FPIR"
)


class Identification(msgspec.Struct, frozen=True, kw_only=True):
    """Known items found at a stated share of unknown items accepted.

    Args:
        fpir: share of unknown items accepted, at most.
        threshold: lowest one that keeps to it.
        dir: share of known items accepted in the right class.
        fnir: the others.
    """

    fpir: float
    threshold: float
    dir: float
    fnir: float


class OpenSet(msgspec.Struct, frozen=True, kw_only=True):
    """Measures that need no threshold of a policy.

    Args:
        n_known: items of enrolled classes.
        n_unknown: items of none.
        accuracy: share of known items whose best class is right, none rejected.
        auroc: probability that a known item's best score exceeds an unknown one's; ties half.
        oscr: area under DIR over FPIR, at most the accuracy.
        fpr95: see the convention.
        identification: DIR and FNIR at stated FPIR.
        convention: what was counted, in words.
    """

    n_known: int
    n_unknown: int
    accuracy: float
    auroc: float
    oscr: float
    fpr95: float
    identification: tuple[Identification, ...]
    convention: str = CONVENTION


def measure(
    known: NDArray[Any],
    is_right: Bool,
    unknown: NDArray[Any],
    *,
    fpir: tuple[float, ...] = (0.01, 0.05, 0.1),
) -> OpenSet:
    """Measures of one set of known and one of unknown items.

    Args:
        known: (n,) best score of each known item.
        is_right: (n,) whether the class with that score is the right one.
        unknown: (m,) best score of each unknown item.
        fpir: shares of unknown items to report at.
    Raises:
        DataError: one of the two is empty, lengths differ, or a score is NaN.
    Source: ISO/IEC 19795-1 (DIR, FPIR); Dhamija, Guenther and Boult 2018, Reducing network
        agnostophobia (OSCR); OpenOOD (FPR95).
    Example:
        >>> measure(np.array([3.0, 2.0]), np.array([True, False]), np.array([1.0])).oscr
        0.5
    """
    known, unknown = np.asarray(known, np.float64), np.asarray(unknown, np.float64)
    if known.ndim != 1 or unknown.ndim != 1 or is_right.shape != known.shape:
        raise DataError("known scores, their rightness and unknown scores must be vectors")
    if not len(known) or not len(unknown):
        raise DataError("an open set needs known and unknown items")
    if np.isnan(known).any() or np.isnan(unknown).any():
        raise DataError("a score is not a number")
    above = np.sort(unknown)
    found = np.sort(known[is_right])
    cut = np.sort(known)[::-1][int(np.ceil(0.95 * len(known))) - 1]
    return OpenSet(
        n_known=len(known),
        n_unknown=len(unknown),
        accuracy=float(is_right.mean()),
        auroc=_auroc(known, above),
        oscr=_oscr(found, above, len(known)),
        fpr95=_share(above, cut),
        identification=tuple(_identified(found, above, len(known), f) for f in fpir),
    )


def _share(ascending: Float64, threshold: float) -> float:
    """Share of values that reach a threshold."""
    n_below = int(np.searchsorted(ascending, threshold, side="left"))
    return (len(ascending) - n_below) / len(ascending)


def _auroc(known: Float64, unknown: Float64) -> float:
    below = np.searchsorted(unknown, known, side="left").astype(np.float64)
    ties = np.searchsorted(unknown, known, side="right") - below
    return float((below + ties / 2).mean() / len(unknown))


def _oscr(found: Float64, unknown: Float64, n_known: int) -> float:
    """Area under DIR over FPIR; a tie of known and unknown is a slanted step."""
    cuts = np.unique(np.concatenate([found, unknown]))[::-1]
    accepted = len(unknown) - np.searchsorted(unknown, cuts, side="left")
    right = len(found) - np.searchsorted(found, cuts, side="left")
    x = np.concatenate([[0.0], accepted / len(unknown)])
    y = np.concatenate([[0.0], right / n_known])
    return float(np.trapezoid(y, x))


def _identified(found: Float64, unknown: Float64, n_known: int, fpir: float) -> Identification:
    """At the lowest threshold, just above an unknown score, that accepts no more than allowed."""
    n_allowed = int(fpir * len(unknown) + 1e-9)
    highest_rejected = (
        unknown[len(unknown) - 1 - n_allowed] if n_allowed < len(unknown) else -np.inf
    )
    threshold = float(np.nextafter(highest_rejected, np.inf))
    n_found = len(found) - int(np.searchsorted(found, threshold, side="left"))
    rate = n_found / n_known
    return Identification(fpir=fpir, threshold=threshold, dir=rate, fnir=1 - rate)
