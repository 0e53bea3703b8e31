"""Routes in the shapes of other APIs, asked by the clients that people have."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from tests.serve.small import DIM, ROWS

from gemel.release.release import Release

ANNA, BERT = ROWS[0], ROWS[1]


@pytest.fixture
def ai(shared_client: httpx.Client) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{shared_client.base_url}/v1", api_key="none", max_retries=0)


def test_the_official_client_of_openai_gets_embeddings(ai: openai.OpenAI, release: Release) -> None:
    expected = release.encoder.encode(ROWS)
    rows: Any = ROWS  # its types know texts only
    for how in ({}, {"encoding_format": "float"}, {"dimensions": DIM}):
        made = ai.embeddings.create(model="any", input=rows, **how)  # type: ignore[arg-type]
        got = np.array([one.embedding for one in made.data])
        np.testing.assert_allclose(got, expected, atol=1e-6)
    assert (made.model, made.usage.total_tokens) == (release.id, len(ROWS))
    with pytest.raises(openai.UnprocessableEntityError, match="dimensions"):
        ai.embeddings.create(model="any", input=rows, dimensions=DIM + 1)
    (model,) = ai.models.list()
    assert (model.id, model.object, model.owned_by) == (release.id, "model", "gemel")
    assert model.created == datetime.fromisoformat(release.manifest.created).timestamp()
    assert ai.embeddings.create(model=model.id, input=rows[:1]).model == model.id
    ai.close()


def test_rerank_has_the_shape_of_cohere(shared_client: httpx.Client) -> None:
    asked = {"model": "x", "query": ANNA, "documents": ROWS * 13, "top_n": 14}
    reply = shared_client.post("/v1/rerank", json=asked).json()
    results = reply["results"]
    assert len(results) == 14 and reply["id"] and reply["meta"]["api_version"]
    assert {one["index"] % 5 for one in results[:13]} == {0}, "itself, wherever it stands"
    relevance = [one["relevance_score"] for one in results]
    assert relevance == sorted(relevance, reverse=True) and 0 < relevance[-1] < relevance[0] <= 1
    for one in results[12:]:
        body = {"left": ANNA, "right": ROWS[one["index"] % 5]}
        alone = shared_client.post("/v1/verify", json=body).json()
        assert one["score"] == pytest.approx(alone["score"], abs=1e-6)
        assert (one["decision"], one["threshold"]) == (alone["outcome"], alone["threshold"])
        assert one["relevance_score"] == pytest.approx(alone["probability"], abs=1e-6)
    bad = {**asked, "documents": [ANNA] * 40 + [{"x": 1}]}
    assert shared_client.post("/v1/rerank", json=bad).json()["where"] == "documents[40].x"


def test_batches_answer_as_one_by_one(client: httpx.Client) -> None:
    pairs = [{"left": ROWS[i % 5], "right": ROWS[i % 3]} for i in range(20)]
    pairs.append({"left": [ANNA, BERT], "right": [BERT]})
    results = client.post("/v1/verify-batch", json={"pairs": pairs}).json()["results"]
    ids = {one["decision_id"] for one in results}
    assert len(ids) == len(pairs)
    for body, one in zip(pairs, results, strict=True):
        alone = client.post("/v1/verify", json=body).json()
        assert one["score"] == pytest.approx(alone["score"], abs=1e-6)
        assert (one["outcome"], one["threshold"]) == (alone["outcome"], alone["threshold"])
    records = [{"id": str(i), "payload": row} for i, row in enumerate(ROWS)]
    client.post("/v1/records", json={"records": records})
    queries = [{"query": ROWS[i % 5], "k": 1 + i % 3} for i in range(20)]
    queries.append({"query": ANNA, "where": {"born": 1952}})
    results = client.post("/v1/search-batch", json={"queries": queries}).json()["results"]
    for body, one in zip(queries, results, strict=True):
        alone = client.post("/v1/search", json=body).json()
        assert [hit["id"] for hit in one["hits"]] == [hit["id"] for hit in alone["hits"]]
        assert one["hits"][0]["decision"] == alone["hits"][0]["decision"]


def test_a_bad_question_refuses_its_batch_before_anything_is_noted(client: httpx.Client) -> None:
    body = {"pairs": [{"left": ANNA, "right": BERT}] * 20 + [{"left": ANNA, "right": {"x": 1}}]}
    reply = client.post("/v1/verify-batch", json=body)
    assert (reply.status_code, reply.json()["where"]) == (422, "pairs[20].right.x")
    figures = client.get("/metrics").text
    assert 'gemel_decisions_total{operation="verify",outcome="no_match"} 0.0' in figures


def test_the_open_inference_protocol(client: httpx.Client, release: Release) -> None:
    def tensor(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        data = [json.dumps(row) for row in rows]
        return {"name": name, "shape": [len(rows)], "datatype": "BYTES", "data": data}

    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json()["ready"] is True
    assert client.get("/v2/models/gemel/ready").json()["ready"] is True
    assert client.get("/v2").json()["name"] == "gemel"
    model = client.get("/v2/models/gemel").json()
    assert model["versions"] == [release.id]
    assert model["outputs"][0] == {"name": "embedding", "datatype": "FP32", "shape": [-1, DIM]}
    path = "/v2/models/gemel/infer"
    made = client.post(path, json={"id": "7", "inputs": [tensor("input", ROWS)]}).json()
    assert (made["id"], made["model_name"], made["model_version"]) == ("7", "gemel", release.id)
    (output,) = made["outputs"]
    got = np.array(output["data"]).reshape(output["shape"])
    np.testing.assert_allclose(got, release.encoder.encode(ROWS), atol=1e-6)
    both = [tensor("left", ROWS), tensor("right", ROWS[::-1])]
    outputs = {o["name"]: o for o in client.post(path, json={"inputs": both}).json()["outputs"]}
    assert outputs["outcome"]["data"][2] == "match"
    assert outputs["score"]["shape"] == [5]
    wrong = client.post(path, json={"inputs": [tensor("left", ROWS)]})
    assert wrong.status_code == 422
    assert set(wrong.json()) == {"error"} and "left and right" in wrong.json()["error"]
    crooked = {**tensor("input", ROWS), "shape": [4]}
    assert client.post(path, json={"inputs": [crooked]}).status_code == 422


def test_the_open_inference_protocol_needs_no_type(shared_client: httpx.Client) -> None:
    """Triton's client names none; a body of another type stays refused."""
    tensor = {"name": "input", "shape": [1], "datatype": "BYTES", "data": [json.dumps(ANNA)]}
    sent = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    path = "/v2/models/gemel/infer"
    assert shared_client.post(path, content=sent).json()["outputs"][0]["shape"] == [1, DIM]
    typed = {"content-type": "text/plain"}
    assert shared_client.post(path, content=sent, headers=typed).status_code == 415
    assert shared_client.post("/v1/verify", content=b"{}").status_code == 415
    other = shared_client.post("/v2/models/other/infer", content=sent)
    assert (other.status_code, list(other.json())) == (404, ["error"])
