"""The table of routes: which verb answers where, in which lanes, and which role may ask."""

from __future__ import annotations

from typing import Any

from gemel.calibrate.answers.proposal import Feedback
from gemel.release.explanation import Explanation
from gemel.release.words.card import Card
from gemel.serve.context import Role
from gemel.serve.http.problems import V2
from gemel.serve.http.routes import query
from gemel.serve.http.routes.call import Route
from gemel.serve.http.routes.query import RECORDS
from gemel.serve.verbs import (
    batches,
    card,
    classify,
    duplicates,
    embed,
    explain,
    identify,
    records,
    reviews,
    rollout,
    search,
    verify,
)
from gemel.serve.verbs.shapes import infer, models, rerank
from gemel.serve.wire import enrolled, operation, pairs, rollouts, searches, vectors
from gemel.serve.wire.operation import HealthReply, ReleaseReply, V2Reply

MODEL = f"{V2}/models/{infer.MODEL}"
RECORD = f"{RECORDS}/{{record:path}}"


def _told(
    path: str,
    reply: type[Any],
    summary: str,
    role: Role | None,
    query: tuple[str, ...] | None = None,
) -> Route:
    """What the service tells of itself."""
    return Route(method="GET", path=path, reply=reply, summary=summary, role=role, query=query)


ALIVE, TAKES = "200 while the process answers at all", "200 while it takes requests, else 503"
RELEASE = _told("/v1/release", ReleaseReply, "What is live, as measured", "reader", ())
LIVE = _told("/livez", HealthReply, ALIVE, None)
READY = _told("/readyz", HealthReply, TAKES, None)
V2_LIVE = _told("/v2/health/live", V2Reply, ALIVE, None)
V2_READY = _told("/v2/health/ready", V2Reply, TAKES, None)
V2_MODEL_READY = _told(f"{MODEL}/ready", V2Reply, TAKES, None)
METRICS = _told("/metrics", bytes, "Figures for Prometheus", "operator")
OPENAPI = _told("/openapi.json", dict, "This description", "reader")

