"""What can be asked of a service: path, body and type of each reply, once for both clients."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from gemel.errors import InvalidInput
from gemel.serve.wire.enrolled import (
    CountReply,
    DeleteReply,
    DuplicatesBody,
    DuplicatesReply,
    EnrollReply,
    IdsBody,
    NewRecord,
    RecordItem,
    RecordReply,
    RecordsBody,
)
from gemel.serve.wire.operation import (
    HealthReply,
    ReleaseReply,
    ReviewReply,
    VerdictBody,
    VerdictReply,
)
from gemel.serve.wire.pairs import (
    ExplainBody,
    Ranked,
    RerankBody,
    RerankReply,
    VerifyBatchBody,
    VerifyBatchReply,
    VerifyBody,
    VerifyReply,
)
from gemel.serve.wire.searches import (
    ClassifyBody,
    ClassifyReply,
    IdentifyBody,
    IdentifyReply,
    SearchBatchBody,
    SearchBatchReply,
    SearchBody,
    SearchReply,
)
from gemel.serve.wire.vectors import EmbeddingsBody, EmbeddingsReply

if TYPE_CHECKING:  # which take long to load, and few ask for
    from gemel.arrays import Float32
    from gemel.calibrate.answers.proposal import Feedback
    from gemel.release.explanation import Explanation
    from gemel.release.words.card import Card
    from gemel.serve.wire.rollouts import RolloutBody, RolloutReply

Reply = TypeVar("Reply")
Where = dict[str, Any] | None
ROLLOUT = "gemel.serve.wire.rollouts.RolloutReply"
_encode = msgspec.json.Encoder().encode


def _same(reply: Any) -> Any:
    return reply


@dataclass(frozen=True)
class Ask(Generic[Reply]):
    """One request.

    Attributes:
        method: of HTTP.
        path: with its query string.
        wire: type of the reply as it is sent; its module and name, if it is loaded when it comes.
        body: struct to send; None for none.
        twice: sent again it changes nothing more, so it may be when the answer was lost.
        then: makes of the reply what a caller gets.
    """

    method: str
    path: str
    wire: type[Any] | str
    body: msgspec.Struct | None = None
    twice: bool = True
    then: Callable[[Any], Reply] = _same

    @property
    def content(self) -> bytes | None:
        """The body as JSON."""
        if self.body is None:
            return None
        sent = _encode(self.body)
        if b"null" in sent:  # which infinity becomes
            _check_numbers(msgspec.to_builtins(self.body))
        return sent

    @property
    def kind(self) -> Any:
        """The type of the reply as it is sent."""
        if not isinstance(self.wire, str):
            return self.wire
        module, _, name = self.wire.rpartition(".")
        return getattr(import_module(module), name)


def verify(left: Any, right: Any, category: Any = None) -> Ask[VerifyReply]:
    """Whether two items are the same; a list is of several views of one thing."""
    return Ask("POST", "/v1/verify", VerifyReply, VerifyBody(left, right, category))


def verify_batch(pairs: Sequence[tuple[Any, Any]]) -> Ask[list[VerifyReply]]:
    """Of each pair, whether the two are the same."""
    body = VerifyBatchBody([VerifyBody(left, right) for left, right in pairs])
    return Ask("POST", "/v1/verify-batch", VerifyBatchReply, body, then=lambda r: r.results)


def search(
    query: Any, k: int = 10, where: Where = None, category: str | None = None
) -> Ask[SearchReply]:
    """The k records of the gallery most like an item, each with a decision."""
    return Ask("POST", "/v1/search", SearchReply, SearchBody(query, k, where, category))


def search_batch(queries: Sequence[Any], k: int = 10) -> Ask[list[SearchReply]]:
    """The k records most like each of many items."""
    body = SearchBatchBody([SearchBody(query, k) for query in queries])
    return Ask("POST", "/v1/search-batch", SearchBatchReply, body, then=lambda r: r.results)


def identify(
    query: Any, where: Where = None, category: str | None = None, label: str | None = None
) -> Ask[IdentifyReply]:
    """Who in the gallery an item is, or nobody."""
    return Ask("POST", "/v1/identify", IdentifyReply, IdentifyBody(query, where, category, label))


def classify(
    query: Any, k: int = 5, label: str | None = None, where: Where = None
) -> Ask[ClassifyReply]:
    """Which of the enrolled classes an item is of, or none."""
    return Ask("POST", "/v1/classify", ClassifyReply, ClassifyBody(query, k, label, where))


def explain(
    left: Any, right: Any = None, record: str | None = None, category: Any = None
) -> Ask[Explanation]:
    """Why two items, or an item and a record of the gallery, are decided as they are."""
    body = ExplainBody(left, right) if record is None else ExplainBody(query=left, id=record)
    body.category = category
    return Ask("POST", "/v1/explain", "gemel.release.explanation.Explanation", body)


def embed(items: Sequence[Any]) -> Ask[Float32]:
    """Embeddings of n items: (n, d) float32, unit rows."""
    body = EmbeddingsBody(list(items), encoding_format="base64")
    return Ask("POST", "/v1/embeddings", EmbeddingsReply, body, then=_rows)


def rerank(query: Any, documents: Sequence[Any], top_n: int | None = None) -> Ask[list[Ranked]]:
    """Documents by how much they are like a query, best first."""
    body = RerankBody(query, list(documents), top_n)
    return Ask("POST", "/v1/rerank", RerankReply, body, then=lambda r: r.results)


def duplicates(records: dict[str, Any]) -> Ask[DuplicatesReply]:
    """Which of a few records, `{id: item}`, are the same."""
    items = [RecordItem(record, payload) for record, payload in _by_id(records)]
    return Ask("POST", "/v1/duplicates", DuplicatesReply, DuplicatesBody(items))


def enroll(
    records: dict[str, Any], attributes: dict[str, dict[str, Any]] | None = None
) -> Ask[EnrollReply]:
    """Put records, `{id: item}`, into the gallery, or change them; all or none."""
    more = attributes or {}
    new = [NewRecord(record, payload, more.get(record)) for record, payload in _by_id(records)]
    return Ask("POST", "/v1/records", EnrollReply, RecordsBody(new))


def delete(ids: Sequence[str]) -> Ask[DeleteReply]:
    """Take records out of the gallery; ids that are not there are no error."""
    every = [ids] if isinstance(ids, str) else list(ids)
    return Ask("DELETE", "/v1/records", DeleteReply, IdsBody(every))


def get(record: str) -> Ask[RecordReply]:
    """A record of the gallery."""
    return Ask("GET", f"/v1/records/{quote(record, safe='')}", RecordReply)


def count() -> Ask[int]:
    """How many records the gallery holds."""
    return Ask("GET", "/v1/records", CountReply, then=lambda r: r.count)


def verdict(decision_id: str, genuine: bool, reviewer: str = "") -> Ask[VerdictReply]:
    """Note what a decision should have been."""
    body = VerdictBody(decision_id, genuine, reviewer)
    return Ask("POST", "/v1/verdicts", VerdictReply, body, twice=False)


def review(limit: int = 100, reviewer: str | None = None) -> Ask[ReviewReply]:
    """Decisions that wait for a person's answer, the oldest first."""
    said = {"limit": limit} if reviewer is None else {"limit": limit, "reviewer": reviewer}
    return Ask("GET", f"/v1/review?{urlencode(said)}", ReviewReply)


