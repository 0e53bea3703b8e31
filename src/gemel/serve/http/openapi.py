"""The description of the service (OpenAPI 3.1), from the table of routes and the live release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

import gemel
from gemel.serve.http.endpoint import Route
from gemel.serve.http.problems import PROBLEM, Problem
from gemel.serve.live import Live


def document(table: Sequence[Route], live: Live) -> bytes:
    """The description as JSON; what an item is, the live release says."""
    types: list[type[Any]] = [
        t for route in table for t in (route.body, route.reply) if t and _is_struct(t)
    ]
    _, components = msgspec.json.schema_components(
        [*dict.fromkeys(types), Problem], ref_template="#/components/schemas/{name}"
    )
    components["Payload"] = live.items.schema()
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
    problem = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    bad = {"description": "An error", "content": {PROBLEM.decode(): {"schema": problem}}}
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


def _content(kind: type[Any]) -> dict[str, Any]:
    if _is_struct(kind):
        ref = {"$ref": f"#/components/schemas/{kind.__name__}"}
        return {"application/json": {"schema": ref}}
    return {"text/plain": {}} if kind is bytes else {"application/json": {}}


def _is_struct(kind: type[Any]) -> bool:
    return issubclass(kind, msgspec.Struct)
