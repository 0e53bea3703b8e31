"""What /openapi.json says holds: no request meets a fault of ours, every reply is as described.

Requests are made of the description, sound and broken ones. `GEMEL_TEST_EXAMPLES` asks for more of
each kind than there is time for on every change.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.serve import small
from tests.serve.small import ROWS

from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.routes.call import Route
from gemel.serve.http.routes.table import TABLE
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord

EXAMPLES = int(os.environ.get("GEMEL_TEST_EXAMPLES", "3"))
BOUNDS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 100,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def asked_much(operation: Any, ask: Callable[[Case], None]) -> None:
    """Ask by sound and by broken requests of an operation."""
    for mode in GenerationMode:
        with suppress(Unsatisfiable):  # a route without body and parameters has no broken request
            BOUNDS(given(case=operation.as_strategy(generation_mode=mode))(ask))()


@pytest.fixture(scope="module")
def served(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("schema")
    with (
        Gallery.open(folder / "gallery", space_id=release.space_id, dim=small.DIM) as gallery,
        Ledger.open(folder / "ledger.db") as ledger,
    ):
        service = Service(release, gallery, ledger)
        service.enroll([NewRecord(f"p/{i}", row) for i, row in enumerate(ROWS)])
        with running(create_app(service)) as url, requests.Session() as session:
            schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
            yield SimpleNamespace(url=url, session=session, schema=schema)


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.label}")
def test_replies_are_as_described_whatever_is_asked(served: SimpleNamespace, route: Route) -> None:
    operation = served.schema[route.label][route.method]

    def ask(case: Case) -> None:
        reply = case.call(base_url=served.url, session=served.session, timeout=10)
        if reply.status_code != 413:  # schemathesis does not know that a body may be too large
            # What an item must be, the release says, not the description alone.
            case.validate_response(reply, excluded_checks=[positive_data_acceptance])

    asked_much(operation, ask)
