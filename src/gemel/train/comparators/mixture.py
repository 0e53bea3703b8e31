"""Which candidate pairs belong together, told without labels: a mixture of two kinds of pairs.

Each field of a pair agrees to some level. Pairs that belong together agree more often than others;
how often either kind reaches each level, and how many of either there are, is what explains best
what was seen. Fields are taken as independent within a kind, but for how many differ at once among
what belongs together. To share a rare value says more than to share a common one; a value that one
side lacks says nothing. Two values that changed places are compared where they went, at the price
of how rarely that happens, which is told as well.

Source: Fellegi and Sunter 1969; Winkler 1988 for the estimate by expectation maximization, and 2000
for values by their frequency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Float32, Float64
from gemel.train.comparators.agreement import N_LEVELS, Patterns, shares
from gemel.train.comparators.differing import Differing

START = (0.02, 0.02, 0.02, 0.04, 0.05, 0.05, 0.8)
"""Shares of the levels among pairs that belong together, before anything was seen."""
PSEUDO = 0.5
"""Pairs added to each level of those that belong together."""
LEAST_U = 1e-9
MAX_STEPS = 300
TOLERANCE = 1e-4
MAX_LOG_ODDS = 50.0
CHANGED_PLACES = 0.02
"""Share of the pairs that belong together in which two given fields changed places, before anything
was seen."""
PSEUDO_PLACES = 10.0
"""Pairs that belong together that this first share counts for."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """What explains the patterns best.

    Attributes:
        posterior: (n,) probability that a pair belongs together.
        share: of pairs that belong together among all that the weights stand for.
        together: (F, levels) share of each level among what belongs together.
        apart: (F, levels) among what does not.
    """

    posterior: Float64
    share: float
    together: Float64
    apart: Float64


def fit(seen: Patterns, weight: Float32, n_records: int) -> Mixture:
    """The mixture that explains the patterns.

    Args:
        seen: of n pairs.
        weight: (n,) how many pairs each stands for.
        n_records: that the pairs are of; one mate each is the first guess.
    """
    weights, n_fields = weight.astype(np.float64), seen.level.shape[1]
    together = np.tile(np.array(START), (n_fields, 1))
    apart = shares(seen.level, weights, LEAST_U * weights.sum())
    share, moved, posterior = 1 / n_records, CHANGED_PLACES, np.zeros(len(weights))
    same = seen.level == N_LEVELS - 1
    by_chance = chances(seen, n_records)
    differing, at_once = Differing.among(seen.level >= 0, same), np.zeros(len(weights))
    for _ in range(MAX_STEPS):
        odds = np.log(share / (1 - share)) + np.log(moved) * seen.changed + at_once
        odds += ratio(seen, by_chance, together, apart)
        posterior = probable(odds)
        before, share = share, float(weights @ posterior / weights.sum())
        genuine = weights * posterior
        moved = moving(seen, genuine)
        together = shares(seen.level, genuine, PSEUDO)
        at_once = differing.log_ratio(genuine, 1 - together[:, -1])
        apart = shares(seen.level, weights * (1 - posterior), LEAST_U * weights.sum())
        if abs(share - before) <= TOLERANCE * before:
            break
    return Mixture(posterior, share, together, apart)


def chances(seen: Patterns, n_records: int) -> Float64:
    """Log of how often two strangers have the value of a field that a pair shares: (n, F)."""
    return np.asarray(np.log(np.maximum(seen.chance, 1 / n_records)))


def ratio(seen: Patterns, by_chance: Float64, kind: Float64, apart: Float64) -> Float64:
    """Log of how much likelier each pattern is of a kind of pairs than of strangers: (n,).

    Args:
        seen: of n pairs.
        by_chance: see `chances`.
        kind: (F, levels) share of each level in that kind.
        apart: (F, levels) among strangers.
    """
    odds = np.zeros(len(seen.level))
    for field, reached in enumerate(seen.level.T):
        # One more level, for a value that is missing.
        says = np.append(np.log(kind[field] / apart[field]), 0.0)[reached]
        rare = np.log(kind[field, -1]) - by_chance[:, field]
        odds += np.where(reached == N_LEVELS - 1, rare, says)
    return odds


def probable(odds: Float64) -> Float64:
    """The probabilities of log-odds: (n,)."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -MAX_LOG_ODDS, MAX_LOG_ODDS))))


def moving(seen: Patterns, genuine: Float64) -> float:
    """Share of pairs that belong together in which two given fields changed places."""
    found = CHANGED_PLACES * PSEUDO_PLACES + float(genuine @ seen.changed)
    return found / (PSEUDO_PLACES + float(genuine.sum()))
