from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from tests.serve import small

from gemel.serve.http.app import create_app
from gemel.serve.http.endpoint import PIECE, _send
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.serve.wire.vectors import TOGETHER, Embedding, EmbeddingsReply, Usage, written


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 5])
def test_a_body_is_sent_in_pieces_and_whole(size: int) -> None:
    content, sent = bytes(i % 251 for i in range(size)), list[dict[str, Any]]()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(_send([content], send))
    assert b"".join(message["body"] for message in sent) == content
    assert [message["more_body"] for message in sent] == [True] * (len(sent) - 1) + [False]
    assert all(len(message["body"]) <= PIECE for message in sent)
    assert len(sent) == max(1, -(-size // PIECE))


@pytest.mark.parametrize("n", [0, 1, TOGETHER, TOGETHER + 1, 5 * TOGETHER, 5 * TOGETHER + 1])
def test_embeddings_are_put_together_as_they_would_be_at_once(n: int) -> None:
    data = [Embedding(i, msgspec.Raw(b"[1.5,-2]")) for i in range(n)]
    reply = EmbeddingsReply(data, 'a "data":[] release', Usage(n, n))
    assert b"".join(asyncio.run(written(reply))) == msgspec.json.encode(reply)


def test_a_large_reply_arrives(service: Service) -> None:
    items = [small.ROWS[i % 5] for i in range(1000)]
    with running(create_app(service)) as url, httpx.Client(base_url=url) as client:
        reply = client.post("/v1/embeddings", json={"input": items})
        assert len(reply.content) == int(reply.headers["content-length"]) > PIECE
        data = reply.json()["data"]
        assert [one["index"] for one in data] == [*range(1000)]
        assert data[5]["embedding"] == data[0]["embedding"]
        assert client.get("/livez").status_code == 200, "the connection goes on"
