"""Which records of a set are the same: their pairs decided, and the matches put into clusters.

For a request and for a job alike; which pairs are looked at, and how they are found, is not known
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gemel.arrays import Float32, Float64, Int64
from gemel.decide.policy import Policy
from gemel.decide.sets import Judged, Rows, judge, lowest, scored
from gemel.encode.comparators import Comparator
from gemel.tasks.clusters import Clusters, Links, Method, cluster
from gemel.tasks.pairs import Pairs


@dataclass(frozen=True, eq=False)
class Records:
    """n records, and what decides about them.

    Attributes:
        policy: decides.
        comparator: scores.
        rows: (n, d) float32, unit rows.
        categories: of each record, None where unknown.
        values: of each record, for rules to look at.
    """

    policy: Policy
    comparator: Comparator
    rows: Float32
    categories: Sequence[str | None]
    values: Sequence[Any]

    def levelled(self, pairs: Pairs) -> Float64:
        """Scores of pairs of these records as one threshold for all categories takes them."""
        return self.policy.levels(pairs.score, self._categories(pairs))

    def judged(self, pairs: Pairs) -> Judged:
        """Decisions about pairs of these records: all that may match or be for review."""
        return judge(
            self.policy,
            pairs.score,
            categories=self._categories(pairs),
            rows=Rows(self.values, pairs.left, pairs.right),
        )

    def _categories(self, pairs: Pairs) -> list[tuple[str | None, str | None]]:
        names = self.categories
        return [(names[i], names[j]) for i, j in zip(pairs.left, pairs.right, strict=True)]

    def scored(self, members: Int64) -> Float32:
        """Scores of all pairs of some records: (m,) positions -> (m, m), as `sets.scored`."""
        scores = self.comparator.matrix(self.rows[members], self.rows[members])
        names = [self.categories[i] for i in members]
        return scored(self.policy, scores, names, [self.values[i] for i in members])


def floor(policy: Policy) -> float:
    """The lowest score that may match or be for review."""
    return lowest(policy, policy.verify.review_low)


def clustered(
    records: Records,
    pairs: Pairs,
    judged: Judged,
    *,
    method: Method = "average",
    max_risk: float | None = None,
) -> Clusters:
    """The matches among the pairs as clusters of the records.

    Args:
        records: that the pairs are of.
        pairs: that were decided.
        judged: the decisions.
        method: see `tasks.clusters`.
        max_risk: probability of a false link that no cluster may exceed; None for no limit.
    """
    match = judged.match
    links = Links(
        len(records.rows),
        pairs.left[match],
        pairs.right[match],
        pairs.score[match],
        1 - judged.probability[match],
    )
    return cluster(
        links,
        method=method,
        score_all=records.scored,
        cut=records.policy.verify.review_high,
        max_risk=max_risk,
    )
