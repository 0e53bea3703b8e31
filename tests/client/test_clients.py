from __future__ import annotations

import asyncio
import inspect
import pydoc
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import formatdate

import numpy as np
import pytest
from tests.serve import small
from tests.serve.small import ROWS

from gemel.client import AsyncClient, Client
from gemel.client.answers import FIRST_SECONDS, Patience
from gemel.errors import InvalidInput, NoLedger, Overloaded, ServiceUnreachable, UnknownRecord
from gemel.gallery.gallery import Gallery
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small.release(tmp_path_factory.mktemp("release") / "small", review=0.1)


@pytest.fixture(scope="module")
def url(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gallery")
    with (
        Gallery.open(folder, space_id=release.space_id, dim=small.DIM) as gallery,
        running(create_app(Service(release, gallery))) as url,
    ):
        yield url


def test_a_client_loads_next_to_nothing() -> None:
    """Neither the service nor numbers; the package of connections when the first is wanted."""
    heavy = ("numpy", "scipy", "httpx", "litestar", "sqlite3", "onnxruntime")
    script = f"""
import sys
from gemel.client import Client
from gemel.serve.wire.pairs import VerifyReply
print([name for name in {heavy!r} if name in sys.modules])
Client("http://127.0.0.1:9").close()
print([name for name in {heavy!r} if name in sys.modules])
"""
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert out.splitlines() == ["[]", "['httpx']"]


def test_a_program_enrolls_searches_and_decides(url: str, release: Release) -> None:
    with Client(url, subject="account 7", key="not asked for") as service:
        assert service.enroll({f"p/{i}": row for i, row in enumerate(ROWS)}).added == 5
        assert service.count() == 5
        assert service.get("p/1").attributes == ROWS[1]
        hit = service.search(ROWS[2], k=1).hits[0]
        assert (hit.id, hit.decision) == ("p/2", "match")
        assert service.identify(ROWS[3]).record == "p/3"
        assert [r.hits[0].id for r in service.search_batch(ROWS[:2])] == ["p/0", "p/1"]
        outcomes = [r.outcome for r in service.verify_batch([(ROWS[0], ROWS[0])] * 3)]
        assert outcomes == ["match"] * 3
        assert service.rerank(ROWS[4], ROWS, top_n=1)[0].index == 4
        np.testing.assert_allclose(service.embed(ROWS), release.encoder.encode(ROWS), atol=1e-6)
        assert len(service.duplicates({"a": ROWS[0], "b": ROWS[0]}).clusters) == 1
        assert service.explain(ROWS[0], record="p/0").outcome == "match"
        assert service.release().release == release.id
        assert service.ready().status == "ready"
        assert service.delete(["p/0"]).deleted == 1
        service.enroll(dict(zip(["1", "2", "12"], ROWS[:3], strict=True)))
        assert service.delete("12").deleted == 1 and service.get("1").id == "1"


def test_errors_are_those_of_the_library(url: str) -> None:
    with Client(url) as service:
        with pytest.raises(InvalidInput, match="frist") as caught:
            service.verify({"frist": "x"}, ROWS[0])
        assert caught.value.where == "left.frist" and caught.value.hint
        with pytest.raises(InvalidInput) as caught:
            service.embed([ROWS[0], {"x": "y"}])
        assert caught.value.where == "input[1].x"
        with pytest.raises(InvalidInput, match="inf is no number") as caught:
            service.verify({**ROWS[0], "born": float("inf")}, ROWS[0])
        assert caught.value.where == "born", "JSON would have said that there is no value"
        with pytest.raises(UnknownRecord):
            service.get("nobody/at all?")
        with pytest.raises(NoLedger):
            service.verdict("0" * 32, True)


def test_records_that_are_not_by_id_are_named_before_anything_is_sent() -> None:
    with Client("http://127.0.0.1:9") as service:
        for method in (service.enroll, service.duplicates):
            with pytest.raises(InvalidInput, match="got a list") as caught:
                method(ROWS)  # type: ignore[arg-type]
            assert caught.value.where == "records" and "{id: item}" in str(caught.value.hint)


def test_help_shows_what_a_method_takes() -> None:
    with Client("http://127.0.0.1:9") as service:
        said = pydoc.plain(pydoc.render_doc(service.search))
        assert "search(query: " in said and "k: 'int' = 10" in said, said
        assert list(inspect.signature(service.enroll).parameters) == ["records", "attributes"]


def test_an_event_loop_asks_many_at_once(url: str) -> None:
    async def ask() -> Sequence[str]:
        async with AsyncClient(url) as service:
            replies = await asyncio.gather(*[service.verify(row, ROWS[0]) for row in ROWS * 8])
            with pytest.raises(InvalidInput):
                await service.verify({}, ROWS[0])
            return [reply.outcome for reply in replies]

    outcomes = asyncio.run(ask())
    assert outcomes == outcomes[:5] * 8 and outcomes[0] == "match"


BUSY = b'{"detail": "too much waits", "code": "overloaded", "status": 503}'
HEALTH = b'{"status": "ready"}'


@contextmanager
def scripted(replies: Sequence[tuple[int, str, bytes] | None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these replies, one a connection; None hangs up after the request."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for reply in replies:
                connection, _ = server.accept()
                with connection:
                    seen.append(connection.recv(65536))
                    if reply is not None:
                        status, headers, body = reply
                        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{headers}"
                        connection.sendall(f"{head}connection: close\r\n\r\n".encode() + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", seen
        thread.join()


def test_a_refusal_for_load_is_waited_for_as_long_as_it_says() -> None:
    busy = (503, "retry-after: 0\r\n", BUSY)
    with scripted([busy, busy, (200, "", HEALTH)]) as (url, seen), Client(url) as service:
        assert service.ready().status == "ready"
        assert len(seen) == 3
    with (
        scripted([busy, busy]) as (url, _),
        Client(url, retries=1) as service,
        pytest.raises(Overloaded, match="too much waits"),
    ):
        service.ready()


def test_what_may_have_arrived_is_sent_again_only_if_that_changes_nothing_more() -> None:
    with scripted([None, (200, "", b'{"count": 3}')]) as (url, seen), Client(url) as service:
        assert service.count() == 3
        assert len(seen) == 2
    with scripted([None]) as (url, seen), Client(url) as service:
        with pytest.raises(ServiceUnreachable, match="no answer"):
            service.verdict("0" * 32, True)
        assert len(seen) == 1
    with Client(url, retries=1) as service, pytest.raises(ServiceUnreachable) as caught:
        service.ready()
    assert caught.value.where == url and "gemel serve" in caught.value.hint


def test_waits_have_jitter_double_and_end() -> None:
    patience = Patience(3, random.Random(0))
    assert patience.wait_s(4) is None
    for attempt in (1, 2, 3):
        waits = [patience.wait_s(attempt) or 0.0 for _ in range(200)]
        assert 0 <= min(waits) < max(waits) <= FIRST_SECONDS * 2**attempt
        assert max(waits) > 0.9 * FIRST_SECONDS * 2**attempt
    assert 3 <= (patience.wait_s(1, "3") or 0) <= 3 + 2 * FIRST_SECONDS
    assert (patience.wait_s(1, "nonsense") or 0) < 1
    assert (patience.wait_s(1, formatdate(0, usegmt=True)) or 0) < 1
