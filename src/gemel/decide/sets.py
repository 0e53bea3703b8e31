"""Many scores of one set of records, judged by a policy, with probabilities that fit the set.

The prior of the policy is the share of genuine pairs in this set: with ten times the records it is
ten times the impostors for each genuine pair. Who knows it, and what becomes of the pairs, is not
known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # which imports its parts when they are used

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.decide.bands import MATCH, OUTCOMES, Outcome
from gemel.decide.outcomes import Pair
from gemel.decide.policy import Policy

APART = np.float32(-1e12)
"""Score of two records that a rule keeps apart, in a cluster of any size."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What a policy says about p scores.

    Attributes:
        outcome: p outcomes.
        match: (p,) bool.
        probability: (p,) float64 of a match at the policy's prior; NaN without a likelihood.
    """

    outcome: list[Outcome]
    match: Bool
    probability: Float64

    def kept(self, which: Bool, unsure: Bool) -> Judged:
        """The same, without other matches than `which`: for review if `unsure`, (p,) bool each."""
        told: list[Outcome] = [*self.outcome]
        for i in np.flatnonzero(self.match & ~which).tolist():
            told[i] = "review" if unsure[i] else "no_match"
        return Judged(told, self.match & which, self.probability)


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of p pairs: n values, and for each pair the positions of its two, (p,) each."""

    values: Sequence[Any]
    left: Int64
    right: Int64


def judge(
    policy: Policy,
    score: Float64,
    *,
    categories: Sequence[Pair] | None = None,
    rows: Rows | None = None,
) -> Judged:
    """Decisions for the highest scores of a set of pairs.

    Args:
        policy: decides each score as it decides one comparison.
        score: (p,) of every pair that may match or be for review, see `lowest`.
        categories: p pairs of categories; None where none is known.
        rows: of each pair, for rules to look at; None for no rules.
    """
    code = policy.outcomes(score, categories)
    if rows is not None:
        for rule in policy.rules:
            fired = rule.fires_on(rows.values, rows.left, rows.right)
            code[fired] = np.minimum(code[fired], OUTCOMES.index(rule.then))
    outcome, match = [OUTCOMES[c] for c in code.tolist()], code == MATCH
    if policy.likelihood is None or not len(score):
        return Judged(outcome, match, np.full(len(score), np.nan))
    llr = policy.likelihood.llrs(policy.levels(score, categories))
    return Judged(outcome, match, scipy.special.expit(llr + scipy.special.logit(policy.prior)))


def lowest(policy: Policy, levelled: float) -> float:
    """The lowest score that a limit means in any category: none below it reaches the limit."""
    if policy.categories is None:
        return levelled
    return min(line.shift + line.scale * levelled for line in policy.categories.lines.values())


def levelled(policy: Policy, scores: Float32, names: Sequence[str | None]) -> Float32:
    """Scores of all pairs of some records, as one threshold for all categories takes them.

    Args:
        policy: levels the scores of each category, or none.
        scores: (m, m) float32.
        names: m categories; None where unknown.
    """
    if policy.categories is None:
        return scores
    code = policy.categories.codes([name or "" for name in names])[:-1]  # no category is blank
    left, right = np.repeat(code, len(code)), np.tile(code, len(code))
    return policy.categories.level_block(scores.ravel(), left, right).reshape(scores.shape)


def scored(
    policy: Policy, scores: Float32, names: Sequence[str | None], rows: Sequence[Any]
) -> Float32:
    """Scores of all pairs of some records for clusters: levelled, and far below where rules say no.

    Args:
        policy: levels and rules.
        scores: (m, m) float32.
        names: m categories; None where unknown.
        rows: m rows, or anything else that rules say nothing of.
    """
    found = levelled(policy, scores, names)
    rules = [rule for rule in policy.rules if rule.then == "no_match"]
    if not rules:
        return found
    found = found.copy()
    left, right = np.indices(found.shape).reshape(2, -1)
    for rule in rules:
        found[rule.fires_on(rows, left, right).reshape(found.shape)] = APART
    return found
