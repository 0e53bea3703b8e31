"""Texts of a release with a tokenizer, short and long ones, through the lanes of a service."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from numpy.testing import assert_allclose
from tests.serve import small

from gemel.encode.text.modality import UNIT
from gemel.release.release import Release
from gemel.serve.queues.queues import LIGHT, Lanes
from gemel.serve.reader.reader import Reader
from gemel.serve.service import Service
from gemel.serve.verbs.embed import embed
from gemel.serve.wire.vectors import EmbeddingsBody, EmbeddingsReply
from gemel.settings import LongTexts, ServeSettings
from gemel.telemetry import log_to


@pytest.fixture(scope="module", params=["truncate", "windows"])
def release(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Release:
    how: LongTexts = request.param
    return small.text_release(tmp_path_factory.mktemp("text") / "release", tiny_model, how)


def test_many_short_texts_and_long_ones_are_read_in_few_pieces(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, reader = Service(release), Reader()
    short = [f"text {i:03} of many" for i in range(500)]
    long = ["x" * (UNIT + 5), f"a {'y' * (LIGHT * UNIT)} b"]
    texts, submit, pieces = [*short, *long, "the last"], Lanes._submit, []

    async def counted(lanes: Lanes, context: Any, task: Any, is_timed: bool = True) -> Any:
        pieces.append(task.step.lane)
        return await submit(lanes, context, task, is_timed)

    monkeypatch.setattr(Lanes, "_submit", counted)

    async def story() -> EmbeddingsReply:
        lanes = Lanes(ServeSettings(), service.metrics, log_to(level="critical"), reader)
        lanes.start()
        context = service.context()
        try:
            return await lanes.answer(context, embed(context, EmbeddingsBody(texts)), n_bytes=1)
        finally:
            await lanes.stop()
            reader.close()

    reply = asyncio.run(story())
    # What they weigh; the short ones together; two long ones and the last.
    assert pieces.count("read") == 5
    rows = [msgspec.json.decode(one.embedding, type=list[float]) for one in reply.data]
    assert_allclose(rows, release.encoder.encode(texts), atol=1e-5)