TABLE: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/verify",
        body=pairs.VerifyBody,
        reply=pairs.VerifyReply,
        summary="Decide whether two items are the same",
        role="reader",
        verb=verify.verify,
        is_tried=True,
        lanes=("encode",),
    ),
    Route(
        method="POST",
        path="/v1/explain",
        body=pairs.ExplainBody,
        reply=Explanation,
        summary="Why two items, or an item and a record, are decided as they are",
        role="reader",
        verb=explain.explain,
        is_tried=True,
        lanes=("explain", "encode"),
    ),
    Route(
        method="POST",
        path="/v1/search",
        body=searches.SearchBody,
        reply=searches.SearchReply,
        summary="The records of the gallery most like an item, each with a decision",
        role="reader",
        verb=search.search,
        is_tried=True,
        lanes=("encode", "find"),
    ),
    Route(
        method="POST",
        path="/v1/identify",
        body=searches.IdentifyBody,
        reply=searches.IdentifyReply,
        summary="Who in the gallery an item is, or that it is unknown",
        role="reader",
        verb=identify.identify,
        is_tried=True,
        lanes=("encode", "find"),
    ),
    Route(
        method="POST",
        path="/v1/classify",
        body=searches.ClassifyBody,
        reply=searches.ClassifyReply,
        summary="The class of an item among those enrolled, or unknown",
        role="reader",
        verb=classify.classify,
        is_tried=True,
        lanes=("encode", "find"),
    ),
    Route(
        method="GET",
        path="/v1/classes",
        reply=searches.ClassesReply,
        summary="The classes of the gallery: the values of an attribute "
        "(what `label` names, or that of the service)",
        role="reader",
        verb=classify.classes,
        lanes=("find",),
        read=lambda call: searches.ClassesBody(**call.query),
        query=("label",),
    ),
    Route(
        method="POST",
        path="/v1/embeddings",
        body=vectors.EmbeddingsBody,
        reply=vectors.EmbeddingsReply,
        summary="Embeddings of one or more items, in the shape of OpenAI's API",
        role="reader",
        verb=embed.embed,
        lanes=("encode",),
    ),
    Route(
        method="GET",
        path="/v1/models",
        reply=vectors.ModelsReply,
        summary="The model that embeds, in the shape of OpenAI's API: the release",
        role="reader",
        verb=models.models,
        lanes=("find",),
        read=lambda _: vectors.AboutBody(),
    ),
    Route(
        method="POST",
        path="/v1/verify-batch",
        body=pairs.VerifyBatchBody,
        reply=pairs.VerifyBatchReply,
        summary="Decide about many pairs",
        role="reader",
        verb=batches.verify_batch,
        is_tried=True,
        lanes=("encode",),
    ),
    Route(
        method="POST",
        path="/v1/search-batch",
        body=searches.SearchBatchBody,
        reply=searches.SearchBatchReply,
        summary="The records most like each of many items",
        role="reader",
        verb=batches.search_batch,
        is_tried=True,
        lanes=("encode", "find"),
    ),
    Route(
        method="POST",
        path="/v1/rerank",
        body=pairs.RerankBody,
        reply=pairs.RerankReply,
        summary="Documents by how much they are like a query, in the shape of Cohere's API",
        role="reader",
        verb=rerank.rerank,
        is_tried=True,
        lanes=("encode",),
    ),
    Route(
        method="POST",
        path="/v1/duplicates",
        body=enrolled.DuplicatesBody,
        reply=enrolled.DuplicatesReply,
        summary="Which of these records are the same: clusters, and the pairs that they rest on",
        role="reader",
        verb=duplicates.duplicates,
        is_tried=True,
        lanes=("encode", "group"),
    ),
    Route(
        method="POST",
        path=RECORDS,
        body=enrolled.RecordsBody,
        reply=enrolled.EnrollReply,
        summary="Add records to the gallery, or change those whose id is known",
        role="enroller",
        verb=records.enroll,
        lanes=("encode", "change"),
    ),
    Route(
        method="DELETE",
        path=RECORDS,
        body=enrolled.IdsBody,
        reply=enrolled.DeleteReply,
        summary="Take records out of the gallery; ids that are not there are no error",
        role="enroller",
        verb=records.delete,
        lanes=("change",),
    ),
    Route(
        method="GET",
        path=RECORDS,
        reply=enrolled.CountReply,
        summary="How many records the gallery holds",
        role="reader",
        verb=records.count,
        lanes=("find",),
        read=lambda _: enrolled.CountBody(),
    ),
    Route(
        method="GET",
        path=RECORD,
        reply=enrolled.RecordReply,
        summary="One record of the gallery",
        role="reader",
        verb=records.get,
        lanes=("find",),
        read=lambda call: enrolled.IdBody(query.record(call)),
    ),
    Route(
        method="DELETE",
        path=RECORD,
        reply=enrolled.DeleteReply,
        summary="Take one record out of the gallery",
        role="enroller",
        verb=records.delete,
        lanes=("change",),
        read=lambda call: enrolled.IdsBody([query.record(call)]),
    ),
    Route(
        method="POST",
        path="/v1/verdicts",
        body=operation.VerdictBody,
        reply=operation.VerdictReply,
        summary="Say what a decision should have been; on disk when it is answered",
        role="reviewer",
        verb=reviews.verdict,
        lanes=("review",),
    ),
    Route(
        method="GET",
        path="/v1/review",
        reply=operation.ReviewReply,
        summary="Decisions that wait for a person's answer, the oldest first; ?limit=100&reviewer=",
        role="reviewer",
        verb=reviews.review,
        lanes=("review",),
        read=query.review,
        query=("limit", "reviewer"),
    ),
    Route(
        method="GET",
        path="/v1/proposal",
        reply=Feedback,
        summary="What the answers say about the threshold; changes nothing",
        role="reviewer",
        verb=reviews.proposal,
        lanes=("review",),
        read=lambda _: operation.ProposalBody(),
    ),
    Route(
        method="GET",
        path="/v1/rollout",
        reply=rollouts.RolloutReply,
        summary="The rollout that is under way, or the last one, and what is found",
        role="operator",
        verb=rollout.status,
        lanes=("review",),
        read=lambda _: rollouts.RolloutQuery(),
    ),
    Route(
        method="POST",
        path="/v1/rollout",
        body=rollouts.RolloutBody,
        reply=rollouts.RolloutReply,
        summary="Begin to try a release; pause, resume, abort or promote",
        role="operator",
        verb=rollout.rollout,
        lanes=("group",),
    ),
    Route(
        method="POST",
        path="/v1/rollout/hook",
        body=rollouts.HookBody,
        reply=rollouts.RolloutReply,
        summary="Whether a delivery tool shall go on, as Flagger's webhooks ask: 200, 425 or 409",
        role="operator",
        verb=rollout.hook,
        lanes=("group",),
    ),
    RELEASE,
    Route(
        method="GET",
        path="/v1/card",
        reply=Card,
        summary="The card of the release that is live",
        role="reader",
        verb=card.card,
        lanes=("find",),
        read=lambda _: operation.CardBody(),
    ),
    Route(
        method="GET",
        path=V2,
        reply=vectors.ServerReply,
        summary="What serves, in the Open Inference Protocol",
        role="reader",
        verb=infer.server,
        lanes=("find",),
        read=lambda _: vectors.AboutBody(),
    ),
    Route(
        method="GET",
        path=MODEL,
        reply=vectors.ModelReply,
        summary="What the model takes and gives",
        role="reader",
        verb=infer.model,
        lanes=("find",),
        read=lambda _: vectors.AboutBody(),
    ),
    Route(
        method="POST",
        path=f"{MODEL}/infer",
        body=vectors.InferBody,
        reply=vectors.InferReply,
        summary="Embeddings of `input`, or decisions about `left` and `right`",
        role="reader",
        verb=infer.infer,
        lanes=("encode",),
    ),
    V2_MODEL_READY,
    V2_LIVE,
    V2_READY,
    LIVE,
    READY,
    METRICS,
    OPENAPI,
)
