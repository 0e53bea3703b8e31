"""Classification over the live gallery: a class is the records that share a value of an attribute.

Nothing is trained: what is enrolled is known, what is deleted is not. What one state of the gallery
needs is computed once and kept until the gallery changes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.arrays import Float32, Float64, Int64
from gemel.decide.classes import ClassOutcome, ClassPolicy
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.cosine import Cosine
from gemel.gallery.attributes import Scalar, check_where
from gemel.gallery.candidates import COMPARED_ROWS, SHORTLIST, best
from gemel.gallery.gallery import Gallery
from gemel.gallery.groups import Groups
from gemel.serve.live import Live
from gemel.serve.replies import ClassCount, ClassesReply, ClassifyReply, ClassReply
from gemel.serve.requests import Classes, Classify
from gemel.tasks import fewshot
from gemel.tasks.fewshot import Method, Supports

MOST_KEPT = 8
UNCALIBRATED: Method = "nearest"
OUTCOMES: dict[str, ClassOutcome] = {"match": "class", "review": "review", "no_match": "unknown"}


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


class Classifier:
    """Answers about classes; keeps what was computed for the present state of each gallery."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Live, ClassIndex]] = {}
        self._lock = threading.Lock()

    def classify(self, work: Classify, gallery: Gallery) -> ClassifyReply:
        """The classes most like a row, and whether it is one of them.

        Raises:
            InvalidInput: no record has the label, or where is not what it must be.
        """
        live, index = work.live, self._index(work, gallery)
        present, scores = index.scores(work.row)
        counts = index.supports.counts[present]
        order = np.argsort(-scores, kind="stable")
        outcome, p_values, shares = _judged(live, index, scores, counts)
        shown = order[: work.k]
        supports = index.nearest_supports(work.row, present[shown])
        replies = [
            ClassReply(
                index.groups.values[int(present[i])],
                float(scores[i]),
                None if shares is None else float(shares[i]),
                None if p_values is None else float(p_values[i]),
                int(counts[i]),
                support,
            )
            for i, support in zip(shown.tolist(), supports, strict=True)
        ]
        policy = index.policy
        label: Scalar = replies[0].label if outcome == "class" else None
        return ClassifyReply(
            outcome,
            label,
            replies,
            float(policy.anomaly(work.row[None])[0]) if policy else None,
            policy.alpha if policy else None,
            index.method,
            live.release.id,
            live.release.space_id,
            None,
        )

    def classes(self, work: Classes, gallery: Gallery) -> ClassesReply:
        """How many supports each class has.

        Raises:
            InvalidInput: no record has the label.
        """
        groups = gallery.groups(work.label)
        counts = zip(groups.values, groups.counts.tolist(), strict=True)
        listed = sorted((ClassCount(v, n) for v, n in counts), key=lambda c: -c.supports)
        return ClassesReply(listed, len(groups), work.label)

    def _index(self, work: Classify, gallery: Gallery) -> ClassIndex:
        key = (work.label, repr(check_where(work.where)))
        with self._lock:
            present = {
                k: (live, index)
                for k, (live, index) in self._kept.items()
                if live is work.live and gallery.is_at(index.groups.state)
            }
            if key not in present:
                groups = gallery.groups(work.label, work.where)
                if len(present) >= MOST_KEPT:
                    present.pop(next(iter(present)))
                present[key] = (work.live, ClassIndex.of(groups, work.live))
            self._kept = present
            return present[key][1]


def _judged(
    live: Live, index: ClassIndex, scores: Float32, counts: Int64
) -> tuple[ClassOutcome, Float64 | None, Float64 | None]:
    """Outcome, and p-value and probability of each class."""
    top = int(scores.argmax())
    policy = index.policy
    if policy is None:
        return OUTCOMES[live.policy.identify(float(scores[top])).outcome], None, None
    p_values = policy.p_values(scores[None], counts)[0]
    level = policy.level(int(np.median(counts)))
    shares = fewshot.probabilities(scores[None], level.temperature)[0]
    return policy.outcome(p_values, top), p_values, shares


def noted(work: Classify, reply: ClassifyReply) -> dict[str, Any]:
    """What the ledger keeps of a classification: no payload, but which supports decided."""
    top = reply.classes[0]
    return {
        "outcome": reply.outcome,
        "label": reply.label,
        "attribute": work.label,
        "score": top.score,
        "probability": top.probability,
        "p_value": top.p_value,
        "support": top.support_id,
        "anomaly": reply.anomaly,
    }
