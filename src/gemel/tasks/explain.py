"""What each part of a pair is worth: the score that is lost when the part is taken away.

Nothing is approximated: the pair is encoded and scored again without the part. Losses need not add
up, since parts stand in for each other and work together; the score of two emptied payloads is
given beside them. What to encode is decided here, how is the caller's business: `attribute` yields
payloads and is sent their embeddings, so that a script and a batching service share it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import msgspec
import numpy as np

from gemel.arrays import Float32
from gemel.encode import modality
from gemel.encode.comparators import Scorer
from gemel.encode.modality import Payload, Prepare
from gemel.encode.parts import Box, Cut, Parts

MAX_CUTS = 128
"""Encodings that the parts of one pair may cost."""

T = TypeVar("T")
Steps = Generator[list[Payload], Float32, T]
"""Yields payloads, is sent their embeddings, returns a T."""
Decide = Callable[[float], str]
"""Outcome of a score."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a pair and what it is worth.

    Attributes:
        name: field, `field: word`, or region with its side.
        lost: score lost without it, wherever it stands; negative: it speaks against a match.
        left: score lost without it in the left payload only; None if it is not there.
        right: the same of the right payload.
        outcome: what would be decided without it, wherever it stands.
        cost: score that a difference costs: what would be gained if one side had the other's value,
            the mean of both ways; None if they agree, or for what need not correspond.
        outcome_if_equal: what would be decided then.
        box: a region's left, top, right and bottom, as shares of its image.
        parts: what it is made of, if that was looked at.
    """

    name: str
    lost: float
    left: float | None
    right: float | None
    outcome: str
    cost: float | None = None
    outcome_if_equal: str | None = None
    box: Box | None = None
    parts: tuple[Part, ...] = ()

    @property
    def speaks_for(self) -> float:
        """How much it speaks for a match, at least 0."""
        return max(self.lost, 0.0)

    @property
    def speaks_against(self) -> float:
        """How much it speaks against a match, at least 0; by what a difference costs, if it does.

        A score without a field says little of a difference where the comparator has hardly ever
        seen the field missing.
        """
        return max(-self.lost if self.cost is None else self.cost, 0.0)


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """A score, taken apart.

    Attributes:
        score: of the pair.
        nothing: of the pair with everything taken away.
        lost_in_sum: sum of what the parts lose; `score - nothing` if they did not interact.
        parts: those that matter most first.
    """

    score: float
    nothing: float
    lost_in_sum: float
    parts: tuple[Part, ...]


Joint = tuple[Cut | None, Cut | None]
"""The same part of the left and of the right payload, None where it is not there."""


Copies = tuple[Payload | None, Payload | None]
"""The left payload with a part as the right one has it, and the other way round."""


def attribute(
    prepare: Prepare,
    comparator: Scorer,
    pair: tuple[Payload, Payload | Float32],
    decide: Decide,
    max_cuts: int = MAX_CUTS,
) -> Steps[Attribution]:
    """What each part of a pair is worth; symmetric in the two sides, and deterministic.

    Args:
        prepare: the preprocessing of the space.
        comparator: scores a pair of embeddings.
        pair: two checked payloads; the right one may be an embedding, (d,) float32, of which no
            parts are known.
        decide: outcome of a score.
        max_cuts: payloads to encode at most for the parts; 0 = look at none.
    Yields:
        Payloads to encode; send back (n, d) float32, unit rows.
    Raises:
        InvalidInput: a payload cannot be taken apart.
    Source: Zeiler and Fergus 2014, Visualizing and understanding convolutional networks, on
        occlusion.
    """
    kind = modality.named(prepare.modality)
    sides = [None if isinstance(p, np.ndarray) else kind.parts(prepare, p) for p in pair]
    fixed = [p for p in pair if isinstance(p, np.ndarray)]
    coarse = _joined([side.coarse() if side and max_cuts else [] for side in sides])
    ends = [payload for side in sides if side for payload in (side.payload, side.nothing())]
    copies = _copies(sides, coarse)
    borrowed = [payload for both in copies.values() for payload in both if payload is not None]
    rows = yield [*ends, *borrowed, *_payloads(coarse)]
    left, right = rows[:2], rows[2:4] if not fixed else np.stack([*fixed, *fixed])
    score, nothing = comparator.score(left, right).tolist()
    whole = _Whole(comparator, left[0], right[0], score, decide)
    first = len(ends) + len(borrowed)
    worth = whole.worth(coarse, rows[first:], whole.costs(copies, rows[len(ends) : first]))
    finer = _finer(sides, coarse, worth, max_cuts - len(rows) + len(ends))
    below: dict[str, Part] = {}
    if finer:
        joints = {name: joint for inner in finer.values() for name, joint in inner.items()}
        below = whole.worth(joints, (yield _payloads(joints)), {})
    complete = [
        msgspec.structs.replace(part, parts=_ordered([below[k] for k in finer.get(name, ())]))
        for name, part in worth.items()
    ]
    return Attribution(
        score=score,
        nothing=nothing,
        lost_in_sum=sum(part.lost for part in complete),
        parts=_ordered(complete),
    )


def answer(steps: Steps[T], encode: Callable[[list[Payload]], Float32]) -> T:
    """What the steps return, with their payloads encoded by a function."""
    wanted, result = advance(steps, None)
    while wanted:
        wanted, result = advance(steps, encode(wanted))
    return cast(T, result)


def advance(steps: Steps[T], rows: Float32 | None) -> tuple[list[Payload], T | None]:
    """One step: the payloads to encode next, or none and what the steps return.

    Args:
        steps: at their beginning, or waiting for rows.
        rows: (n, d) float32, embeddings of the payloads of the step before; None at the beginning.
    """
    try:
        return (next(steps) if rows is None else steps.send(rows)), None
    except StopIteration as end:
        return [], end.value


@dataclass(frozen=True)
class _Whole:
    """The untouched pair, which every pair without a part is compared with."""

    comparator: Scorer
    left: Float32
    right: Float32
    score: float
    decide: Decide

    def costs(self, copies: dict[str, Copies], rows: Float32) -> dict[str, float]:
        """What the difference of each part costs; rows are those of the copies that there are."""
        at = iter(rows)
        pairs = []
        for name, (left, right) in copies.items():
            pairs += [(name, next(at), self.right)] if left is not None else []
            pairs += [(name, self.left, next(at))] if right is not None else []
        if not pairs:
            return {}
        left_rows, right_rows = (np.stack([pair[k] for pair in pairs]) for k in (1, 2))
        scored = self.comparator.score(left_rows, right_rows).tolist()
        scores: dict[str, list[float]] = {}
        for (name, _, _), score in zip(pairs, scored, strict=True):
            scores.setdefault(name, []).append(score)
        return {name: sum(both) / len(both) - self.score for name, both in scores.items()}

    def worth(
        self, joints: dict[str, Joint], rows: Float32, costs: dict[str, float]
    ) -> dict[str, Part]:
        """The parts by name; rows are those of `_payloads(joints)`."""
        if not joints:
            return {}
        at = iter(rows)
        cut = [[None if c is None else next(at) for c in joint] for joint in joints.values()]
        left = np.stack([self.left if a is None else a for a, _ in cut])
        right = np.stack([self.right if b is None else b for _, b in cut])
        full_left, full_right = (np.broadcast_to(r, left.shape) for r in (self.left, self.right))
        score = self.comparator.score(
            np.concatenate([left, left, full_left]), np.concatenate([right, full_right, right])
        )
        return {
            name: self._part(name, joint, values, costs.get(name))
            for (name, joint), values in zip(joints.items(), score.reshape(3, -1).T, strict=True)
        }

    def _part(self, name: str, joint: Joint, score: Float32, cost: float | None) -> Part:
        both, left, right = (self.score - float(s) for s in score)
        return Part(
            name=name,
            lost=both,
            left=None if joint[0] is None else left,
            right=None if joint[1] is None else right,
            outcome=self.decide(float(score[0])),
            cost=cost,
            outcome_if_equal=None if cost is None else self.decide(self.score + cost),
            box=next((c.box for c in joint if c is not None), None),
        )


def _joined(cuts: Sequence[Sequence[Cut]]) -> dict[str, Joint]:
    """Parts by name: a part of rows stands in both, a region in one image only."""
    left = {c.name if c.box is None else f"left, {c.name}": c for c in cuts[0]}
    right = {c.name if c.box is None else f"right, {c.name}": c for c in cuts[1]}
    return {name: (left.get(name), right.get(name)) for name in {**left, **right}}


def _copies(sides: Sequence[Parts | None], coarse: dict[str, Joint]) -> dict[str, Copies]:
    """Each side with a part as the other has it, where that changes it."""
    left, right = sides
    if left is None or right is None:
        return {}
    found = {}
    for name, joint in coarse.items():
        cut = next(c for c in joint if c is not None)
        both = left.borrowed(cut, right.payload), right.borrowed(cut, left.payload)
        if both != (None, None):
            found[name] = both
    return found


def _payloads(joints: dict[str, Joint]) -> list[Payload]:
    return [cut.without for joint in joints.values() for cut in joint if cut is not None]


def _finer(
    sides: Sequence[Parts | None], coarse: dict[str, Joint], worth: dict[str, Part], room: int
) -> dict[str, dict[str, Joint]]:
    """The parts of those parts that matter most, as many as there is room to encode.

    Of parts that matter alike, all or none are taken apart, so that sides can be exchanged.
    """
    chosen: dict[str, dict[str, Joint]] = {}
    for name in sorted(worth, key=lambda n: -_weight(worth[n])):
        inner = _joined(
            [
                side.finer(cut) if side and cut else []
                for side, cut in zip(sides, coarse[name], strict=True)
            ]
        )
        room -= len(_payloads(inner))
        if room < 0:
            last = _weight(worth[name])
            return {k: v for k, v in chosen.items() if _weight(worth[k]) > last}
        if inner:
            chosen[name] = inner
    return chosen


def _weight(part: Part) -> float:
    """How much a part matters, wherever it stands."""
    return max(abs(part.lost), abs(part.left or 0.0), abs(part.right or 0.0), abs(part.cost or 0.0))


def _ordered(found: Sequence[Part]) -> tuple[Part, ...]:
    """Those that matter most first."""
    return tuple(
        sorted(found, key=lambda p: (-max(p.speaks_for, p.speaks_against), -abs(p.lost), p.name))
    )
