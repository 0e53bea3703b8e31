"""Errors as clients see them: problem+json (RFC 9457), or the shape of the API it is like.

One error, three renderers. What is nobody's fault but ours says so and no more: no traceback, no
path of this machine.
"""

from __future__ import annotations

import math
from http import HTTPStatus

import msgspec
from msgspec import Struct

from gemel.errors import DataError, GemelError, RateLimited, RequestError

RETRIED = (429, 503)
MAX_RETRY_SECONDS, DAY_SECONDS = 60, 86_400
PROBLEM = b"application/problem+json"
JSON = b"application/json"
SAFE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
"""Of every answer but pages: it is what it says, and nobody keeps it."""
OPENAI_ROUTES = ("/v1/embeddings", "/v1/models")
V2 = "/v2"
"""What begins like this answers as the Open Inference Protocol does."""

Header = tuple[bytes, bytes]
_encode = msgspec.json.Encoder().encode


class Problem(Struct, omit_defaults=True):
    """An error (RFC 9457), with the code to program against and the id to ask about."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    where: str = ""
    hint: str = ""


class OpenAIError(Struct):
    """What went wrong, with the fields of OpenAI's API and our code and id."""

    message: str
    type: str
    param: str | None
    code: str
    request_id: str


class OpenAIProblem(Struct):
    """An error in the shape of OpenAI's API."""

    error: OpenAIError


class V2Problem(Struct):
    """An error in the shape of the Open Inference Protocol."""

    error: str


def render(error: GemelError, route: str, request_id: str) -> tuple[bytes, bytes]:
    """Content type and body of the reply to a request that met an error.

    Args:
        error: what happened.
        route: path template of the request.
        request_id: of the request.
    """
    said = problem(error, request_id)
    what, where, hint = said.detail, said.where, said.hint
    if route in OPENAI_ROUTES:
        kind = "server_error" if error.status >= 500 else "invalid_request_error"
        message = ". ".join(part for part in (what, hint) if part)
        ours = OpenAIError(message, kind, where or None, error.code, request_id)
        return JSON, _encode(OpenAIProblem(ours))
    if route.startswith(V2):
        placed = ": ".join(part for part in (where, what) if part)
        return JSON, _encode(V2Problem(". ".join(part for part in (placed, hint) if part)))
    return PROBLEM, _encode(said)


def problem(error: GemelError, request_id: str) -> Problem:
    """What a client is told of an error."""
    # The place of other errors is a file or folder of this machine.
    where = error.where if isinstance(error, RequestError | DataError) else ""
    ours = f"quote request {request_id} to the operator" if error.status == 500 else ""
    return Problem(
        type=f"urn:gemel:error:{error.code}",
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.what,
        code=error.code,
        request_id=request_id,
        where=where,
        hint=ours or error.hint,
    )


def retry_s(error: GemelError) -> int | None:
    """Whole seconds after which it is worth asking again; None where it is not."""
    if error.status not in RETRIED:
        return None
    seconds = error.retry_s if isinstance(error, RequestError) else 1.0
    # A quota ends when its day does.
    most = DAY_SECONDS if isinstance(error, RateLimited) else MAX_RETRY_SECONDS
    return min(most, max(1, math.ceil(seconds)))


def rendered(error: GemelError, route: str, request_id: str) -> tuple[list[Header], bytes]:
    """Headers and body of that reply, where no endpoint gives them."""
    content_type, body = render(error, route, request_id)
    headers = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode()),
        *SAFE,
    ]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    again_s = retry_s(error)
    if again_s is not None:
        headers.append((b"retry-after", b"%d" % again_s))
    return headers, body


def whole(error: GemelError, request_id: str) -> bytes:
    """The reply to what did not become a request, as it is sent."""
    headers, body = rendered(error, "other", request_id)
    status = HTTPStatus(error.status)
    lines = [b"%b: %b\r\n" % header for header in (*headers, (b"connection", b"close"))]
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (
        status,
        status.phrase.encode(),
        b"".join(lines),
        body,
    )
