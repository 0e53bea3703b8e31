"""What each piece of work comes to: its reply, its count and its entry in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gemel.arrays import Float32
from gemel.decide.policy import Decision, pair_of
from gemel.encode.comparators import score_pairs
from gemel.errors import InvalidInput
from gemel.gallery.record import Enrolled
from gemel.ledger.ledger import Ledger
from gemel.ledger.verdicts import is_asked
from gemel.release.explanation import Explanation, Stage, explaining
from gemel.serve import finding
from gemel.serve.classes import Classifier, noted
from gemel.serve.duplicates import Group, grouped
from gemel.serve.finding import gallery_of
from gemel.serve.live import Live
from gemel.serve.replies import (
    ClassesReply,
    ClassifyReply,
    DeleteReply,
    DuplicatesReply,
    EnrollReply,
    IdentifyReply,
    SearchReply,
    VerifyReply,
)
from gemel.serve.requests import (
    Advance,
    Classes,
    Classify,
    Delete,
    Embed,
    Enroll,
    Explain,
    Find,
    Get,
    Identify,
    Verify,
)
from gemel.serve.reviews import Reviews
from gemel.tasks.explain import Steps, advance
from gemel.telemetry import OPERATIONS, OUTCOMES, Metrics

ORDER = {"no_match": 0, "review": 1, "match": 2}
AS_MATCH = {"class": "match", "review": "review", "unknown": "no_match"}


class Answers:
    """What becomes of work: the reply to each, counted and entered in the ledger.

    Each method takes a list, so that a batcher can hand over whatever has gathered, and gives one
    reply or exception for each. Work carries the live release it began with.

    Args:
        ledger: takes every decision and every change; None keeps no record.
        metrics: what is counted.
        reviews: says which decisions people are asked about.
    """

    def __init__(self, ledger: Ledger | None, metrics: Metrics, reviews: Reviews) -> None:
        self._ledger = ledger
        self._reviews = reviews
        self._classifier = Classifier()
        self._decisions = {
            (operation, outcome): metrics.counter("gemel_decisions_total", operation, outcome)
            for operation in OPERATIONS
            for outcome in OUTCOMES
        }

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
                self._fill(answers, works, live, (rows, payloads), starts)
        return answers

    def find(self, works: Sequence[Any]) -> list[Any]:
        """The reply to each question of the gallery, or an exception."""
        answer: dict[type, Callable[[Any], Any]] = {
            Find: self._found,
            Identify: self._identified,
            Classify: self._classified,
            Classes: self._classes,
            Group: self._grouped,
            Get: finding.got,
        }
        return [_attempt(answer[type(work)], work) for work in works]

    def change(self, works: Sequence[Enroll | Delete]) -> list[Any]:
        """An EnrollReply or a DeleteReply for each work, or an exception; durable on return."""
        return [_attempt(self._changed, work) for work in works]

    def explaining(self, work: Explain) -> Steps[Explanation]:
        """An explanation in steps: payloads are asked for, their embeddings sent back."""
        live = work.live
        payloads = _checked(live, work)
        category = _categories(work)
        if work.record is None:
            stage: Stage = "verify"
            other, size = payloads[1], None
        else:
            gallery = gallery_of(live)
            record, size = gallery.get(work.record), gallery.count()
            stage, other = "search", record.embedding
            category = category[0], live.category(record.attributes)
        steps = explaining(
            live.release,
            live.encoder.prepare,
            (payloads[0], other),
            category=category,
            parts=work.parts,
            stage=stage,
            gallery_size=size,
        )
        return (yield from steps)

    def advance(self, works: Sequence[Advance]) -> list[Any]:
        """For each step the payloads to encode next and, if done, the Explanation, or an error."""
        return [_attempt(advance, work.steps, work.rows) for work in works]

    def _fill(
        self,
        answers: list[Any],
        works: Sequence[Verify | Embed],
        live: Live,
        encoded: tuple[Float32, list[Any]],
        starts: dict[int, int],
    ) -> None:
        """Put what follows from the rows and payloads of one bundle into the answers."""
        rows, payloads = encoded
        left: list[int] = []
        right: list[int] = []
        compared: dict[int, slice] = {}
        for i, start in starts.items():
            work = works[i]
            if isinstance(work, Verify):
                pairs = work.pairs()
                compared[i] = slice(len(left), len(left) + len(pairs))
                left += [start + a for a, _ in pairs]
                right += [start + b for _, b in pairs]
            else:
                answers[i] = rows[start : start + len(work.payloads)]
        if not compared:
            return
        scores = score_pairs(live.comparator, rows, payloads, left, right).tolist()
        for i, these in compared.items():
            answers[i] = _attempt(self._decided, works[i], scores[these])

    def _decided(self, work: Verify, scores: list[float]) -> VerifyReply:
        live = work.live
        decision, score = _strictest(work, scores)
        self._decisions["verify", decision.outcome].inc()
        reply = VerifyReply(
            decision.outcome,
            score,
            decision.threshold,
            decision.probability,
            live.release.id,
            live.release.space_id,
            None,
            decision.category,
            decision.interval,
            decision.rule,
        )
        if self._ledger is not None:
            probability = self._reviews.probability(reply.outcome)
            reply.decision_id = self._ledger.append(
                "verify",
                {
                    "outcome": reply.outcome,
                    "score": score,
                    "threshold": reply.threshold,
                    "probability": reply.probability,
                    "interval": reply.interval,
                    "release": reply.release,
                    "request_id": work.request_id,
                    "review_probability": probability,
                    **({"category": reply.category} if reply.category else {}),
                },
            )
            reply.asked = is_asked(reply.decision_id, probability)
        return reply

    def _found(self, work: Find) -> SearchReply:
        reply = finding.found(work)
        best = reply.hits[0] if reply.hits else None
        self._decisions["search", best.decision if best else "no_match"].inc()
        body = {
            "hits": len(reply.hits),
            "matches": sum(hit.decision == "match" for hit in reply.hits),
            "best": [best.id, best.score, best.decision] if best else None,
            "k": work.k,
        }
        reply.decision_id = self._note("search", work.live, work.request_id, body)
        return reply

    def _identified(self, work: Identify) -> IdentifyReply:
        reply = finding.identified(work)
        outcome = "no_match" if reply.outcome == "unknown" else reply.outcome
        self._decisions["identify", outcome].inc()
        noted = ("outcome", "record", "score", "threshold", "probability", "gallery_size")
        body = {name: getattr(reply, name) for name in noted}
        reply.decision_id = self._note("identify", work.live, work.request_id, body)
        return reply

    def _classes(self, work: Classes) -> ClassesReply:
        return self._classifier.classes(work, gallery_of(work.live))

    def _classified(self, work: Classify) -> ClassifyReply:
        reply = self._classifier.classify(work, gallery_of(work.live))
        self._decisions["classify", AS_MATCH[reply.outcome]].inc()
        body = noted(work, reply)
        reply.decision_id = self._note("classify", work.live, work.request_id, body)
        return reply

    def _grouped(self, work: Group) -> DuplicatesReply:
        reply = grouped(work)
        body = {
            "records": len(work.records),
            "clusters": len(reply.clusters),
            "matches": sum(pair.outcome == "match" for pair in reply.pairs),
        }
        reply.decision_id = self._note("duplicates", work.live, work.request_id, body)
        return reply

    def _changed(self, work: Enroll | Delete) -> EnrollReply | DeleteReply:
        gallery = gallery_of(work.live)
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


def _strictest(work: Verify, scores: list[float]) -> tuple[Decision, float]:
    """The decision that is furthest from a match among those of all views, and its score."""
    live, items = work.live, work.items()
    stated = pair_of(work.category)
    found = []
    for (i, j), score in zip(work.pairs(), scores, strict=True):
        left, right = items[i][1], items[j][1]
        category = live.category(left, stated[0]), live.category(right, stated[1])
        decision = live.policy.decide(score, category)
        found.append((live.policy.ruled(decision, left, right), score))
    return min(found, key=lambda pair: (ORDER[pair[0].outcome], pair[1] - pair[0].threshold))


def _categories(work: Explain) -> tuple[str | None, str | None]:
    """Categories of both items: as stated, else of their own."""
    left, right = pair_of(work.category)
    return work.live.category(work.left, left), work.live.category(work.right, right)


def _checked(live: Live, work: Verify | Embed | Explain) -> list[Any]:
    """The payloads of a work.

    Raises:
        InvalidInput: one cannot be encoded, or a side has too many views; `where` is the place
            in the request.
    """
    if isinstance(work, Embed) and work.checked:
        return list(work.payloads)
    if isinstance(work, Verify):
        work.check()
    payloads = []
    for place, item in work.items():
        try:
            payloads.append(live.payload(item))
        except InvalidInput as e:
            where = f"{place}.{e.where}" if e.where else place
            raise InvalidInput(e.what, where=where, hint=e.hint) from e
    return payloads


def _attempt(answer: Callable[..., Any], *work: Any) -> Any:
    try:
        return answer(*work)
    except Exception as error:  # it is the answer to this work and to no other
        return error
