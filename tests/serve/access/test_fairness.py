"""One tenant floods a service, another goes on being answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from tests.serve import small
from tests.serve.access.test_tenants import Folder
from tests.serve.small import ROWS

from gemel.serve.access import keys
from gemel.serve.access.access import Access
from gemel.serve.access.keys import Limits
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.serve.tenants import Tenants
from gemel.settings import ServeSettings

PAIR = {"left": ROWS[0], "right": ROWS[1]}
HEAVY = {"pairs": [PAIR] * 16}


@contextmanager
def flooded(url: str, key: str) -> Iterator[list[int]]:
    """Sixteen clients that ask for as much as they can; the statuses they get."""
    end, statuses = threading.Event(), []

    def ask() -> None:
        with httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
            while not end.is_set():
                statuses.append(client.post(f"{url}/v1/verify-batch", json=HEAVY).status_code)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    try:
        while 503 not in statuses:
            threading.Event().wait(0.01)
        yield statuses
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_a_tenant_that_floods_shuts_no_other_out(tmp_path: Path) -> None:
    release = small.release(tmp_path / "release")
    file, now = tmp_path / "keys.json", datetime.now(UTC)
    made = {
        name: keys.add(file, name, "reader", days=1, now=now, limits=Limits(tenant=name))[1]
        for name in ("flood", "quiet")
    }
    tenants = Tenants(lambda name: Folder(tmp_path / name), 10**9)
    service = Service(release, tenants=tenants)
    settings = ServeSettings(max_queue=64)
    app: Any = create_app(service, settings, access=Access(file))
    headers = {"authorization": f"Bearer {made['quiet']}"}
    with (
        running(app) as url,
        httpx.Client(base_url=url, headers=headers, timeout=60) as quiet,
        flooded(url, made["flood"]) as statuses,
    ):
        got = [quiet.post("/v1/verify", json=PAIR).status_code for _ in range(40)]
    tenants.close()
    assert got == [200] * 40
    assert statuses.count(503) > 10 and 200 in statuses, "there was more than could be done"
