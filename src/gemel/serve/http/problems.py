"""Errors as clients see them: problem+json (RFC 9457), or OpenAI's shape on its route.

One error, two renderers. What is nobody's fault but ours says so and no more: no traceback, no
path of this machine.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from msgspec import Struct

from gemel.errors import DataError, GemelError, RequestError

RETRY_AFTER = {429: b"1", 503: b"1"}
PROBLEM = b"application/problem+json"
JSON = b"application/json"
OPENAI_ROUTES = ("/v1/embeddings",)

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


def render(error: GemelError, route: str, request_id: str) -> tuple[bytes, bytes]:
    """Content type and body of the reply to a request that met an error.

    Args:
        error: what happened.
        route: path template of the request.
        request_id: of the request.
    """
    ours = error.status == 500
    # The place of other errors is a file or folder of this machine.
    where = error.where if isinstance(error, RequestError | DataError) else ""
    hint = f"quote request {request_id} to the operator" if ours else error.hint
    if route in OPENAI_ROUTES:
        kind = "server_error" if error.status >= 500 else "invalid_request_error"
        message = ". ".join(part for part in (error.what, hint) if part)
        body = {"message": message, "type": kind, "param": where or None, "code": error.code}
        return JSON, _encode({"error": {**body, "request_id": request_id}})
    problem = Problem(
        type=f"urn:gemel:error:{error.code}",
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.what,
        code=error.code,
        request_id=request_id,
        where=where,
        hint=hint,
    )
    return PROBLEM, _encode(problem)