def proposal() -> Ask[Feedback]:
    """What the answers say about the threshold."""
    return Ask("GET", "/v1/proposal", "gemel.release.evidence.schema.Feedback")


def rollout(change: RolloutBody | None = None) -> Ask[RolloutReply]:
    """The rollout that is under way, or the last one, after a change if one is given."""
    if change is None:
        return Ask("GET", "/v1/rollout", ROLLOUT)
    return Ask("POST", "/v1/rollout", ROLLOUT, change, twice=False)


def release() -> Ask[ReleaseReply]:
    """What is live, as measured."""
    return Ask("GET", "/v1/release", ReleaseReply)


def card() -> Ask[Card]:
    """What the live release is for, what was measured, when it expires."""
    return Ask("GET", "/v1/card", "gemel.release.words.card.Card")


def ready() -> Ask[HealthReply]:
    """That the service takes requests, with what a person should look at."""
    return Ask("GET", "/readyz", HealthReply)


def _by_id(records: Any) -> Iterable[tuple[str, Any]]:
    """The ids and items of records.

    Raises:
        InvalidInput: they are not given by id.
    """
    if not isinstance(records, Mapping):
        what = f"expected records by their ids, got a {type(records).__name__}"
        raise InvalidInput(what, where="records", hint="send {id: item}")
    return records.items()


def _rows(reply: EmbeddingsReply) -> Float32:
    import numpy as np

    raw = [base64.b64decode(str(one.embedding)) for one in reply.data]
    return np.stack([np.frombuffer(row, "<f4") for row in raw]).astype(np.float32)


def _check_numbers(value: Any, where: str = "") -> None:
    """Return if there is no infinity, for which JSON has no number and the service no value.

    Raises:
        InvalidInput: there is one; `where` names its key.
    """
    if isinstance(value, float) and math.isinf(value):
        hint = "leave out what is not known"
        raise InvalidInput(f"{value} is no number", where=where, hint=hint)
    if isinstance(value, dict):
        for key, one in value.items():
            _check_numbers(one, str(key))
    elif isinstance(value, list | tuple):
        for one in value:
            _check_numbers(one, where)
