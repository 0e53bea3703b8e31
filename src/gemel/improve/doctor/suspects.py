"""Records that may carry a wrong label: they are nearer to strangers than to their own.

A suspect is nearer to a record of another identity than to its own, and rather as near as records
usually are to their own than as they are to their nearest stranger. It is a question to a person,
never an answer: twins are suspects too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Bool, Float32, Int64
from gemel.data.pairing import Pairing
from gemel.encode.comparators import Scorer

BLOCK = 256
"""Rows that are scored against all others at a time."""


@dataclass(frozen=True)
class Suspect:
    """A record beside the stranger that it is nearest to.

    Attributes:
        record, stranger: positions.
        score: of the two.
        own: score of the record with the nearest of its own identity; None: it has no other.
    """

    record: int
    stranger: int
    score: float
    own: float | None

    @property
    def excess(self) -> float:
        """By how much the stranger is nearer."""
        return self.score - (self.own if self.own is not None else self.score)


def of_identities(rows: Float32, identities: Int64, scorer: Scorer, *, n: int) -> list[Suspect]:
    """The records of which a label is most likely to be wrong, the most likely first.

    Args:
        rows: (m, d) unit rows, a few thousand.
        identities: (m,) codes, all known.
        scorer: what scores a pair.
        n: suspects at most; each pair of records is named once.
    """
    own, far, stranger = _nearest(rows, identities, scorer)
    with_own = np.isfinite(own)
    if not with_own.any() or not np.isfinite(far).any():
        return []
    usual = float(np.median(own[with_own]) + np.median(far[np.isfinite(far)])) / 2
    found = [
        Suspect(i, int(stranger[i]), float(far[i]), float(own[i]) if with_own[i] else None)
        for i in np.flatnonzero((far >= usual) & ~(own >= far)).tolist()
    ]
    found.sort(key=lambda s: (s.own is None, -s.excess, -s.score))
    named: set[frozenset[int]] = set()
    out = []
    for suspect in found:
        both = frozenset((suspect.record, suspect.stranger))
        if both not in named:
            named.add(both)
            out.append(suspect)
    return out[:n]


def of_pairs(rows: Float32, pairing: Pairing, scorer: Scorer, *, n: int) -> list[Suspect]:
    """The given pairs whose answer is least likely to be right, as records and strangers.

    A pair that is said to differ and scores as the same usually do, or the other way round.

    Args:
        rows: (m, d) unit rows.
        pairing: of the rows, with given pairs and what was said of them.
        scorer: what scores a pair.
        n: suspects at most.
    """
    if pairing.given is None or pairing.same is None or not len(pairing.given):
        return []
    left, right = pairing.given.T
    score, same = scorer.score(rows[left], rows[right]), pairing.same
    if same.all() or not same.any():
        return []
    usual = float(np.median(score[same])), float(np.median(score[~same]))
    wrong: Bool = np.where(same, score <= usual[1], score >= usual[0])
    excess = np.where(same, usual[1] - score, score - usual[0])
    order = np.flatnonzero(wrong)[np.argsort(-excess[wrong], kind="stable")][:n]
    return [
        Suspect(int(left[i]), int(right[i]), float(score[i]), usual[1] if same[i] else usual[0])
        for i in order.tolist()
    ]


def _nearest(rows: Float32, identities: Int64, scorer: Scorer) -> tuple[Float32, Float32, Int64]:
    """Of each row: best score with its own, best with a stranger, and that stranger."""
    m = len(rows)
    own = np.full(m, -np.inf, np.float32)
    far, stranger = own.copy(), np.zeros(m, np.int64)
    for start in range(0, m, BLOCK):
        at = np.arange(start, min(m, start + BLOCK))
        score = scorer.matrix(rows[at], rows).copy()
        score[np.arange(len(at)), at] = -np.inf
        same = identities[at][:, None] == identities[None]
        own[at] = np.where(same, score, -np.inf).max(axis=1)
        others = np.where(same, -np.inf, score)
        stranger[at] = others.argmax(axis=1)
        far[at] = others.max(axis=1)
    return own, far, stranger
