"""What a request asks by its path and query string, where that is not in a body."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote_to_bytes

from gemel.errors import InvalidInput, quoted
from gemel.serve.http.routes.call import Call
from gemel.serve.wire import operation

RECORDS = "/v1/records"


def values(sent: bytes, known: tuple[str, ...]) -> dict[str, str]:
    """The values of a query string.

    Raises:
        InvalidInput: it has another name than those that are known.
    """
    asked = dict(parse_qsl(sent.decode("latin-1"), keep_blank_values=True))
    for name in asked:
        if name not in known:
            hint = f"known: {', '.join(known)}" if known else "this route takes none"
            raise InvalidInput(
                f"unknown query parameter {quoted(name)}", where=name[:60], hint=hint
            )
    return asked


def record(call: Call) -> str:
    """The id in the path, which may hold slashes, as it was before routing touched it."""
    raw: bytes = call.scope["raw_path"]
    try:
        return unquote_to_bytes(raw[len(RECORDS) + 1 :]).decode()
    except UnicodeDecodeError as e:
        raise InvalidInput("the id is not UTF-8", where="id") from e


def review(call: Call) -> operation.ReviewBody:
    """As many as a query string asks for, for the reviewer that it names.

    Raises:
        InvalidInput: it is no whole number in range.
    """
    most, word = operation.MAX_WAITING, call.query.get("limit", "100")
    is_number = word.isascii() and word.isdecimal() and len(word) <= len(str(most))
    if not is_number or not 1 <= int(word) <= most:
        raise InvalidInput(f"limit {quoted(word, 20)} is no number from 1 to {most}", where="limit")
    return operation.ReviewBody(int(word), call.query.get("reviewer"))
