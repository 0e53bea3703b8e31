"""The description of the service (OpenAPI 3.1), from the table of routes and the live release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

import gemel
from gemel.serve.http.problems import (
    JSON,
    OPENAI_ROUTES,
    PROBLEM,
    V2,
    OpenAIProblem,
    Problem,
    V2Problem,
)
from gemel.serve.http.routes.call import Route
from gemel.serve.live import Live
from gemel.serve.wire.items import PAYLOAD


def document(table: Sequence[Route], live: Live) -> bytes:
    """The description as JSON; what an item is, the live release says."""
    types: list[type[Any]] = [
        t for route in table for t in (route.body, route.reply) if t and _is_struct(t)
    ]
    _, components = msgspec.json.schema_components(
        [*dict.fromkeys(types), Problem, OpenAIProblem, V2Problem],
        ref_template="#/components/schemas/{name}",
    )
    components["Payload"] = live.items.schema()
    _name_items(components)
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(route.label, {})[route.method.lower()] = _operation(route)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "gemel",
                "version": gemel.__version__,
                "summary": f"Release {live.release.id}",
                "description": "Items (`left`, `right`, `query`, `input`, `payload`) are of the "
                "schema `Payload`. Score: higher is more alike; a score that reaches the "
                "threshold is a match.",
            },
            "paths": paths,
            "components": {"schemas": components},
        }
    )


def _operation(route: Route) -> dict[str, Any]:
    good = {"description": "OK", "content": _content(route.reply)}
    media: bytes = PROBLEM
    shape: type[Any] = Problem
    if route.label in OPENAI_ROUTES:
        media, shape = JSON, OpenAIProblem
    elif route.label.startswith(V2):
        media, shape = JSON, V2Problem
    schema = {"$ref": f"#/components/schemas/{shape.__name__}"}
    bad = {"description": "An error", "content": {media.decode(): {"schema": schema}}}
    words = route.label.replace("{id}", "one").strip("/").split("/")
    operation: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *words]).replace(".", "_"),
        "summary": route.summary,
        "responses": {"200": good, "default": bad},
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    text = {"type": "string"}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "required": False, "schema": text}
        for name in route.query or ()
    ]
    if "{id}" in route.label:
        parameters.append({"name": "id", "in": "path", "required": True, "schema": text})
    if parameters:
        operation["parameters"] = parameters
    return operation


def _name_items(node: Any) -> None:
    """Leave of every item's schema its reference to what the release says of it, or a text.

    A tuple of equal parts becomes a list of that length: few tools know `prefixItems`.
    """
    if isinstance(node, dict):
        parts = node.get("prefixItems")
        if parts and all(part == parts[0] for part in parts):
            node["items"] = node.pop("prefixItems")[0]
        if node.get("$ref") == PAYLOAD and "anyOf" in node:
            del node["$ref"]
            node["anyOf"] = [{"$ref": PAYLOAD}, {"type": "string"}]
            return
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            _name_items(child)


def _content(kind: type[Any]) -> dict[str, Any]:
    if _is_struct(kind):
        ref = {"$ref": f"#/components/schemas/{kind.__name__}"}
        return {"application/json": {"schema": ref}}
    return {"text/plain": {}} if kind is bytes else {"application/json": {}}


def _is_struct(kind: type[Any]) -> bool:
    return issubclass(kind, msgspec.Struct)
