"""Which questions teach: those whose answer is open, and would move the scores of the others most.

They are chosen in small batches, each after what the answers so far have taught, out of the part of
a plan that is asked about last, so that what is drawn at random stays as it was drawn. By chance
too, the better the likelier: alike pairs are not asked about one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.data.dataset import Dataset
from gemel.encode.comparators.blocks import agreement, evidence, take_apart
from gemel.improve.labels.answers import Answers
from gemel.improve.labels.questions import Plan, Question
from gemel.release.release import Release
from gemel.train.comparators.answers import Curves, Held

RESERVED = 200
"""Questions of a stratum, or half of them, that are only drawn at random."""
BATCH = 12
"""Questions that are chosen at a time."""
SHARPNESS = 4.0
"""Power of how much a pair teaches that its chance is proportional to."""


@dataclass
class Teaching:
    """The questions of a plan, by what their answers would teach.

    Attributes:
        curves: of the comparator whose scores the plan is of.
        questions: all of the plan.
        seen: (n, A + 2 B) evidence of their pairs.
        last: (n,) which are drawn at random last, and may be chosen here.
        stands_for: (n,) how many pairs each stands for; its chance is proportional to that too.
        seed: of the choice.
    """

    curves: Curves
    questions: Sequence[Question]
    seen: Float32
    last: Bool
    stands_for: Float64
    seed: int = 0
    _held: Held = field(init=False)
    _batch: list[Question] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._held = self.curves.held_by(self.seen)

    @classmethod
    def of(cls, release: Release, both: tuple[Dataset, Dataset], plan: Plan) -> Teaching | None:
        """What can be taught about a plan; None if the comparator of the release cannot learn.

        Args:
            release: whose scores the plan is of.
            both: the records of the left and of the right ids.
            plan: what is asked.
        """
        curves = Curves.of(release.comparator)
        if curves is None:
            return None
        questions = plan.every
        last = [
            i >= min(RESERVED, len(part) // 2) for part in plan.questions for i in range(len(part))
        ]
        last += [True] * len(plan.aside)
        sides = [
            _rows(release, dataset, [q.pair[side] for q in questions])
            for side, dataset in enumerate(both)
        ]
        blocks, swaps = curves.comparator.blocks, curves.comparator.swaps
        left, right = (take_apart(rows[at], blocks) for rows, at in sides)
        seen = evidence(agreement(left, right, swaps), left.mass, right.mass)
        return cls(curves, questions, seen, np.array(last, np.bool_), plan.stands_for)

    def next(self, answers: Answers) -> Question | None:
        """The next question that teaches; None if none is left."""
        self._batch = [q for q in self._batch if not answers.of(q.pair)]
        if not self._batch:
            self._batch = self._chosen(answers)
        return self._batch[0] if self._batch else None

    def _chosen(self, answers: Answers) -> list[Question]:
        said = answers.all()
        known = np.array([q.pair in said for q in self.questions])
        free = self.last & np.array([not answers.of(q.pair) for q in self.questions])
        if not free.any():
            return []
        genuine = np.array([said[q.pair] for q in self.questions if q.pair in said], np.bool_)
        by = self.curves.moved_by(self.seen[known], genuine, self._held)
        teaches = self._teaches(by, known, free) ** SHARPNESS * self.stands_for[free]
        rng = np.random.default_rng([self.seed, int(known.sum())])
        n = min(BATCH, int(np.count_nonzero(teaches)))
        picked = rng.choice(len(teaches), n, replace=False, p=teaches / teaches.sum())
        return [self.questions[i] for i in np.flatnonzero(free)[picked]]

    def _teaches(self, by: Float64, known: Bool, free: Bool) -> Float64:
        climbed = [self.curves.climbed(self.seen[part]) for part in (known, free)]
        both = np.concatenate([self.seen[known], self.seen[free]])
        score = self.curves.comparator.of_evidence(both).astype(np.float64)
        return self.curves.doubt(by, climbed[0], climbed[1], score, self._held)


def _rows(release: Release, dataset: Dataset, ids: Sequence[str]) -> tuple[Float32, Int64]:
    """Embeddings of the records that are spoken of, and which of them each id is of."""
    place = {name: i for i, name in enumerate(dataset.ids.tolist())}
    used, of = np.unique([place[name] for name in ids], return_inverse=True)
    return release.encoder.encode(dataset.payloads(used)), of.reshape(-1).astype(np.int64)
