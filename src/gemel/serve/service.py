"""The service without a network: verify, search, embed, enroll, delete, on one live release.

Each verb takes a list of work and gives one result or error for each, so that a batcher can hand
over whatever has gathered. Knows nothing of HTTP or event loops. `switch` replaces the live bundle
in one assignment; work that began with the old bundle ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gemel.arrays import Float32
from gemel.errors import InvalidInput
from gemel.gallery.gallery import Gallery
from gemel.gallery.record import Enrolled
from gemel.ledger.ledger import Ledger
from gemel.ledger.verdicts import is_asked
from gemel.release.explanation import Explanation, Stage, explaining
from gemel.release.release import Release
from gemel.serve.duplicates import Group, grouped
from gemel.serve.live import Live
from gemel.serve.problems import NoGallery
from gemel.serve.reviews import Reviews
from gemel.serve.schemas import (
    DeleteReply,
    DuplicatesReply,
    EnrollReply,
    HitReply,
    RecordReply,
    SearchReply,
    VerifyReply,
)
from gemel.serve.work import Advance, Delete, Embed, Enroll, Explain, Find, Get, Verify
from gemel.settings import AdaptSettings
from gemel.tasks.explain import Steps, advance, answer
from gemel.telemetry import OUTCOMES, Metrics


class Service:
    """Answers from one live release.

    Args:
        release: the first to be live.
        gallery: of its space; None serves without search and records.
        ledger: takes every decision and every change; None keeps no record.
        threads: of the encoder, inside one call.
        metrics: what is counted.
        adapt: which decisions people are asked about.
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
    ) -> None:
        self.metrics = metrics or Metrics()
        self.live = Live.open(release, gallery, threads=threads)
        self.warning: str | None = None
        self._ledger = ledger
        self.reviews = Reviews(ledger, adapt or AdaptSettings())
        self._threads = threads
        self._decisions = {
            (operation, outcome): self.metrics.counter("gemel_decisions_total", operation, outcome)
            for operation in ("verify", "search")
            for outcome in OUTCOMES
        }

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

    def verify(self, left: Any, right: Any) -> VerifyReply:
        """Whether two items are the same.

        Raises:
            InvalidInput: one of them cannot be encoded.
        """
        reply: VerifyReply = _single(self.encode([Verify(self.live, left, right)]))
        return reply

    def embed(self, items: Sequence[Any]) -> Float32:
        """Embeddings of n items: (n, d) float32, unit rows.

        Raises:
            InvalidInput: one of them cannot be encoded.
        """
        rows: Float32 = _single(self.encode([Embed(self.live, tuple(items))]))
        return rows

    def search(self, query: Any, k: int = 10, where: dict[str, Any] | None = None) -> SearchReply:
        """The k records of the gallery most like an item, best first, each with a decision.

        Raises:
            InvalidInput: the item cannot be encoded, or k or where are not valid.
            NoGallery: there is none.
        """
        live = self.live
        rows = _single(self.encode([Embed(live, (query,), "query")]))
        reply: SearchReply = _single(self.find([Find(live, rows[0], k, where)]))
        return reply

    def explain(
        self, left: Any, right: Any = None, *, record: str | None = None, parts: bool = True
    ) -> Explanation:
        """Why two items, or an item and a record of the gallery, are decided as they are.

        Args:
            left: an item.
            right: the other one.
            record: id of a record to compare with instead; its own parts are not known.
            parts: what each part is worth as well.
        Raises:
            InvalidInput: an item cannot be encoded.
            NoGallery: there is none to look a record up in.
            UnknownRecord: it is not there.
        """
        live = self.live
        steps = self.explaining(Explain(live, left, right, record, parts))
        return answer(steps, live.encoder.encode)

    def explaining(self, work: Explain) -> Steps[Explanation]:
        """The same in steps, for a caller who encodes in its own way (see `tasks.explain`)."""
        live = work.live
        payloads = _checked(live, work)
        if work.record is None:
            stage: Stage = "verify"
            other = payloads[1]
        else:
            stage, other = "search", _gallery(live).get(work.record).embedding
        pair = (payloads[0], other)
        prepare = live.encoder.prepare
        return (yield from explaining(live.release, prepare, pair, parts=work.parts, stage=stage))

    def advance(self, works: Sequence[Advance]) -> list[Any]:
        """For each step the payloads to encode next and, if done, the Explanation, or an error."""
        return [_attempt(advance, work.steps, work.rows) for work in works]

    def encode(self, works: Sequence[Verify | Embed]) -> list[Any]:
        """A VerifyReply for each Verify, (n, d) float32 for each Embed, or an exception.

        All items of one bundle go through the encoder together.
        """
        answers: list[Any] = [None] * len(works)
        groups: dict[Live, list[int]] = {}
        for i, work in enumerate(works):
            groups.setdefault(work.live, []).append(i)
        for live, members in groups.items():
            payloads: list[Any] = []
            starts: dict[int, int] = {}
            for i in members:
                try:
                    checked = _checked(live, works[i])
                except InvalidInput as error:
                    answers[i] = error
                else:
                    starts[i] = len(payloads)
                    payloads += checked
            if payloads:
                rows = live.encoder.encode(payloads)
                self._fill(answers, works, live, rows, starts)
        return answers

    def find(self, works: Sequence[Find | Get | Group]) -> list[Any]:
        """A SearchReply for each Find, RecordReply for each Get, DuplicatesReply for each Group.

        Or an exception.
        """
        return [_attempt(self._found, work) for work in works]

    def change(self, works: Sequence[Enroll | Delete]) -> list[Any]:
        """An EnrollReply or a DeleteReply for each work, or an exception; durable on return."""
        return [_attempt(self._changed, work) for work in works]

    def _fill(
        self,
        answers: list[Any],
        works: Sequence[Verify | Embed],
        live: Live,
        rows: Float32,
        starts: dict[int, int],
    ) -> None:
        """Put what follows from the rows of one bundle into the answers."""
        pairs: list[int] = []
        for i, start in starts.items():
            work = works[i]
            if isinstance(work, Verify):
                pairs.append(i)
            else:
                answers[i] = rows[start : start + len(work.payloads)]
        if not pairs:
            return
        left = np.fromiter((starts[i] for i in pairs), np.int64, len(pairs))
        scores = live.comparator.score(rows[left], rows[left + 1]).tolist()
        for i, score in zip(pairs, scores, strict=True):
            answers[i] = _attempt(self._decided, works[i], score)

    def _decided(self, work: Verify, score: float) -> VerifyReply:
        live = work.live
        decision = live.policy.decide(score)
        self._decisions["verify", decision.outcome].inc()
        reply = VerifyReply(
            decision.outcome,
            score,
            decision.threshold,
            decision.probability,
            live.release.id,
            live.release.space_id,
            None,
        )
        if self._ledger is not None:
            probability = self.reviews.probability(reply.outcome)
            reply.decision_id = self._ledger.append(
                "verify",
                {
                    "outcome": reply.outcome,
                    "score": score,
                    "threshold": reply.threshold,
                    "probability": reply.probability,
                    "release": reply.release,
                    "request_id": work.request_id,
                    "review_probability": probability,
                },
            )
            reply.asked = is_asked(reply.decision_id, probability)
        return reply

    def _found(self, work: Find | Get | Group) -> SearchReply | RecordReply | DuplicatesReply:
        if isinstance(work, Group):
            return self._grouped(work)
        gallery = _gallery(work.live)
        if isinstance(work, Get):
            record = gallery.get(work.record)
            return RecordReply(record.id, record.attributes)
        live = work.live
        hits = gallery.search(work.row[None], work.k, work.where)[0]
        decisions = [live.policy.identify(hit.score) for hit in hits]
        release = live.release.id
        replies = [
            HitReply(
                hit.id,
                hit.score,
                decision.probability,
                decision.outcome,
                decision.threshold,
                release,
                rank,
                hit.attributes,
            )
            for rank, (hit, decision) in enumerate(zip(hits, decisions, strict=True), 1)
        ]
        best = replies[0] if replies else None
        self._decisions["search", best.decision if best else "no_match"].inc()
        body = {
            "hits": len(hits),
            "matches": sum(hit.decision == "match" for hit in replies),
            "best": [best.id, best.score, best.decision] if best else None,
            "k": work.k,
        }
        noted = self._note("search", live, work.request_id, body)
        return SearchReply(replies, release, live.release.space_id, noted)

    def _grouped(self, work: Group) -> DuplicatesReply:
        reply = grouped(work)
        body = {
            "records": len(work.ids),
            "clusters": len(reply.clusters),
            "matches": sum(pair.outcome == "match" for pair in reply.pairs),
        }
        reply.decision_id = self._note("duplicates", work.live, work.request_id, body)
        return reply

    def _changed(self, work: Enroll | Delete) -> EnrollReply | DeleteReply:
        gallery = _gallery(work.live)
        if isinstance(work, Delete):
            deleted = gallery.delete(work.ids)
            noted = self._note("delete", work.live, work.request_id, {"deleted": deleted})
            return DeleteReply(deleted, gallery.count(), noted)
        done: Enrolled = gallery.enroll(work.ids, work.rows, work.attributes)
        body = {"added": done.added, "updated": done.updated, "unchanged": done.unchanged}
        noted = self._note("enroll", work.live, work.request_id, body)
        return EnrollReply(done.added, done.updated, done.unchanged, gallery.count(), noted)

    def _note(self, kind: str, live: Live, request_id: str, body: dict[str, Any]) -> str | None:
        if self._ledger is None:
            return None
        entry = {**body, "release": live.release.id, "request_id": request_id}
        decision_id: str = self._ledger.append(kind, entry)
        return decision_id


def _checked(live: Live, work: Verify | Embed | Explain) -> list[Any]:
    """The payloads of a work.

    Raises:
        InvalidInput: one cannot be encoded; `where` is its place in the request.
    """
    if isinstance(work, Embed) and work.checked:
        return list(work.payloads)
    payloads = []
    for place, item in work.items():
        try:
            payloads.append(live.payload(item))
        except InvalidInput as e:
            where = f"{place}.{e.where}" if e.where else place
            raise InvalidInput(e.what, where=where, hint=e.hint) from e
    return payloads


def _gallery(live: Live) -> Gallery:
    if live.gallery is None:
        raise NoGallery("this service has no gallery", hint="start it with one to search")
    return live.gallery


def _attempt(answer: Callable[..., Any], *work: Any) -> Any:
    try:
        return answer(*work)
    except Exception as error:  # it is the answer to this work and to no other
        return error


def _single(answers: list[Any]) -> Any:
    (answer,) = answers
    if isinstance(answer, Exception):
        raise answer
    return answer
