"""What decides a set of pairs that were scored: its policy, and which matches records may keep.

Of two data sets a record may have one partner at most; then the matches that gain most are kept,
and the threshold is chosen for what is left. Which pairs there are, and what becomes of those that
are decided, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gemel.arrays import Bool
from gemel.decide.bands import matches
from gemel.decide.sets import Judged
from gemel.improve.records import Compared
from gemel.release.for_set import ForSet, before, for_set
from gemel.release.release import Release
from gemel.settings import EVERY, EXACT, Links
from gemel.tasks import assignment
from gemel.tasks.assignment import Linked
from gemel.tasks.pairs import Pairs
from gemel.tasks.sameness import Records


@dataclass(frozen=True, eq=False)
class Decided:
    """Pairs that were decided.

    Attributes:
        of_set: how.
        records: theirs, with the policy that decided.
        judged: what was decided; matches that linking left out are none.
        linked: what linking left; None where records may have any number of partners.
    """

    of_set: ForSet
    records: Records
    judged: Judged
    linked: Linked | None

    @property
    def n_displaced(self) -> int:
        """Matches that linking left out."""
        return 0 if self.linked is None else self.linked.n_displaced


def decide(
    release: Release,
    compared: Compared,
    records: Records,
    pairs: Pairs,
    *,
    links: Links = EVERY,
    share: float | None = None,
    engine: str = EXACT,
) -> Decided:
    """The pairs of a set, decided by the goal of a release.

    Args:
        release: whose goal and evidence.
        compared: the set.
        records: those in any pair.
        pairs: scored, of these records.
        links: how many partners a record may have.
        share: of genuine pairs, where a person names it.
        engine: what proposed the pairs.
    """
    kind = None if links == EVERY else links
    sizes, levelled = (compared.n_left, compared.n_right), records.levelled(pairs)
    first = None
    if kind is not None:
        first = _linked(replace(records, policy=before(release, share)), pairs, kind, sizes)[1]
    of_set = for_set(release, levelled, compared.n_pairs, share=share, linked=first, engine=engine)
    records = replace(records, policy=of_set.policy)
    if kind is None:
        return Decided(of_set, records, records.judged(pairs), None)
    judged, linked = _linked(records, pairs, kind, sizes)
    return Decided(of_set, records, judged, linked)


def possible(decided: Decided, pairs: Pairs, links: Links) -> Bool:
    """Which pairs are links, or, below, would be links at a lower threshold: (p,) bool.

    The latter are of records without a link, and none of them displaces another.

    Args:
        decided: with these links.
        pairs: that were decided.
        links: how many partners a record may have.
    """
    if links == EVERY:
        return np.ones(len(pairs), np.bool_)
    match, score = decided.judged.match, decided.records.levelled(pairs)
    free = ~matches(score, decided.of_set.policy.verify.threshold)
    for record, has_one in (
        (pairs.left, links != "one-to-many"),
        (pairs.right, links != "many-to-one"),
    ):
        if has_one:
            free &= ~np.isin(record, record[match])
    below = np.flatnonzero(free)
    gain = score[below] - score.min(initial=0.0) + np.finfo(np.float32).eps
    kept = assignment.kept(pairs.left[below], pairs.right[below], gain, links)
    found: Bool = match.copy()
    found[below[kept]] = True
    return found


def _linked(
    records: Records, pairs: Pairs, links: Links, n_records: tuple[int, int]
) -> tuple[Judged, Linked]:
    """Records with one partner at most, by the matches that gain most; for review what is as good.

    A match that just reaches the threshold gains more than none.
    """
    judged = records.judged(pairs)
    at = np.flatnonzero(judged.match)
    gain = records.levelled(pairs.take(at)) - records.policy.verify.threshold
    gain = np.maximum(gain, np.finfo(np.float32).eps)
    left, right = pairs.left[at], pairs.right[at]
    taken = assignment.kept(left, right, gain, links)
    which, unsure = np.zeros((2, len(pairs)), np.bool_)
    which[at], unsure[at] = taken, assignment.as_good(left, right, gain, links, taken)
    kept = pairs.take(at[taken])
    return judged.kept(which, unsure), Linked(
        kept.left,
        kept.right,
        records.levelled(kept),
        n_records=n_records,
        kind=links,
        n_displaced=len(at) - len(kept),
    )
