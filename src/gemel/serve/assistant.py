"""The verbs of a service as tools for assistants, by the Model Context Protocol.

Whoever asks through it reads only, unless changes were allowed when it was started: then records
can be enrolled and deleted, and both are noted in the ledger. Arguments are checked as strictly as
bodies over HTTP; one call is answered after the other, in a thread, so that one can be taken back
before its turn. Needs `gemel[mcp]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

import gemel
from gemel.errors import ConfigError, DataError, GemelError, InvalidInput, RequestError, quoted
from gemel.serve.galleries.erasing import catch_up
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord, RecordItem
from gemel.serve.wire.items import MAX_ITEMS, MAX_K, Body, Filter

try:
    import anyio
    from mcp.server.lowlevel import Server
    from mcp.types import CallToolResult, TextContent, Tool, ToolAnnotations
except ImportError as e:
    raise ConfigError("the package mcp is missing", hint="pip install 'gemel[mcp]'") from e

Item = dict[str, Any] | str
Id = Annotated[str, Meta(min_length=1, max_length=1024)]
INSTRUCTIONS = """\
Decides whether records are the same, by a release whose error rates were measured. Scores: higher
is more alike; a score that reaches the threshold is a match, `review` is for a person. An item is
{item}. Ask `report` for what the release is for and how often it errs, before relying on it."""
READS = ToolAnnotations(readOnlyHint=True, openWorldHint=False)
CHANGES = ToolAnnotations(readOnlyHint=False, idempotentHint=True, openWorldHint=False)
MAX_CALLS = 64
"""That may wait for their turn."""


class Verify(Body):
    """Decide whether two items are the same: outcome, score, threshold, probability."""

    left: Item
    right: Item


class Search(Body):
    """Find the k records of the gallery most like an item, each with a decision.

    `where` keeps records whose attributes equal these values.
    """

    query: Item
    k: Annotated[int, Meta(ge=1, le=MAX_K)] = 5
    where: Filter | None = None


class Identify(Body):
    """Say which record of the gallery an item is, or that it is unknown or ambiguous."""

    query: Item
    where: Filter | None = None


class Explain(Body):
    """Say why an item and another one, or a record of the gallery, are decided as they are."""

    left: Item
    right: Item | None = None
    record: str | None = None


class Duplicates(Body):
    """Find which of these records, ids to items, are the same: clusters and their pairs."""

    records: Annotated[dict[Id, Item], Meta(min_length=2, max_length=MAX_ITEMS)]


class Report(Body):
    """Tell what the release is for, how often it errs as measured, and when it expires."""


class Enroll(Body):
    """Put records, ids to items, into the gallery, or change those whose id is known."""

    records: Annotated[dict[Id, Item], Meta(min_length=1, max_length=MAX_ITEMS)]


class Delete(Body):
    """Take records out of the gallery."""

    ids: Annotated[list[str], Meta(min_length=1, max_length=MAX_ITEMS)]


class _Tool(NamedTuple):
    """What it takes, what answers, and whether that changes records."""

    kind: type[Body]
    answer: Callable[[Service, Any], Any]
    changes: bool = False


def _enroll(service: Service, asked: Enroll) -> Any:
    return service.enroll([NewRecord(record, item) for record, item in asked.records.items()])


def _duplicates(service: Service, asked: Duplicates) -> Any:
    return service.duplicates([RecordItem(record, item) for record, item in asked.records.items()])


TOOLS: Mapping[str, _Tool] = {
    "verify": _Tool(Verify, lambda s, a: s.verify(a.left, a.right)),
    "search": _Tool(Search, lambda s, a: s.search(a.query, a.k, a.where)),
    "identify": _Tool(Identify, lambda s, a: s.identify(a.query, a.where)),
    "explain": _Tool(Explain, lambda s, a: s.explain(a.left, a.right, record=a.record)),
    "duplicates": _Tool(Duplicates, _duplicates),
    "report": _Tool(Report, lambda s, _: s.card()),
    "enroll": _Tool(Enroll, _enroll, changes=True),
    "delete": _Tool(Delete, lambda s, a: s.delete(a.ids), changes=True),
}


def assistant(service: Service, log: Any, *, changes: bool = False) -> Server[Any, Any]:
    """A server of tools.

    Args:
        service: what answers.
        log: a logger.
        changes: let records be enrolled and deleted.
    """
    known = {name: tool for name, tool in TOOLS.items() if changes or not tool.changes}
    item = msgspec.json.encode(service.pick().items.schema()).decode()
    server: Server[Any, Any] = Server(
        "gemel", gemel.__version__, instructions=INSTRUCTIONS.format(item=item)
    )
    turn, n_open = anyio.CapacityLimiter(1), 0

    def answered(name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        try:
            if name not in known:
                raise InvalidInput(f"no tool {quoted(name)}", hint=f"there are {', '.join(known)}")
            tool = known[name]
            with service.books.changing:  # nobody else looks after it here
                catch_up(service.pick().gallery, service.ledger)
            reply = tool.answer(service, _asked(tool.kind, arguments))
        except GemelError as error:
            return _refused(error)
        except Exception as error:  # nobody's fault but ours
            log.error("request_failed", route=f"tool {name}", exc_info=error)
            return _said("internal error", is_error=True)
        return _said(msgspec.json.format(msgspec.json.encode(reply), indent=2).decode())

    async def call(name: str, arguments: dict[str, Any]) -> CallToolResult:
        nonlocal n_open
        if n_open >= MAX_CALLS:
            return _said(f"{n_open} calls wait. wait for answers", is_error=True)
        n_open += 1
        try:
            return await anyio.to_thread.run_sync(answered, name, arguments, limiter=turn)
        finally:
            n_open -= 1

    async def listed() -> list[Tool]:
        return [
            Tool(
                name=name,
                description=(tool.kind.__doc__ or "").replace("\n    ", "\n"),
                inputSchema=_schema(tool.kind),
                annotations=CHANGES if tool.changes else READS,
            )
            for name, tool in known.items()
        ]

    server.list_tools()(listed)  # type: ignore[no-untyped-call]
    server.call_tool(validate_input=False)(call)
    return server


def _asked(kind: type[Body], arguments: Mapping[str, Any]) -> Body:
    """Arguments as a tool takes them.

    Raises:
        InvalidInput: they are of another shape.
    """
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as e:
        what, _, path = str(e).partition(" - at `$")
        known = ", ".join(kind.__struct_fields__) or "none"
        raise InvalidInput(what, where=path.rstrip("`").lstrip("."), hint=f"takes {known}") from e


def _schema(kind: type[Body]) -> dict[str, Any]:
    """Of the arguments, without a reference at its root."""
    schema: dict[str, Any] = msgspec.json.schema(kind)["$defs"][kind.__name__]
    return {k: v for k, v in schema.items() if k not in ("title", "description")}


def _refused(error: GemelError) -> CallToolResult:
    """What an assistant is told of an error, and what to do about it."""
    # The place of other errors is a file or folder of this machine.
    where = error.where if isinstance(error, RequestError | DataError) else ""
    what = f"{where}: {error.what}" if where else error.what
    return _said(f"{what}. {error.hint}" if error.hint else what, is_error=True)


def _said(text: str, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], isError=is_error)
