"""Which release answers a request: stable, or for some subjects the candidate of a rollout.

A subject is what has to get the same release again: what the caller names, else what is asked. Its
hash, salted by the rollout, decides; with a rising share nobody goes back to stable. Everything is
replaced by one assignment, so a request sees one state.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from gemel.gallery.gallery import Gallery
from gemel.serve.context import Context
from gemel.serve.live import Live
from gemel.serve.rollout.paired import decided
from gemel.serve.rollout.shadow import Pair, Shadow
from gemel.serve.rollout.watch import Watch, is_load

T = TypeVar("T")

SPAN = 2**64
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate beside stable.

    Attributes:
        id: of the rollout.
        live: the candidate, open and checked.
        share: of the subjects that it answers, in [0, 1).
        watch: what is seen of it.
        shadow: asks the other one what one of them was asked.
        beside: stable as an experiment asks it, with the gallery as it was; None for stable itself.
    """

    id: str
    live: Live
    share: float
    watch: Watch
    shadow: Shadow
    beside: Live | None = None

    def key(self, subject: str, asked: Any) -> int:
        """A subject as a number below 2^64, equally spread.

        Args:
            subject: as the caller names it; empty if not.
            asked: a body, which is its own subject then.
        """
        said = subject.encode() if subject else _encode(asked)
        return int.from_bytes(blake2b(said, digest_size=8, key=self.id.encode()).digest())

    def takes(self, key: int) -> bool:
        """Whether the candidate answers this subject."""
        return key < self.share * SPAN


@dataclass(frozen=True, slots=True)
class Question:
    """A request, as it may be asked again.

    Attributes:
        verb: that is asked.
        body: of the request.
        is_large: it takes memory that is wanted for others.
    """

    verb: Callable[[Context, Any], Any]
    body: Any
    is_large: bool = False


class Arms:
    """What a service answers with.

    Args:
        stable: the bundle that is live.

    Attributes:
        trial: a candidate beside it, or None.
        older: what was stable before, in another space, or None; gets what is changed as well.
        gap: the last twin that missed a change, and why.
        are_busy: tells whether somebody waits for an answer.
        galleries: gives those that are open, of whichever spaces.
    """

    def __init__(self, stable: Live) -> None:
        self.stable = stable
        self.trial: Trial | None = None
        self.older: Live | None = None
        self.gap: tuple[Live, Exception] | None = None
        self.are_busy: Callable[[], bool] = lambda: False
        self.galleries: Callable[[], Iterable[Gallery]] = tuple

    def switch(self, live: Live) -> None:
        """Make another bundle live; one of another space is kept for writes, to go back to."""
        previous, self.stable = self.stable, live
        if previous.release.space_id != live.release.space_id:
            self.older = previous

    def opened(self, release_id: str, gallery: Gallery | None) -> Live | None:
        """A bundle of that release and gallery that is open already."""
        known = (self.stable, self.older, self.trial.live if self.trial else None)
        fits = (one for one in known if one and one.release.id == release_id)
        return next((one for one in fits if one.gallery is gallery), None)

    def twins(self, live: Live) -> Iterator[Live]:
        """Bundles with a gallery of another space, which must not miss what is enrolled now."""
        spaces = {live.release.space_id}
        for other in (self.stable, self.trial.live if self.trial else None, self.older):
            if other and other.gallery is not None and other.release.space_id not in spaces:
                spaces.add(other.release.space_id)
                yield other

    def lost(self, twin: Live, error: Exception) -> None:
        """Note that a twin has missed a change: nobody may be answered by it any more."""
        self.gap = twin, error
        if twin is self.older:
            self.older = None


async def tried(
    trial: Trial,
    stable: Live,
    ask: Callable[[Live], Awaitable[T]],
    subject: str,
    question: Question,
) -> T:
    """The reply of whoever the subject gets; what is seen is counted, the other one asked later.

    What the candidate cannot answer, stable answers in its place; only where stable can is it an
    error of the candidate.

    Args:
        trial: of the candidate.
        stable: the bundle beside it.
        ask: gives the reply of a bundle.
        subject: as the caller names it; empty if not.
        question: what is asked.
    """
    stable = trial.beside or stable
    key, started, failed = trial.key(subject, question.body), time.perf_counter(), False
    is_ours = trial.takes(key)
    try:
        reply = await ask(trial.live if is_ours else stable)
    except Exception as error:
        if not is_ours or is_load(error):
            raise
        reply = await ask(stable)
        failed = True
    if not (failed or question.is_large):
        other = stable if is_ours else trial.live
        trial.shadow.offer(Pair(other, key, is_ours, question.verb, question.body, reply))
    seconds, outcome = time.perf_counter() - started, None if failed else decided(reply)
    trial.watch.answered(key, is_ours=is_ours, failed=failed, seconds=seconds, outcome=outcome)
    return reply
