"""A verb in steps, so that one function answers a script at once and a service in batches.

A verb is a generator. It yields what it needs next, embeddings or another lane to go on in, and is
sent the result; who does that, in which thread and together with what else, is not its business.
`answer` does it here and now; `queues.queues` does it in the lanes of a service.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from gemel.arrays import Float32
from gemel.encode.comparators import score_pairs
from gemel.errors import DeadlineExceeded, InvalidInput
from gemel.gallery.attributes import Where
from gemel.gallery.candidates import Hit
from gemel.gallery.gallery import Gallery
from gemel.release.items import Payloads, Read
from gemel.serve.live import Live

Lane = Literal["encode", "encode_long", "find", "change", "review", "explain", "group", "read"]
"""Where work goes on: each lane of a service has a queue and a thread of its own."""
T = TypeVar("T")
PART_SECONDS = 0.02
"""Of encoding, about, of a part of what takes long."""
UNIT_SECONDS = 0.005
"""Of encoding, that make an item of a batch two, three, ..."""


class Encode(Struct, frozen=True):
    """Read and encode items; gives an `Encoded`.

    Attributes:
        live: whose encoder.
        items: each with its place in the request and the category stated for it.
        pairs: positions in `items` of what is to be compared.
        checked: they are payloads already.
        lane: where they are encoded.
    """

    live: Live
    items: Sequence[tuple[str, Any, str | None]]
    pairs: Sequence[tuple[int, int]] = ()
    checked: bool = False

    lane: Lane = "encode"
    stage: str = "encode"

    @property
    def weight(self) -> int:
        """Of it in a batch."""
        return max(len(self.items), int(sum(self.seconds) / UNIT_SECONDS))

    @property
    def seconds(self) -> list[float]:
        """How long each item takes, about."""
        return self.live.encoder.seconds([item for _, item, _ in self.items])

    def scored(self, encoded: Encoded) -> Encoded:
        """What it gives, of its items that were encoded in parts."""
        payloads = [item.payload for item in encoded.items]
        left, right = ([pair[side] for pair in self.pairs] for side in (0, 1))
        scores = score_pairs(self.live.comparator, encoded.rows, payloads, left, right)
        return Encoded(encoded.items, encoded.rows, scores.tolist())

    def read(self, made: Payloads | None = None) -> list[Read]:
        """The items, read.

        Args:
            made: see `Items.read`.
        Raises:
            InvalidInput: one cannot be encoded.
        """
        if self.checked:
            return [Read(payload, stated) for _, payload, stated in self.items]
        read = self.live.items.read
        return [read(item, place, stated, made) for place, item, stated in self.items]


class Encoded(Struct, frozen=True):
    """Items as they were read, their (n, d) float32 unit rows, and the scores of the pairs."""

    items: list[Read]
    rows: Float32
    scores: list[float]


def unfit(items: Sequence[Read]) -> list[str] | UnsetType:
    """Where values stand that do not fit their field, for a reply; nothing where all do."""
    return [place for item in items for place in item.unfit] or UNSET


class Move(Struct, frozen=True):
    """Go on in another lane; gives nothing.

    Attributes:
        lane: where to.
        stage: name of what is done there in `Server-Timing`; empty for none.
    """

    lane: Lane
    stage: str = ""

    weight: ClassVar[int] = 1


class Find(Struct, frozen=True):
    """Search a gallery; gives the hits of each row, a list of lists.

    Attributes:
        live: whose comparator scores.
        gallery: that is searched.
        rows: (n, d) unit rows.
        asked: of each row, how many hits and with which filter.
        stage: see `Move`.
        places: where in the body each was asked; empty for the body itself.
    """

    live: Live
    gallery: Gallery
    rows: Float32
    asked: Sequence[tuple[int, Where | None]]
    stage: str = "search"
    places: Sequence[str] = ()

    lane: Lane = "find"

    @property
    def weight(self) -> int:
        """Of it in a batch."""
        return len(self.asked)

    def placed(self, error: Exception, at: int) -> Exception:
        """The error of one search, which says where in the body that was asked."""
        if not self.places or not isinstance(error, InvalidInput):
            return error
        where = f"{self.places[at]}.{error.where}"
        return InvalidInput(error.what, where=where, hint=error.hint)


Step = Encode | Find | Move
Steps = Generator[Step, Any, T]
"""Yields what it needs next, returns a T."""


class Done(Struct, Generic[T], frozen=True):
    """What the steps have come to."""

    value: T


class Task(Struct, Generic[T], frozen=True):
    """A verb that waits for a step; after its deadline nothing is begun."""

    steps: Steps[T]
    step: Step
    deadline: float


def go_on(steps: Steps[T], result: Encoded | list[list[Hit]] | None) -> Step | Done[T]:
    """What the steps need next, or what they have come to.

    Args:
        steps: at their beginning, or waiting.
        result: of the step that they wait for; None at the beginning.
    """
    try:
        return steps.send(result)
    except StopIteration as end:
        return Done(end.value)


def run(tasks: Sequence[Task[Any]]) -> list[Step | Done[Any] | Exception]:
    """Do the step of each task, encodings and searches together, and go on until the next one.

    An exception of one task is its own outcome. One that is raised came before any task went on.
    """
    outcomes: list[Any] = [None] * len(tasks)
    groups: dict[Live, list[int]] = {}
    read: dict[int, list[Read]] = {}
    now = time.monotonic()
    for i, task in enumerate(tasks):
        if now > task.deadline:
            outcomes[i] = DeadlineExceeded("its deadline has passed", hint="try again later")
        elif isinstance(task.step, Encode):
            try:
                read[i] = task.step.read()
            except InvalidInput as error:
                outcomes[i] = error
            else:
                groups.setdefault(task.step.live, []).append(i)
    results: dict[int, Any] = {}
    for live, members in groups.items():
        _encode(live, [(i, tasks[i].step, read[i]) for i in members], results)
    finds = [(i, t.step) for i, t in enumerate(tasks) if isinstance(t.step, Find)]
    _find([(i, step) for i, step in finds if outcomes[i] is None], results, outcomes)
    for i, task in enumerate(tasks):
        if outcomes[i] is None:
            try:
                outcomes[i] = go_on(task.steps, results.get(i))
            except Exception as error:  # it is the outcome of this task and of no other
                outcomes[i] = error
    return outcomes


def _encode(
    live: Live, works: Sequence[tuple[int, Any, list[Read]]], into: dict[int, Encoded]
) -> None:
    """Encode what works of one bundle have read, score their pairs, put both into the results."""
    payloads = [item.payload for _, _, items in works for item in items]
    rows = live.encode(payloads)
    left: list[int] = []
    right: list[int] = []
    start = 0
    for _, step, items in works:
        left += [start + a for a, _ in step.pairs]
        right += [start + b for _, b in step.pairs]
        start += len(items)
    scores = score_pairs(live.comparator, rows, payloads, left, right).tolist() if left else []
    start = scored = 0
    for i, step, items in works:
        end, last = start + len(items), scored + len(step.pairs)
        into[i] = Encoded(items, rows[start:end], scores[scored:last])
        start, scored = end, last


def _find(works: Sequence[tuple[int, Find]], into: dict[int, Any], outcomes: list[Any]) -> None:
    """Search what works ask for, those alike together; hits into the results, errors into outcomes.

    A gallery that is scanned is read once for all of them.
    """
    alike: dict[tuple[int, int, int, str], list[tuple[int, int]]] = {}
    by_work = dict(works)
    for i, step in works:
        into[i] = [[]] * len(step.asked)
        for at, (k, where) in enumerate(step.asked):
            key = id(step.gallery), id(step.live.comparator), k, repr(where)
            alike.setdefault(key, []).append((i, at))
    for members in alike.values():
        i, at = members[0]
        step, (k, where) = by_work[i], by_work[i].asked[at]
        rows = np.stack([by_work[i].rows[at] for i, at in members])
        try:
            found = step.gallery.search(rows, k, where, comparator=step.live.comparator)
        except Exception as error:  # it is the outcome of those who asked this
            for i, at in members:
                outcomes[i] = by_work[i].placed(error, at)
            continue
        for (i, at), hits in zip(members, found, strict=True):
            into[i][at] = hits


def answers(verbs: Sequence[Steps[T]], deadline: float) -> list[T]:
    """What verbs come to, here and now; what they encode is encoded together.

    Raises:
        Exception: what the first of them ran into that failed.
    """
    outcomes: list[Any] = [go_on(steps, None) for steps in verbs]
    while open_ := [i for i, o in enumerate(outcomes) if not isinstance(o, Done)]:
        for i, outcome in zip(
            open_, run([Task(verbs[i], outcomes[i], deadline) for i in open_]), strict=True
        ):
            if isinstance(outcome, Exception):
                raise outcome
            outcomes[i] = outcome
    return [outcome.value for outcome in outcomes]


def joined(done: Sequence[Encoded]) -> Encoded:
    """What parts of one step gave as one, in order."""
    rows = np.concatenate([part.rows for part in done])
    return Encoded([item for part in done for item in part.items], rows, [])


def parts(whole: Encode, most: int) -> Iterator[Encode]:
    """A step in parts, in order: of so many items at most, and of a moment."""
    some: list[tuple[str, Any, str | None]] = []
    left_s = PART_SECONDS
    for item, seconds in zip(whole.items, whole.seconds, strict=True):
        if some and (len(some) == most or seconds > left_s):
            yield replace(whole, items=some, pairs=())
            some, left_s = [], PART_SECONDS
        some.append(item)
        left_s -= seconds
    yield replace(whole, items=some, pairs=())


def alone(step: Encode) -> Steps[Encoded]:
    """One step, and what it gives."""
    encoded: Encoded = yield step
    return encoded
