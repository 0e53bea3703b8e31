"""The process beside a service: it reads as the service would, and may die."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from PIL import Image
from tests.serve import small
from tests.serve.small import ROWS

from gemel.arrays import canonical_json
from gemel.encode.image.modality import IMAGE
from gemel.encode.image.prepare import ImagePrepare
from gemel.errors import InternalError, Overloaded, RequestError
from gemel.serve.http.app import create_app
from gemel.serve.http.body import LARGE, Body
from gemel.serve.http.server import running
from gemel.serve.reader import child
from gemel.serve.reader.jobs import Look, Read, Weigh, place
from gemel.serve.reader.reader import Reader
from gemel.serve.service import Service
from gemel.serve.wire.pairs import VerifyBody

PREPARE = ImagePrepare(16, 1, [0.5], [0.25])
SPEC = canonical_json(PREPARE.spec())
LOOK = Look(place(VerifyBody))
WAIT_S = 20.0


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.close()


def photo(side: int = 2500) -> bytes:
    """A PNG file of a slope of greys, six million pixels of them."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def packed(file: bytes) -> str:
    return base64.b64encode(file).decode()


def told(work: Any) -> tuple[str, str, str, str]:
    """The error that work raises, as a client is told of it."""
    with pytest.raises(RequestError) as caught:
        work()
    return (type(caught.value).__name__, caught.value.what, caught.value.where, caught.value.hint)


def test_an_image_is_read_as_in_the_service(reader: Reader) -> None:
    item = {"image": packed(photo())}
    beside = IMAGE.arrived(PREPARE, reader.run(Read(SPEC, item)))
    here = IMAGE.payload(PREPARE, item)
    assert beside == here
    (one,), (two,) = PREPARE([beside])["image"], PREPARE([here])["image"]
    assert (one == two).all()
    assert reader.run(Weigh("image", [item, {"image": packed(small.picture(0))}])) == [7, 1]


def test_what_arrived_is_not_decoded_again() -> None:
    seen = IMAGE.checked(PREPARE, small.picture(1))
    sent = msgspec.msgpack.encode(IMAGE.travelling(seen))
    arrived = IMAGE.arrived(PREPARE, msgspec.msgpack.decode(sent))
    arrived.square = 255 - arrived.square  # what the network will see is this
    assert (PREPARE([arrived])["image"] != PREPARE([seen])["image"]).any()


@pytest.mark.parametrize(
    "item",
    [
        {"image": packed(photo()[:-70_000])},
        {"image": packed(b"no image")},
        {"image": "no base64!"},
        {"image": 3},
        {"picture": ""},
    ],
    ids=["broken", "none", "no base64", "a number", "another field"],
)
def test_a_bad_image_is_refused_in_the_same_words(reader: Reader, item: Any) -> None:
    here = told(lambda: IMAGE.payload(PREPARE, item))
    assert told(lambda: reader.run(Read(SPEC, item))) == here


@pytest.mark.parametrize(
    "sent",
    [
        b" ",
        b'{"left":{"first":"a"},"right":',
        b'{"left":{"first":[1]},"left":3,"right":{}}',
        b'{"left":{"first":[1]},"right":{},"category":[1]}',
        b'{"left":{%b},"right":{}}' % b",".join(b'"k%d":1' % i for i in range(100_001)),
        b'{"left":' + b"[" * 60_000,
    ],
    ids=["nothing", "half", "a key twice", "another type", "many keys", "deep"],
)
def test_a_bad_body_is_refused_in_the_same_words(reader: Reader, sent: bytes) -> None:
    sent += b" " * LARGE
    here = told(lambda: Body(VerifyBody).read(sent))
    assert told(lambda: reader.run(LOOK, sent[:1000], sent[1000:])) == here


def test_a_killed_process_costs_one_request_an_error(reader: Reader) -> None:
    good = json.dumps({"left": ROWS[0], "right": ROWS[1]}).encode()
    reader.run(LOOK, good)
    killed = reader.pid
    assert killed is not None
    os.kill(killed, signal.SIGSTOP)
    failures: list[Exception] = []

    def ask() -> None:
        try:
            reader.run(LOOK, good + b" " * (8 << 20))
        except InternalError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    until = time.monotonic() + WAIT_S
    while not reader.is_busy and time.monotonic() < until:
        os.sched_yield()
    os.kill(killed, signal.SIGKILL)
    thread.join(WAIT_S)
    assert "ended before it was done" in str(failures[0])
    assert reader.run(LOOK, good) is None
    assert reader.pid != killed


def test_a_process_that_died_between_two_requests_costs_none(reader: Reader) -> None:
    reader.run(LOOK, b'{"left":"","right":""}')
    ended = reader.pid
    assert ended is not None
    os.kill(ended, signal.SIGKILL)
    os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)
    assert reader.run(LOOK, b'{"left":"","right":""}') is None


def test_a_closed_reader_starts_nothing() -> None:
    reader = Reader()
    reader.close()
    with pytest.raises(Overloaded, match="stopping"):
        reader.run(LOOK, b"{}")


def test_the_process_ends_when_nobody_is_left_to_ask() -> None:
    command = [sys.executable, "-m", child.__name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


def test_a_service_has_one_while_it_runs(tmp_path: Path) -> None:
    app = create_app(Service(small.image_release(tmp_path / "small")))
    small_one, large = packed(small.picture(0)), packed(photo())
    with running(app) as url, httpx.Client(base_url=url, timeout=WAIT_S) as client:
        client.post("/v1/verify", json={"left": small_one, "right": small_one})
        assert app.door.reader.pid is None, "nothing was large"
        said = client.post("/v1/verify", json={"left": large, "right": large}).json()
        assert said["score"] == pytest.approx(1)
        pid = app.door.reader.pid
        assert pid is not None
        unread = client.post("/v1/verify", content=b"[" * (2 * LARGE), headers=JSON)
        assert (unread.status_code, unread.json()["code"]) == (422, "invalid_input")
        assert app.door.reader.pid == pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


JSON = {"content-type": "application/json"}
