"""Pairs that agree without belonging together: of one household, of one brand, of one series.

Where there are many of them, a mixture of two kinds of pairs takes them for what belongs together.
They are told from it by fields in which they agree no better than strangers do: people of one
household by their given names, products of one brand by what they are. Values that changed look
the same, such as the address of those who moved, but are the fewer, and no day of birth.

Source: Winkler 1993, Improved decision rules in the Fellegi-Sunter model of record linkage (three
kinds of pairs, for households).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float32, Float64
from gemel.figures import number_of
from gemel.train.comparators.agreement import N_LEVELS, Patterns, shares
from gemel.train.comparators.differing import FEWEST_FIELDS, Differing
from gemel.train.comparators.mixture import (
    MAX_STEPS,
    PSEUDO,
    START,
    TOLERANCE,
    Mixture,
    chances,
    moving,
    probable,
    ratio,
)

LIKE_STRANGERS = 0.2
"""So much less than what belongs together a field tells kin from strangers."""
TELLS = 0.2
"""Total difference of the shares of levels to those of strangers, of 2, from which a field tells
anything: of a balance, or of a random day, both kinds say nothing."""
RARE = 5.0
"""So much oftener a level is reached by what belongs together than by strangers, if it tells them
apart."""
SURPLUS = 0.5
"""Of what belongs together at such levels: pairs there beyond those by chance, at least. By chance
some agree in a balance, too, and the rest would be taken for kin."""
MOST = 1 / 3
"""Of what was taken to belong together, what does, at most, if kin are to be believed in."""
MOST_BY_DAY = 2 / 3
"""The same where a day is among what kin differ in: people move, nobody is born again."""
NEARLY_ALL = 0.9
"""Of what was taken to belong together: where more does, kin are not worth a word."""
CANDIDATE = 1e-4
"""Probability of belonging together from which a pair is looked at."""
STEPS = 3
"""Of looking once more; with many of them the crowd of kin is taken in again (lab log)."""
TINY = 1e-9
"""Of a share: of none at all no odds can be told."""


@dataclass(frozen=True, eq=False)
class Parted:
    """What was taken to belong together, parted in what does and kin.

    Attributes:
        posterior: (n,) probability that a pair belongs together.
        share: of what was taken for it, what does.
        kin: share of kin among all pairs.
        unlike: (F,) fields in which kin agree no better than strangers, and what belongs together
            does.
        is_believed: whether these are kin, and not what belongs together with values that changed.
    """

    posterior: Float64
    share: float
    kin: float
    unlike: Bool
    is_believed: bool

    def note(self, names: Sequence[str], n_pairs: int) -> str:
        """What a user should know of them.

        Args:
            names: of the F fields.
            n_pairs: of the records in all.
        """
        fields = ", ".join(name for name, is_so in zip(names, self.unlike, strict=True) if is_so)
        found = (
            f"about {number_of(int(float(f'{self.kin * n_pairs:.2g}')), 'pair')} agree in other "
            f"fields, but no better than strangers in: {fields};"
        )
        if self.is_believed:
            return f"{found} taken for different, as of one household or of one kind of product"
        return f"{found} taken for the same; gemel label tells whether they are"


def part(
    seen: Patterns,
    weight: Float32,
    n_records: int,
    taken: Mixture,
    days: Bool | None = None,
) -> Parted | None:
    """Kin among what two kinds of pairs took to belong together; None if there are none.

    Args:
        seen: of n pairs.
        weight: (n,) how many pairs each stands for.
        n_records: that the pairs are of; one mate each is the first guess.
        taken: what the two kinds are.
        days: (F,) fields of dates; None: none is.
    """
    near = np.flatnonzero(taken.posterior > CANDIDATE)
    if seen.level.shape[1] < FEWEST_FIELDS or not len(near):
        return None
    level, counted = seen.level[near], (weight * taken.posterior)[near]
    first = min(0.5, float(weight.sum()) / n_records / float(counted.sum()))
    start = np.broadcast_to(START, taken.together.shape)
    together, posterior = _two(level, counted, first, start, taken.together)
    if counted @ posterior < 1:
        # So many fields say nothing of anybody that no pair agrees in nearly all.
        tell = np.abs(taken.together - taken.apart).sum(1, keepdims=True) > TELLS
        start = np.where(tell, start, taken.together)
        together, posterior = _two(level, counted, first, start, taken.together)
    genuine = counted * posterior
    if genuine.sum() < 1:
        return None
    share, kin = float(genuine.sum() / counted.sum()), shares(level, counted - genuine, PSEUDO)
    tells, of_kin = (np.abs(kind - taken.apart).sum(1) for kind in (together, kin))
    unlike = (of_kin < LIKE_STRANGERS * tells) & (tells > TELLS)
    unlike &= _beyond_chance(level, counted, genuine, together, taken.apart)
    alike = (tells < LIKE_STRANGERS * of_kin) & (of_kin > TELLS)
    if share > NEARLY_ALL or not unlike.any() or alike.any():
        return None
    found = np.zeros(len(weight))
    found[near] = taken.posterior[near] * posterior
    others = float(counted.sum() / weight.sum()) * (1 - share)
    most = MOST_BY_DAY if days is not None and (unlike & days).any() else MOST
    parted = Parted(found, share, others, unlike, share < most)
    once_more = _again(seen, weight.astype(np.float64), n_records, parted, kin, taken.apart)
    return replace(parted, posterior=once_more)


def _two(
    level: NDArray[Any], counted: Float64, share: float, together: Float64, kin: Float64
) -> tuple[Float64, Float64]:
    """Pairs parted in two: shares of the levels of the first part, and how probably each is of it.

    Args:
        level: (n, F) of the pairs.
        counted: (n,) how many each stands for.
        share: of the first part, to begin with.
        together: (F, levels) the same of its levels.
        kin: (F, levels) those of the second part.
    """
    differing = Differing.among(level >= 0, level == N_LEVELS - 1)
    posterior, at_once = np.zeros(len(level)), np.zeros(len(level))
    for _ in range(MAX_STEPS):
        odds = np.log(share / (1 - share)) + at_once
        # One more level, for a value that is missing.
        says = np.pad(np.log(together / kin), ((0, 0), (0, 1)))
        for of_field, reached in zip(says, level.T, strict=True):
            odds += of_field[reached]
        posterior = probable(odds)
        genuine = counted * posterior
        before, share = share, float(np.clip(genuine.sum() / counted.sum(), TINY, 1 - TINY))
        together, kin = shares(level, genuine, PSEUDO), shares(level, counted - genuine, PSEUDO)
        at_once = differing.log_ratio(genuine, 1 - together[:, -1])
        if abs(share - before) <= TOLERANCE * before:
            break
    return together, posterior


def _beyond_chance(
    level: NDArray[Any], counted: Float64, genuine: Float64, together: Float64, apart: Float64
) -> Bool:
    """(F,) fields in which more pairs are alike than would be if all were strangers there.

    Args:
        level: (n, F) of the pairs.
        counted: (n,) how many each stands for.
        genuine: (n,) how many of these belong together.
        together: (F, levels) share of each level among those.
        apart: (F, levels) among strangers.
    """
    found = np.zeros(level.shape[1], np.bool_)
    for i, (of_field, by_chance) in enumerate(zip(level.T, apart, strict=True)):
        # One more level, for a value that is missing.
        rare = np.append(together[i] > RARE * by_chance, False)
        alike = rare[of_field]
        expected = float(counted[of_field >= 0].sum() * by_chance[rare[:-1]].sum())
        surplus = float(counted[alike].sum()) - expected
        found[i] = surplus > SURPLUS * float(genuine[alike].sum())
    return found


def _again(
    seen: Patterns,
    weight: Float64,
    n_records: int,
    parted: Parted,
    kin: Float64,
    apart: Float64,
) -> Float64:
    """What belongs together among all pairs: also what differs where kin agree, told by the rest.

    Kin and strangers stay what they are.

    Args:
        seen: of n pairs.
        weight: (n,) how many pairs each stands for.
        n_records: that the pairs are of.
        parted: what is known so far.
        kin: (F, levels) share of each level among kin.
        apart: (F, levels) among strangers.
    Returns:
        (n,) probability that a pair belongs together.
    """
    total, by_chance = float(weight.sum()), chances(seen, n_records)
    genuine = weight * parted.posterior
    strangers = np.log(max(1 - parted.kin - float(genuine.sum()) / total, TINY))
    others = np.logaddexp(strangers, np.log(parted.kin) + ratio(seen, by_chance, kin, apart))
    differing = Differing.among(seen.level >= 0, seen.level == N_LEVELS - 1)
    posterior = parted.posterior
    for _ in range(STEPS):
        together, share = shares(seen.level, genuine, PSEUDO), float(genuine.sum()) / total
        odds = np.log(max(share, TINY)) + ratio(seen, by_chance, together, apart) - others
        odds += np.log(moving(seen, genuine)) * seen.changed
        odds += differing.log_ratio(genuine, 1 - together[:, -1])
        posterior = probable(odds)
        genuine = weight * posterior
    return posterior
