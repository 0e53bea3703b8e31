"""The service without a network: every verb, on one live release.

Knows nothing of HTTP or event loops. `pick` gives the live release; `switch`
replaces it in one assignment, and work that began with the old bundle ends with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from gemel.arrays import Float32
from gemel.calibrate.answers.proposal import Feedback
from gemel.decide.categories import Category
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.explanation import Explanation
from gemel.release.release import Release, require_release
from gemel.release.words.card import Card
from gemel.serve.books import Books, Shelf
from gemel.serve.cache.own import Cache
from gemel.serve.context import LOCAL, Caller, Context
from gemel.serve.live import CLASS, Live
from gemel.serve.rollout.arms import Arms
from gemel.serve.rollout.desk import Desk
from gemel.serve.steps import Steps, answers
from gemel.serve.tenants import Home, Tenants
from gemel.serve.verbs import card as cards
from gemel.serve.verbs import classify as classifying
from gemel.serve.verbs import duplicates as duplicating
from gemel.serve.verbs import embed as embedding
from gemel.serve.verbs import explain as explaining
from gemel.serve.verbs import identify as identifying
from gemel.serve.verbs import records, reviews
from gemel.serve.verbs import search as searching
from gemel.serve.verbs import verify as verifying
from gemel.serve.wire import enrolled, operation, pairs, searches
from gemel.settings import AdaptSettings
from gemel.tasks.clusters import Method
from gemel.telemetry import Metrics

if TYPE_CHECKING:  # which needs a package that few have
    from gemel.serve.cache.shared import Shared

Body = TypeVar("Body")
Reply = TypeVar("Reply")
Verb = Callable[[Context, Body], Steps[Reply]]
Where = dict[str, Any] | None
STABLE: Literal["stable"] = "stable"


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
        caller: who asks through the methods here.
        label: attribute that says whose a record is, if nobody names one.
        desk: where rollouts are started; None for a service without.
        cache_bytes: of embeddings that are kept; 0 keeps none.
        shared: where other processes keep theirs; None asks none.
        tenants: whose callers are answered from places of their own; None answers none.
        today: the day, to tell what has expired.
        n_noted: records that the ledger says are in the gallery.
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
        caller: Caller = LOCAL,
        label: str = CLASS,
        desk: Desk | None = None,
        cache_bytes: int = 0,
        shared: Shared | None = None,
        tenants: Tenants | None = None,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
        n_noted: int = 0,
    ) -> None:
        require_release(release, "that answers")
        self.metrics = metrics or Metrics()
        self.warning: str | None = None
        self.had_records = False  # known to whoever opened the gallery; an empty one is odd then
        is_kept = cache_bytes or shared is not None
        cache = Cache(cache_bytes, self.metrics, shared) if is_kept else None
        self.arms = Arms(
            Live.open(release, gallery, threads=threads, label=label, cache=cache, n_noted=n_noted)
        )
        self.ledger, self.threads, self.desk, self.tenants = ledger, threads, desk, tenants
        self.books = Books(ledger, self.metrics, adapt or AdaptSettings(), shelf)
        self._caller = caller
        self._today = today
        if tenants is not None:
            self.metrics.gauge("gemel_ledger_ready").set_function(self._are_noted)

    def _are_noted(self) -> float:
        """1 while its ledger and those of tenants take entries, else 0."""
        of_tenants = None if self.tenants is None else self.tenants.ledger_problem
        return float(self.ledger_problem is None and of_tenants is None)

    def pick(self) -> Live:
        """The bundle that is live; during a rollout `arms` may answer with its candidate."""
        return self.arms.stable

    def switch(self, release: Release, gallery: Gallery | None = None) -> None:
        """Make another release live; on an error the present one stays.

        Args:
            release: verified when it was opened.
            gallery: of its space; None serves without.
        Raises:
            GemelError: it cannot be served here.
        """
        previous = self.arms.stable
        self.arms.switch(
            self.arms.opened(release.id, gallery)
            or Live.open(
                release, gallery, previous=previous, threads=self.threads, label=previous.label
            )
        )

    def warnings(self) -> list[str]:
        """What a person should look at: of the rollout, and of the live policy."""
        live = self.pick()
        found = [*filter(None, [self.warning]), *live.warnings(self._today())]
        if (
            self.had_records
            and not live.of_lost
            and live.gallery is not None
            and not live.gallery.count()
        ):
            found.append("the gallery is empty, and records were enrolled: nothing is found")
        return found

    @property
    def ledger_problem(self) -> str | None:
        """Why decisions and changes cannot be noted at the moment; None if they can."""
        return self.books.problem

    def context(
        self,
        request_id: str = "",
        caller: Caller = LOCAL,
        deadline: float = math.inf,
        live: Live | None = None,
        home: Home | None = None,
    ) -> Context:
        """What a verb has to know of a request.

        Args:
            request_id: of the request.
            caller: who asks.
            deadline: of the monotonic clock, in seconds.
            live: what answers; stable if left out.
            home: of the caller's tenant, where `live` is from.
        """
        live = live or self.arms.stable
        if home is not None:
            parts = live, home.books, request_id, caller, deadline, self.arms
            return Context(*parts, home=home)
        return Context(live, self.books, request_id, caller, deadline, self.arms, self.desk)

    def ask(self, verb: Verb[Body, Reply], body: Body) -> Reply:
        """The reply of a verb to a body."""
        return self.ask_all(verb, [body])[0]

    def ask_all(self, verb: Verb[Body, Reply], bodies: Sequence[Body]) -> list[Reply]:
        """Replies to many bodies, from one release; what they encode is encoded together."""
        context = self.context(caller=self._caller)
        return answers([verb(context, body) for body in bodies], context.deadline)

    def verify(self, left: Any, right: Any, category: Category = None) -> pairs.VerifyReply:
        """Whether two items are the same.

        Args:
            left: an item, or a list of several views of one thing: all of them must match, the
                lowest score decides.
            right: likewise.
            category: of both, or of each, where the release decides by category; None = their
                own, or unknown, which gets the strictest threshold.
        Raises:
            InvalidInput: one of them cannot be encoded.
        """
        return self.ask(verifying.verify, pairs.VerifyBody(left, right, category))

    def embed(self, items: Sequence[Any]) -> Float32:
        """Embeddings of n items: (n, d) float32, unit rows.

        Raises:
            InvalidInput: one of them cannot be encoded.
        """
        return self.ask(embedding.rows, items)

    def search(
        self, query: Any, k: int = 10, where: Where = None, category: str | None = None
    ) -> searches.SearchReply:
        """The k records of the gallery most like an item, best first, each with a decision.

        Args:
            query: the item.
            k: records at most.
            where: only records whose attributes equal these values; an attribute that no record
                has is refused, unless there are no records.
            category: of the query; None = its own, or unknown.
        Raises:
            InvalidInput: the item cannot be encoded, or k or where are not valid.
            NoGallery: there is none.
        """
        return self.ask(searching.search, searches.SearchBody(query, k, where, category))

    def identify(
        self,
        query: Any,
        where: Where = None,
        category: str | None = None,
        *,
        label: str | None = None,
    ) -> searches.IdentifyReply:
        """Who in the gallery an item is, or that it is unknown or may be several.

        Args:
            query: as for `search`, and so are where and category.
            where: see query.
            category: see query.
            label: the attribute that says whose a record is, None for that of the service; where
                records have none, two are of one identity if the release decides that they match.

        Raises:
            InvalidInput: the item cannot be encoded, or where is not valid.
            NoGallery: there is none.
        """
        body = searches.IdentifyBody(query, where, category, label)
        return self.ask(identifying.identify, body)

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
        body = (
            pairs.ExplainBody(left, right)
            if record is None
            else pairs.ExplainBody(right=right, query=left, id=record)
        )
        body.category, body.parts = category, "auto" if parts else "none"
        return self.ask(explaining.explain, body)

    def classify(
        self, query: Any, k: int = 5, *, label: str | None = None, where: Where = None
    ) -> searches.ClassifyReply:
        """The k classes most like an item, and whether it is of one of them or unknown.

        Args:
            query: the item.
            k: classes in the reply, at most; all are looked at.
            label: the attribute whose values are the classes; left out, that of the service.
            where: only supports whose attributes equal these values.
        Raises:
            InvalidInput: the item cannot be encoded, no record has the label, or k or where are
                not valid.
            NoGallery: there is none.
        """
        body = searches.ClassifyBody(query, k, label, where)
        return self.ask(classifying.classify, body)

    def classes(self, label: str | None = None) -> searches.ClassesReply:
        """How many supports each class of the gallery has.

        Raises:
            InvalidInput: no record has the label.
            NoGallery: there is none.
        """
        return self.ask(classifying.classes, searches.ClassesBody(label))

    def duplicates(
        self,
        items: Sequence[enrolled.RecordItem],
        method: Method = "average",
        max_risk: float | None = None,
    ) -> enrolled.DuplicatesReply:
        """Which of a few records are the same.

        Args:
            items: at least two, with ids of their own.
            method: how matches become clusters.
            max_risk: probability of a false link that no cluster may exceed.
        Raises:
            InvalidInput: one cannot be encoded, or the release gives no probabilities.
            DuplicateRecord: an id stands twice.
        """
        body = enrolled.DuplicatesBody(list(items), method, max_risk)
        return self.ask(duplicating.duplicates, body)

    def enroll(
        self, new: Sequence[enrolled.NewRecord], *, replace: bool = True
    ) -> enrolled.EnrollReply:
        """Put records into the gallery, or change those whose id is known; all or none.

        Args:
            new: the records.
            replace: whether another content may take the place of what an id stands for.
        Raises:
            InvalidInput: one of them cannot be encoded.
            DuplicateRecord: an id stands for another content, which may not be replaced.
            GalleryError: the gallery does not take them.
        """
        verb = records.enroll if replace else records.enroll_beside
        return self.ask(verb, enrolled.RecordsBody(list(new)))

    def delete(self, ids: Sequence[str]) -> enrolled.DeleteReply:
        """Take records out of the gallery; ids that are not there are no error.

        With a ledger also out of every other gallery in `gallery/` beside its file, of whichever
        space: an id is the same person or thing in all of them.
        """
        every = [ids] if isinstance(ids, str) else list(ids)
        return self.ask(records.delete, enrolled.IdsBody(every))

    def get(self, record: str) -> enrolled.RecordReply:
        """A record of the gallery.

        Raises:
            UnknownRecord: it is not there.
        """
        return self.ask(records.get, enrolled.IdBody(record))

    def count(self) -> int:
        """How many records the gallery holds."""
        return self.ask(records.count, enrolled.CountBody()).count

    def verdict(
        self, decision_id: str, genuine: bool, reviewer: str = ""
    ) -> operation.VerdictReply:
        """Note what a decision should have been; on disk on return.

        Raises:
            UnknownDecision: there is none of that id.
            NoLedger: decisions are not kept.
        """
        return self.ask(reviews.verdict, operation.VerdictBody(decision_id, genuine, reviewer))

    def review(self, limit: int = 100) -> operation.ReviewReply:
        """Decisions that wait for a person's answer, the oldest first."""
        return self.ask(reviews.review, operation.ReviewBody(limit))

    def proposal(self) -> Feedback:
        """What the answers say about the threshold; changes nothing."""
        return self.ask(reviews.proposal, operation.ProposalBody())

    def card(self) -> Card:
        """What the live release is for, what was measured, when it expires."""
        return self.ask(cards.card, operation.CardBody())
