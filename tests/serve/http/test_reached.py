"""What a caller writes makes the service ask nobody, open no file, and count no longer."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serve import small
from tests.serve.small import ROWS

from gemel.gallery.gallery import Gallery
from gemel.serve.http.app import create_app
from gemel.serve.http.routes.call import Route
from gemel.serve.http.routes.table import TABLE
from gemel.serve.http.server import running
from gemel.serve.service import Service

ITEMS = {"left", "right", "query", "input", "payload"}
MANY = {"queries", "documents"}
FORMS: tuple[Any, ...] = (
    lambda url: url,
    lambda url: {"image": url},
    lambda url: {"image": {"url": url}},
    lambda url: {"image_url": {"url": url}},
    lambda url: {"url": url},
    lambda url: {"first": url, "last": url},
)


class Elsewhere:
    """A listener that counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.n_came = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for _ in itertools.count():
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.n_came += 1

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(scope="module", params=["rows", "images"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    make = small.release if request.param == "rows" else small.image_release
    release = make(folder / "release")
    with (
        Gallery.open(folder / "gallery", space_id=release.space_id, dim=small.DIM) as gallery,
        running(create_app(Service(release, gallery))) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def body(route: Route, item: Any) -> dict[str, Any]:
    """A body of that route with this item wherever one may stand."""
    said: dict[str, Any] = {}
    for name in route.body.__struct_fields__ if route.body else ():
        if name in ITEMS:
            said[name] = item
        elif name in MANY:
            said[name] = [item, item]
        elif name == "pairs":
            said[name] = [{"left": item, "right": item}]
        elif name == "records":
            said[name] = [{"id": str(i), "payload": item} for i in range(2)]
        elif name == "inputs":
            one = {"name": "input", "datatype": "BYTES", "shape": [1], "data": [json.dumps(item)]}
            said[name] = [one]
    return said


@pytest.mark.parametrize(
    "route", [r for r in TABLE if body(r, "")], ids=lambda r: f"{r.method} {r.path}"
)
def test_no_item_makes_it_ask_another_or_open_a_file(client: httpx.Client, route: Route) -> None:
    """Of the table, so that a new route is tried as well."""
    elsewhere = Elsewhere()
    ways = [f"{kind}://{elsewhere.at}/x" for kind in ("http", "https", "ftp")]
    for form, way in itertools.product(FORMS, [*ways, "file:///etc/passwd", "/etc/passwd"]):
        reply = client.request(route.method, route.path, json=body(route, form(way)))
        assert reply.status_code < 500, reply.text
        assert "root:" not in reply.text
    elsewhere.close()
    assert elsewhere.n_came == 0


ALIKE: dict[str, list[Any]] = {
    "texts": ["".join(word) for word in itertools.product(("Aa", "BB"), repeat=15)],
    "numbers": [i << 44 for i in range(1 << 15)],
    "fractions": [float(i % 2000 + 1) * 2.0 ** (61 * (i // 2000 - 8)) for i in range(1 << 15)],
}
"""Values whose hashes are alike, or of which a table looks at the same bits first."""


@pytest.mark.parametrize("kind", ALIKE)
def test_values_that_hash_alike_cost_no_more(client: httpx.Client, kind: str) -> None:
    """In keys, ids, values of records and filters, all of which tables are made of."""
    values = ALIKE[kind]
    asked = [
        {"query": ROWS[0], "where": {"n": values}},
        {"query": ROWS[0], "where": {str(v): v for v in values}},
        {"query": {str(v): v for v in values}},
    ]
    records = [{"id": str(v), "payload": ROWS[0], "attributes": {"n": v}} for v in values[:1000]]
    started = time.process_time()
    for said in asked:
        assert client.post("/v1/search", json=said).status_code in (200, 422)
    for _ in range(2):
        enrolled = client.post("/v1/records", json={"records": records})
        assert enrolled.status_code in (200, 422), enrolled.text
    assert time.process_time() - started < 10
