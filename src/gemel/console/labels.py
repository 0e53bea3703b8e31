"""The page of `gemel label --page`: one question at a time, answered by a key or a button.

It listens on this machine only and has one person's turn. The session keeps the answers; each is on
disk before the next question is shown, so the page may be closed at any time.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Literal

import msgspec
import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.exceptions import ClientException, NotAuthorizedException
from litestar.handlers import HTTPRouteHandler

from gemel.calibrate.answers.known import Known
from gemel.console.pages import SAFE, static
from gemel.improve.labels.beside import Beside
from gemel.improve.labels.session import Session
from gemel.serve.http.front import Page
from gemel.serve.http.problems import Header
from gemel.serve.http.server import address, bind

HOST = "127.0.0.1"
SIZE = 320
"""Pixels of the longer side of a picture."""
FILES = (
    ("/", "label.html", "text/html"),
    ("/console/label.js", "label.js", "text/javascript"),
    ("/console/page.css", "page.css", "text/css"),
    ("/console/icon.svg", "icon.svg", "image/svg+xml"),
)


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was said about the question that the page shows; `back` takes the last answer back."""

    pair: tuple[str, str] | None
    said: Literal["same", "different", "unsure", "back"]


class Desk:
    """One person's turn on the page.

    Args:
        session: asks and keeps.
        beside: the records.
        in_words: what is known, as a sentence.
        every: answers after which it is said.
    """

    def __init__(
        self, session: Session, beside: Beside, in_words: Callable[[Known], str], every: int
    ) -> None:
        self._session, self._beside = session, beside
        self._in_words, self._every = in_words, every
        self._lock, self._n, self._known = Lock(), 0, session.known()

    def state(self) -> dict[str, Any]:
        """The question that is next, and what is known."""
        with self._lock:
            return self._state()

    def take(self, answer: Answer) -> dict[str, Any]:
        """Note an answer; one to another question than the next one is told not to be kept."""
        with self._lock:
            question, kept = self._session.next(), True
            if answer.said == "back":
                self._n -= self._session.undo() is not None
            elif question is not None and question.pair == answer.pair:
                self._session.say(question, answer.said)
                self._n += 1
                if self._n % self._every == 0:
                    self._known = self._session.known()
            else:
                kept = False
            return self._state(kept)

    def _state(self, kept: bool = True) -> dict[str, Any]:
        question, known = self._session.next(), self._known
        said: dict[str, Any] = {
            "by": self._session.by,
            "asked": self._session.n_asked,
            "here": self._n,
            "known": self._in_words(known),
            "may_stop": self._session.moves(known),
            "until": self._every - self._n % self._every,
            "question": None,
            "kept": kept,
        }
        if question is not None:
            pictures = self._beside.pictures(question, SIZE)
            sounds = self._beside.sounds(question)
            said["question"] = {
                "pair": question.pair,
                "lines": self._beside.lines(question),
                "pictures": [_url("image/png", p) for p in pictures if all(pictures)],
                "sounds": [_url("audio/wav", s) for s in sounds if all(sounds)],
            }
        return said


def app(desk: Desk, port: int) -> Litestar:
    """The page and its two routes, answered where their address is this machine's."""

    @get("/state", sync_to_thread=True)
    def state() -> Response[bytes]:
        return _reply(desk.state())

    @post("/answer", status_code=200)
    async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
        # Another site's page may send plain text without asking first, but no JSON.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise NotAuthorizedException("answers are sent as application/json")
        try:
            said = msgspec.json.decode(await request.body(), type=Answer)
        except msgspec.DecodeError as e:
            raise ClientException(str(e)) from e
        return _reply(await asyncio.to_thread(desk.take, said))

    return Litestar(
        [*(_at(path, static(*of)) for path, *of in FILES), state, answer],
        openapi_config=None,
        # A name of another site that leads here is turned away.
        allowed_hosts=AllowedHostsConfig([f"{HOST}:{port}", f"localhost:{port}"]),
    )


def serve(desk: Desk, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        ConfigError: the port cannot be listened on.
    """
    sock = bind(HOST, port)
    server = uvicorn.Server(
        uvicorn.Config(app(desk, sock.getsockname()[1]), log_level="error", lifespan="off")
    )
    on_ready(address(sock))
    try:
        server.run([sock])
    except KeyboardInterrupt:
        return


def _at(path: str, page: Page) -> HTTPRouteHandler:
    """What gives a page at a path."""

    @get(path, name=path, sync_to_thread=False)
    def shown() -> Response[Any]:
        return Response(page.content, media_type=page.content_type, headers=_headers(page.headers))

    return shown


def _headers(pairs: Sequence[Header]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in pairs}


def _reply(said: dict[str, Any]) -> Response[bytes]:
    headers = {**_headers(SAFE), "cache-control": "no-store"}
    return Response(msgspec.json.encode(said), media_type="application/json", headers=headers)


def _url(kind: str, file: bytes | None) -> str:
    return f"data:{kind};base64,{base64.b64encode(file or b'').decode()}"
