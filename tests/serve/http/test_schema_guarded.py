"""The same of a service as people start it: keys, a tenant, a store with a rollout to begin.

See `test_schema`, whose service has none of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import requests
import schemathesis
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.serve.http.test_schema import asked_much
from tests.serve.rollout.kept import opened_project

from gemel.cli.project import Project
from gemel.cli.serve import application
from gemel.serve.access import keys
from gemel.serve.access.keys import Limits
from gemel.serve.http.routes.call import Route
from gemel.serve.http.routes.table import TABLE
from gemel.serve.http.server import running
from gemel.telemetry import log_to


@pytest.fixture(scope="module", params=["", "acme"], ids=["service", "tenant"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimpleNamespace]:
    kept = opened_project(tmp_path_factory.mktemp("guarded"))
    candidate, project = kept.put(1e-5), Project.open(kept.folder / "gemel.toml")
    limits, now = Limits(tenant=request.param), datetime.now(UTC)
    _, key = keys.add(project.state.keys_file, "k", "admin", days=1, now=now, limits=limits)
    log, headers = log_to(level="critical"), {"authorization": f"Bearer {key}"}
    with (
        application(project, log) as app,
        running(app, log=log) as url,
        requests.Session() as session,
    ):
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=headers)
        yield SimpleNamespace(
            url=url, session=session, headers=headers, schema=schema, candidate=candidate.short_id
        )


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.label}")
def test_replies_are_as_described_whoever_asks_what(served: SimpleNamespace, route: Route) -> None:
    operation = served.schema[route.label][route.method]

    def ask(case: Case) -> None:
        is_rollout = route.label == "/v1/rollout" and isinstance(case.body, dict)
        if is_rollout and isinstance(case.body.get("release"), str):  # else none ever begins
            case.body["release"] = served.candidate
        reply = case.call(
            base_url=served.url, session=served.session, headers=served.headers, timeout=30
        )
        if reply.status_code != 413:
            case.validate_response(reply, excluded_checks=[positive_data_acceptance])

    asked_much(operation, ask)
