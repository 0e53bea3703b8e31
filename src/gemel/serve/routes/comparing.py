"""Routes that take payloads and answer from the release alone: verify and embeddings."""

from __future__ import annotations

import base64
from typing import Any

from gemel.errors import InvalidInput
from gemel.serve import bodies, replies
from gemel.serve.http.endpoint import Answers, Call, Route
from gemel.serve.queues.queues import Lanes
from gemel.serve.requests import Verify
from gemel.serve.service import Service

VERIFY = Route(
    "POST",
    "/v1/verify",
    "/v1/verify",
    bodies.VerifyBody,
    replies.VerifyReply,
    "Decide whether two items are the same",
)
EMBED = Route(
    "POST",
    "/v1/embeddings",
    "/v1/embeddings",
    bodies.EmbeddingsBody,
    replies.EmbeddingsReply,
    "Embeddings of one or more items, in the shape of OpenAI's API",
)


class Comparing:
    """Handlers that need no gallery."""

    def __init__(self, service: Service, lanes: Lanes) -> None:
        self._service = service
        self._lanes = lanes
        self.answers: Answers = {VERIFY: self.verify, EMBED: self.embeddings}

    async def verify(self, call: Call, body: bodies.VerifyBody) -> replies.VerifyReply:
        """Compare two items and decide."""
        self._lanes.encode.permit()
        live = call.live = self._service.live
        work = Verify(live, body.left, body.right, call.request_id, body.category)
        answer = await self._lanes.encode.submit(work, len(work.items()))
        call.timing = [("queue", answer.wait_s), ("encode", answer.run_s)]
        reply: replies.VerifyReply = answer.value
        return reply

    async def embeddings(self, call: Call, body: bodies.EmbeddingsBody) -> replies.EmbeddingsReply:
        """Encode, in the shape of OpenAI's API."""
        self._lanes.encode.permit()
        live = call.live = self._service.live
        if body.dimensions not in (None, live.encoder.dim):
            raise InvalidInput(
                f"embeddings have {live.encoder.dim} dimensions, not {body.dimensions}",
                where="dimensions",
                hint="leave it out",
            )
        is_list = isinstance(body.input, list)
        items = tuple(body.input) if isinstance(body.input, list) else (body.input,)
        rows = await self._lanes.rows(call, items, "input[{}]" if is_list else "input")
        packed: list[Any] = (
            [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in rows]
            if body.encoding_format == "base64"
            else rows.tolist()
        )
        data = [replies.Embedding(i, embedding) for i, embedding in enumerate(packed)]
        usage = replies.Usage(len(items), len(items))
        return replies.EmbeddingsReply(data, live.release.id, usage)
