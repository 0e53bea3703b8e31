"""The service without a network: verify, search, classify, embed, enroll, on one live release.

Each verb takes a list of work and gives one result or error for each, so that a batcher can hand
over whatever has gathered. Knows nothing of HTTP or event loops. `switch` replaces the live bundle
in one assignment; work that began with the old bundle ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from gemel.arrays import Float32
from gemel.decide.policy import Category
from gemel.errors import InvalidInput
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.explanation import Explanation
from gemel.release.release import Release
from gemel.serve.answers import Answers
from gemel.serve.live import Live
from gemel.serve.replies import ClassesReply, ClassifyReply, IdentifyReply, SearchReply, VerifyReply
from gemel.serve.requests import Classes, Classify, Embed, Explain, Find, Identify, Verify
from gemel.serve.reviews import Reviews, Shelf
from gemel.settings import AdaptSettings
from gemel.tasks.explain import answer
from gemel.telemetry import Metrics


class Service:
    """Answers from one live release.

    Args:
        release: the first to be live.
        gallery: of its space; None serves without search and records.
        ledger: takes every decision and every change; None keeps no record.
        threads: of the encoder, inside one call.
        metrics: what is counted.
        adapt: which decisions people are asked about.
        shelf: gives the releases whose decisions count for a proposal, such as `Store.list`.
        today: the day, to tell what has expired.
    Raises:
        SpaceMismatch: release and gallery are of different spaces.
        ParityError: the encoder does not give here what it gave when the release was built.
    """

    def __init__(
        self,
        release: Release,
        gallery: Gallery | None = None,
        ledger: Ledger | None = None,
        *,
        threads: int = 1,
        metrics: Metrics | None = None,
        adapt: AdaptSettings | None = None,
        shelf: Shelf = tuple,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self.metrics = metrics or Metrics()
        self.live = Live.open(release, gallery, threads=threads)
        self.warning: str | None = None
        self.reviews = Reviews(ledger, adapt or AdaptSettings(), shelf)
        self.answers = Answers(ledger, self.metrics, self.reviews)
        self._threads = threads
        self._today = today

    def switch(self, release: Release, gallery: Gallery | None = None) -> None:
        """Make another release live; on an error the present one stays.

        Args:
            release: verified when it was opened.
            gallery: of its space; None serves without.
        Raises:
            ReleaseError: it cannot be served here.
        """
        live = Live.open(release, gallery, previous=self.live, threads=self._threads)
        self.live = live

    def warnings(self) -> list[str]:
        """What a person should look at: of the rollout, and of the live policy."""
        return [*filter(None, [self.warning]), *self.live.warnings(self._today())]

    def verify(self, left: Any, right: Any, category: Category = None) -> VerifyReply:
        """Whether two items are the same.

        Args:
            left: an item, or a list of several views of one thing: all of them must match, the
                lowest score decides.
            right: likewise.
            category: of both, or of each, where the release decides by category; None = unknown,
                which gets the strictest threshold.
        Raises:
            InvalidInput: one of them cannot be encoded.
        """
        reply: VerifyReply = _single(
            self.answers.encode([Verify(self.live, left, right, "", category)])
        )
        return reply

    def embed(self, items: Sequence[Any]) -> Float32:
        """Embeddings of n items: (n, d) float32, unit rows.

        Raises:
            InvalidInput: one of them cannot be encoded.
        """
        rows: Float32 = _single(self.answers.encode([Embed(self.live, tuple(items))]))
        return rows

    def search(
        self,
        query: Any,
        k: int = 10,
        where: dict[str, Any] | None = None,
        category: str | None = None,
    ) -> SearchReply:
        """The k records of the gallery most like an item, best first, each with a decision.

        Raises:
            InvalidInput: the item cannot be encoded, or k or where are not valid.
            NoGallery: there is none.
        """
        live = self.live
        rows = _single(self.answers.encode([Embed(live, (query,), "query")]))
        category = live.category(query, category)
        reply: SearchReply = _single(
            self.answers.find([Find(live, rows[0], k, where, "", category, query)])
        )
        return reply

    def identify(self, query: Any, where: dict[str, Any] | None = None) -> IdentifyReply:
        """Who in the gallery an item is, or that it is unknown.

        Raises:
            InvalidInput: the item cannot be encoded, or where is not valid.
            NoGallery: there is none.
        """
        live = self.live
        rows = _single(self.answers.encode([Embed(live, (query,), "query")]))
        reply: IdentifyReply = _single(
            self.answers.find([Identify(live, rows[0], where, query=query)])
        )
        return reply

    def explain(
        self,
        left: Any,
        right: Any = None,
        *,
        record: str | None = None,
        category: Category = None,
        parts: bool = True,
    ) -> Explanation:
        """Why two items, or an item and a record of the gallery, are decided as they are.

        Args:
            left: an item.
            right: the other one.
            record: id of a record to compare with instead; its own parts are not known.
            category: as for `verify`; a record has its own.
            parts: what each part is worth as well.
        Raises:
            InvalidInput: an item cannot be encoded.
            NoGallery: there is none to look a record up in.
            UnknownRecord: it is not there.
        """
        live = self.live
        steps = self.answers.explaining(Explain(live, left, right, record, parts, category))
        return answer(steps, live.encoder.encode)

    def classify(
        self,
        query: Any,
        k: int = 5,
        *,
        label: str = "class",
        where: dict[str, Any] | None = None,
    ) -> ClassifyReply:
        """The k classes most like an item, and whether it is of one of them or unknown.

        Args:
            query: the item.
            k: classes in the reply, at most; all are looked at.
            label: the attribute whose values are the classes.
            where: only supports whose attributes equal these values.
        Raises:
            InvalidInput: the item cannot be encoded, no record has the label, or k or where are
                not valid.
            NoGallery: there is none.
        """
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise InvalidInput(f"k is {k!r}, expected a whole number from 1 up", where="k")
        live = self.live
        rows = _single(self.answers.encode([Embed(live, (query,), "query")]))
        reply: ClassifyReply = _single(
            self.answers.find([Classify(live, rows[0], k, label, where)])
        )
        return reply

    def classes(self, label: str = "class") -> ClassesReply:
        """How many supports each class of the gallery has.

        Raises:
            InvalidInput: no record has the label.
            NoGallery: there is none.
        """
        reply: ClassesReply = _single(self.answers.find([Classes(self.live, label)]))
        return reply


def _single(answers: list[Any]) -> Any:
    (answer,) = answers
    if isinstance(answer, Exception):
        raise answer
    return answer
