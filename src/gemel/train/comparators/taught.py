"""What answers about pairs make of a run without labels: its comparator, moved by them.

The encoder stays, so that nothing is embedded again; what was estimated of the scores is estimated
anew, by the probabilities that the moved comparator gives. Pairs far below all that people are
asked about keep the lower of both: answers say little of them, and they are many.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import expit

from gemel.calibrate.answers.known import Taught
from gemel.data.dataset import Dataset
from gemel.encode import comparators
from gemel.encode.encoder import Encoder
from gemel.release.make.unproven import Lesson
from gemel.release.run import Run
from gemel.train.comparators import pairs as candidates
from gemel.train.comparators.answers import AGAINST, Curves
from gemel.train.comparators.estimate import estimate, n_pairs
from gemel.train.comparators.pairs import Candidates, Layout
from gemel.train.comparators.unlabelled import EVEN

DISTANT = -3.0
"""Log-odds below which a pair keeps the lower probability."""


def can_learn(run: Run) -> bool:
    """Whether the comparator of a run can be taught by answers."""
    return Curves.of(comparators.load(run.encoder)) is not None


def lesson(run: Run, dataset: Dataset, said: Mapping[tuple[str, str], bool]) -> Lesson | None:
    """What answers teach; None if they are too few, or the comparator cannot learn.

    Args:
        run: without labels.
        dataset: its records.
        said: whether two records belong together, by their ids; others are left out.
    """
    curves = Curves.of(comparators.load(run.encoder))
    place = {name: i for i, name in enumerate(dataset.ids.tolist())}
    said = {pair: same for pair, same in said.items() if pair[0] in place and pair[1] in place}
    taught = Taught.of(said)
    if curves is None or taught is None:
        return None
    rows = Encoder.open(run.encoder).encode(dataset.payloads(np.arange(len(dataset))))
    layout = Layout(curves.comparator.blocks, curves.comparator.swaps)
    asked = _pairs([(place[a], place[b]) for a, b in said], [*said.values()])
    seed = run.training.settings.seed
    alone = np.arange(len(rows), dtype=np.int64)
    drawn = candidates.draw(rows, alone, np.random.default_rng(seed), dataset.pairing)
    seen = candidates.evidence_of(rows, layout, drawn)
    weight, genuine = drawn.weight.astype(np.float64), asked.genuine > 0
    evidence = candidates.evidence_of(rows, layout, asked)
    held, otherwise = curves.held_by(seen, weight), False
    if run.otherwise is not None and (other := Curves.of(comparators.load(run.otherwise))):
        by_other = other.held_by(seen, weight)
        better = other.explains(evidence, genuine, by_other)
        otherwise = better - curves.explains(evidence, genuine, held) > AGAINST
        if otherwise:
            curves, held = other, by_other
    before, after = curves.comparator, curves.learned(evidence, genuine, held)
    was, score = before.of_evidence(seen), after.of_evidence(seen)
    probable = expit(np.where(was >= DISTANT, score, np.minimum(was, score)))
    count = weight * (n_pairs(len(rows), dataset.pairing) / weight.sum())
    told = estimate(score, probable, count, len(rows), by="fields")
    taken = np.stack([drawn.query, drawn.candidate])[:, probable >= EVEN]
    return Lesson(after, told, taught, otherwise, np.unique(np.sort(taken, axis=0), axis=1))


def _pairs(ends: list[tuple[int, int]], same: list[bool]) -> Candidates:
    """Pairs of positions with what was said, all of one weight."""
    query, candidate = np.array(ends, np.int64).T
    genuine = np.array(same, np.float32)
    return Candidates(query, candidate, genuine, np.ones_like(genuine), np.arange(len(ends) + 1))
