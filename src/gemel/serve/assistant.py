"""The verbs of a service as tools for assistants, by the Model Context Protocol.

Whoever asks through it reads only, unless changes were allowed when it was started: then records
can be enrolled and deleted, and both are noted in the ledger. Needs `gemel[mcp]`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from gemel.errors import ConfigError, GemelError
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord, RecordItem

try:
    from mcp.server.fastmcp import FastMCP
    from mcp.server.fastmcp.exceptions import ToolError
    from mcp.types import ToolAnnotations
except ImportError as e:
    raise ConfigError("the package mcp is missing", hint="pip install 'gemel[mcp]'") from e

Item = dict[str, Any] | str
T = TypeVar("T")
INSTRUCTIONS = """\
Decides whether records are the same, by a release whose error rates were measured. Scores: higher
is more alike; a score that reaches the threshold is a match, `review` is for a person. An item is
{item}. Ask `report` for what the release is for and how often it errs, before relying on it."""
READS = ToolAnnotations(readOnlyHint=True, openWorldHint=False)
CHANGES = ToolAnnotations(readOnlyHint=False, idempotentHint=True, openWorldHint=False)


def tools(service: Service, *, changes: bool = False) -> FastMCP[Any]:
    """A server of tools.

    Args:
        service: what answers.
        changes: let records be enrolled and deleted.
    """
    items = msgspec.json.encode(service.pick().items.schema()).decode()
    server: FastMCP[Any] = FastMCP(
        "gemel", instructions=INSTRUCTIONS.format(item=items), log_level="WARNING"
    )

    def verify(left: Item, right: Item) -> Any:
        """Decide whether two items are the same: outcome, score, threshold, probability."""
        return _said(lambda: service.verify(left, right))

    def search(query: Item, k: int = 5, where: dict[str, Any] | None = None) -> Any:
        """Find the k records of the gallery most like an item, each with a decision.

        `where` keeps records whose attributes equal these values.
        """
        return _said(lambda: service.search(query, k, where))

    def identify(query: Item, where: dict[str, Any] | None = None) -> Any:
        """Say which record of the gallery an item is, or that it is unknown or ambiguous."""
        return _said(lambda: service.identify(query, where))

    def explain(left: Item, right: Item | None = None, record: str | None = None) -> Any:
        """Say why an item and another one, or a record of the gallery, are decided as they are."""
        return _said(lambda: service.explain(left, right, record=record))

    def duplicates(records: dict[str, Item]) -> Any:
        """Find which of these records, ids to items, are the same: clusters and their pairs."""
        listed = [RecordItem(record, item) for record, item in records.items()]
        return _said(lambda: service.duplicates(listed))

    def report() -> Any:
        """Tell what the release is for, how often it errs as measured, and when it expires."""
        return _said(service.card)

    def enroll(records: dict[str, Item]) -> Any:
        """Put records, ids to items, into the gallery, or change those whose id is known."""
        listed = [NewRecord(record, item) for record, item in records.items()]
        return _said(lambda: service.enroll(listed))

    def delete(ids: list[str]) -> Any:
        """Take records out of the gallery."""
        return _said(lambda: service.delete(ids))

    for tool in (verify, search, identify, explain, duplicates, report):
        server.tool(annotations=READS)(tool)
    if changes:
        server.tool(annotations=CHANGES)(enroll)
        server.tool(annotations=CHANGES)(delete)
    return server


def _said(answer: Callable[[], Any]) -> Any:
    """The answer as JSON values.

    Raises:
        ToolError: what an assistant can tell, with what to do about it.
    """
    try:
        return msgspec.to_builtins(answer())
    except GemelError as e:
        raise ToolError(f"{e}. {e.hint}" if e.hint else str(e)) from e
