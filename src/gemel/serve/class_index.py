"""The classes of a gallery, ready to be scored: a class is the records that share a value.

Nothing is trained: what is enrolled is known, what is deleted is not. What one state of the gallery
needs is computed once and kept until the gallery changes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.decide.classes import ClassOutcome, ClassPolicy, Method, outcome
from gemel.decide.policy import CLEARLY, Policy
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.cosine import Cosine
from gemel.gallery.attributes import check_where
from gemel.gallery.candidates import COMPARED_ROWS, SHORTLIST, best
from gemel.gallery.gallery import Gallery
from gemel.gallery.groups import Groups
from gemel.tasks import fewshot
from gemel.tasks.fewshot import Supports

if TYPE_CHECKING:
    from gemel.serve.live import Live

MOST_KEPT = 8
MOST_AS_LIKELY = 10
UNCALIBRATED: Method = "nearest"
OUTCOMES: dict[str, ClassOutcome] = {"match": "class", "review": "review", "no_match": "unknown"}


class Judged(NamedTuple):
    """What the scores of an item mean, all but the outcome None without a policy of classes.

    Attributes:
        outcome: of the item.
        least: (n_classes,) score that it must reach to be of each class.
        p_values: (n_classes,) how usual the score is for an item of each.
        probabilities: (n_classes,) among them.
        as_likely: positions of classes that it may be of as well as of the best one, best first;
            none where no class is named.
    """

    outcome: ClassOutcome
    as_likely: list[int]
    least: Float64 | None = None
    p_values: Float64 | None = None
    probabilities: Float64 | None = None


@dataclass(frozen=True, eq=False)
class ClassIndex:
    """The classes of one state of a gallery, ready to be scored.

    Attributes:
        groups: the records behind them.
        supports: their rows, class by class.
        method: how a class is scored.
        policy: of classes; None if the release has none.
        comparator: of the release.
    """

    groups: Groups
    supports: Supports
    method: Method
    policy: ClassPolicy | None
    comparator: Comparator

    @classmethod
    def of(cls, groups: Groups, live: Live) -> ClassIndex:
        """The index of groups for a release."""
        policy = live.policy.classify
        supports = Supports(groups.rows, groups.starts)
        return cls(
            groups, supports, policy.method if policy else UNCALIBRATED, policy, live.comparator
        )

    def scores(self, row: Float32) -> tuple[Int64, Float32]:
        """Positions of classes, and their scores with a (d,) row.

        A learned comparator costs some hundred times a cosine. Of many supports it scores those
        with the best cosines; classes of which none is among them are left out.
        """
        supports, present = self.supports, np.arange(len(self.supports.starts))
        method = self.method
        if method == "prototype":  # one row a class: made once, not again for each item
            method, supports = "nearest", Supports(supports.prototypes, present)
        costly = self.comparator.cost > 1 and self.method != "mahalanobis"
        if costly and len(supports.rows) > COMPARED_ROWS:
            near = np.sort(best(Cosine().matrix(row[None], supports.rows)[0], SHORTLIST))
            present, labels = np.unique(supports.labels[near], return_inverse=True)
            supports = Supports.of(supports.rows[near], labels)
        inner = self.policy.within if self.policy else None
        found = fewshot.scores(
            method, supports, row[None], comparator=self.comparator, spread=inner
        )
        return present, found[0]

    def nearest_supports(self, row: Float32, positions: Int64) -> list[str]:
        """Id of the support of each of these classes that is most like a (d,) row."""
        starts, counts = self.supports.starts[positions], self.supports.counts[positions]
        parts = [slice(at, at + n) for at, n in zip(starts.tolist(), counts.tolist(), strict=True)]
        rows = np.concatenate([self.supports.rows[part] for part in parts])
        scores = np.split(self.comparator.matrix(row[None], rows)[0], np.cumsum(counts)[:-1])
        return [
            self.groups.ids(position)[int(of_class.argmax())]
            for position, of_class in zip(positions.tolist(), scores, strict=True)
        ]

    def judged(self, policy: Policy, scores: Float32, counts: Int64) -> Judged:
        """What the scores of an item mean.

        Args:
            policy: of the release.
            scores: of the classes that were scored.
            counts: of their supports.
        """
        classes = self.policy
        order = np.argsort(-scores, kind="stable")[: 1 + MOST_AS_LIKELY].tolist()
        if classes is None:
            best = float(scores.max())
            found = OUTCOMES[policy.identify(best).outcome]
            others = [i for i in order[1:] if policy.as_good(best, float(scores[i]))]
            return Judged(found, others if found == "class" else [])
        least = classes.least(counts, len(self.groups.values))
        p_values = classes.p_values(scores[None], counts)[0]
        level = classes.level(int(np.median(counts)))
        shares = fewshot.probabilities(scores[None], level.temperature)[0]
        found = outcome(scores, least)
        others = [i for i in order[1:] if shares[i] * CLEARLY > shares[order[0]]]
        return Judged(found, others if found == "class" else [], least, p_values, shares)


class Classes:
    """The indexes of one bundle: what was computed for the present state of its gallery."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], ClassIndex] = {}
        self._lock = threading.Lock()

    def index(
        self, live: Live, gallery: Gallery, label: str, where: dict[str, Any] | None
    ) -> ClassIndex:
        """The classes of the gallery as it is now.

        Args:
            live: the bundle.
            gallery: its gallery.
            label: the attribute whose values are the classes.
            where: only supports whose attributes equal these values.
        Raises:
            InvalidInput: no record has the label, or where is not what it must be.
        """
        key = (label, repr(check_where(where)))
        with self._lock:
            present = {k: i for k, i in self._kept.items() if gallery.is_at(i.groups.state)}
            if key not in present:
                groups = gallery.groups(label, where)
                if len(present) >= MOST_KEPT:
                    present.pop(next(iter(present)))
                present[key] = ClassIndex.of(groups, live)
            self._kept = present
            return present[key]
