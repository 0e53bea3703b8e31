"""The lanes that work travels in: each a bounded queue and a thread of its own.

Encoding, searching and changing the gallery do not wait for each other. What every handler needs
of the lanes is here; what the handlers do is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gemel.arrays import Float32
from gemel.errors import InternalError, NoGallery
from gemel.serve.http.endpoint import Call
from gemel.serve.live import Live
from gemel.serve.queues.batcher import Answer, Batcher, Limits
from gemel.serve.requests import Embed
from gemel.serve.service import Service
from gemel.settings import ServeSettings


class Lanes:
    """The lanes of one service.

    Args:
        service: what does the work.
        settings: limits of queue, batch and time.
        log: a logger.
    Attributes:
        encode: takes payloads through the encoder.
        find: searches the gallery.
        change: changes the gallery.
        review: reads and writes what people say.
        explain: does the steps of explanations that lie between encodings.
    """

    def __init__(self, service: Service, settings: ServeSettings, log: Any) -> None:
        limits = Limits(settings.max_batch, settings.max_queue, settings.timeout_ms / 1000)
        self._max_batch = settings.max_batch
        self._all: list[Batcher[Any, Any]] = []

        def lane(name: str, work: Callable[[Sequence[Any]], list[Any]]) -> Batcher[Any, Any]:
            made = Batcher(work, limits, name, service.metrics, log)
            self._all.append(made)
            return made

        self.encode = lane("encode", service.answers.encode)
        self.find = lane("find", service.answers.find)
        self.change = lane("change", service.answers.change)
        self.review = lane("review", service.reviews.answer)
        self.explain = lane("explain", service.answers.advance)

    def start(self) -> None:
        """Begin to take work."""
        for lane in self._all:
            lane.start()

    async def stop(self) -> None:
        """Finish what is in the queues and end."""
        for lane in self._all:
            await lane.stop()

    async def rows(
        self, call: Call, items: Sequence[Any], place: str, *, checked: bool = False
    ) -> Float32:
        """Embeddings of any number of items, a batch at a time so that others can go between.

        Args:
            call: whose live encoder it is.
            items: of a request, or payloads that are checked already.
            place: where in the request they stand.
            checked: they are payloads.
        """
        if call.live is None:
            raise InternalError("no release is live")
        parts: list[Float32] = []
        for first in range(0, len(items), self._max_batch):
            some = tuple(items[first : first + self._max_batch])
            work = Embed(call.live, some, place, first, checked)
            answer = await self.encode.submit(work, len(some))
            if first == 0:
                note_time(call, answer, "encode")
            parts.append(answer.value)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def note_time(call: Call, answer: Answer[Any], name: str) -> None:
    """Put how long a lane took into the call's `Server-Timing`."""
    call.timing += [("queue", answer.wait_s), (name, answer.run_s)]


def check_gallery(live: Live) -> None:
    """Raise unless there is a gallery to search.

    Raises:
        NoGallery: there is none.
    """
    if live.gallery is None:
        raise NoGallery("this service has no gallery", hint="start it with one to search")
