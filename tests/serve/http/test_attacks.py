"""What an attacker sends, and what a page of another site makes a browser send.

Each row is one request, written to the socket as it stands; after every one of them the service
still answers.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.serve import small
from tests.serve.small import ROWS

from gemel.gallery.gallery import Gallery
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.routes.call import Route
from gemel.serve.http.routes.table import TABLE
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.settings import ServeSettings

VERIFY = json.dumps({"left": ROWS[0], "right": ROWS[1]}).encode()
ENROLL = json.dumps({"records": [{"id": "1", "payload": ROWS[1]}]}).encode()
SEARCH = json.dumps({"query": ROWS[0]}).encode()
JSON = "application/json"
GOOD = {
    "POST /v1/records": ENROLL,
    "DELETE /v1/records": b'{"ids": ["0"]}',
    "POST /v1/verify": VERIFY,
    "POST /v1/search": SEARCH,
    "POST /v1/verdicts": b'{"decision_id": "1", "genuine": true}',
}
Headers = dict[str, str | None]
PROXY = "gemel.example"


@dataclass(frozen=True)
class Row:
    """A request and the answer that is right.

    Attributes:
        what: name of the row.
        method: of HTTP.
        path: as sent.
        status: of the answer.
        code: of the problem in it; empty if it is none.
        headers: besides Host, type and length; None leaves one out.
        body: as sent; None takes one that is good for the path.
    """

    what: str
    method: str
    path: str
    status: int
    code: str = ""
    headers: Headers = field(default_factory=dict)
    body: bytes | None = None

    def text(self, host: str) -> bytes:
        """The request as bytes."""
        lines = {"Host": host, "Connection": "close"}
        body = GOOD.get(f"{self.method} {self.path}", b"") if self.body is None else self.body
        if body:
            lines |= {"Content-Type": JSON, "Content-Length": str(len(body))}
        sent = [f"{k}: {v}\r\n" for k, v in (lines | self.headers).items() if v is not None]
        head = f"{self.method} {self.path} HTTP/1.1\r\n{''.join(sent)}\r\n"
        return head.encode("latin-1") + body


def page(site: str) -> Headers:
    """Headers that a browser adds for a page of elsewhere."""
    return {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}


EVIL = "http://evil.example"


def rows(status: int, code: str, *sent: tuple[str, str, Headers]) -> list[Row]:
    """Rows with one right answer: a name, method and path, headers."""
    return [
        Row(what, *line.split(" ", 1), status=status, code=code, headers=more)
        for what, line, more in sent
    ]


PAGES = [
    # What a page may send without asking: no type, text, a form.
    *rows(
        415,
        "media_type",
        ("blob without a type", "POST /v1/records", {"Content-Type": None}),
        ("beacon as text", "POST /v1/records", {"Content-Type": "text/plain;charset=UTF-8"}),
        ("form", "POST /v1/records", {"Content-Type": "application/x-www-form-urlencoded"}),
        (
            "form with files",
            "POST /v1/records",
            {"Content-Type": "multipart/form-data; boundary=x"},
        ),
        ("empty type", "POST /v1/records", {"Content-Type": ""}),
        (
            "json in the parameters",
            "POST /v1/records",
            {"Content-Type": "text/plain; application/json"},
        ),
        ("two types", "POST /v1/records", {"Content-type": "text/plain"}),
    ),
    # A page of another site, as browsers announce it.
    *rows(
        403,
        "not_allowed",
        ("origin", "POST /v1/records", {"Origin": EVIL}),
        ("origin, no type", "POST /v1/records", {"Origin": EVIL, "Content-Type": None}),
        ("null origin", "POST /v1/records", {"Origin": "null"}),
        (
            "origin with our name inside",
            "POST /v1/records",
            {"Origin": "http://localhost.evil.example"},
        ),
        ("origin on another port", "POST /v1/records", {"Origin": "http://localhost:3000"}),
        ("origin of our address", "POST /v1/records", {"Origin": "http://127.0.0.1:3000"}),
        ("origin with a path", "POST /v1/records", {"Origin": "http://evil.example/gemel.example"}),
        ("origin with a user", "POST /v1/records", {"Origin": "http://gemel.example@evil.example"}),
        ("origin of an extension", "POST /v1/records", {"Origin": "chrome-extension://abcdef"}),
        ("empty origin, cross-site", "POST /v1/records", page("cross-site")),
        ("cross-site", "POST /v1/records", page("cross-site")),
        ("same-site, another port", "POST /v1/records", page("same-site")),
        ("unheard of site", "POST /v1/records", page("other")),
        ("delete", "DELETE /v1/records/0", {"Origin": EVIL}),
        ("delete several", "DELETE /v1/records", {"Origin": EVIL}),
        ("verdict", "POST /v1/verdicts", {"Origin": EVIL}),
        ("verify", "POST /v1/verify", {"Origin": EVIL}),
        ("search", "POST /v1/search", page("cross-site")),
        ("record as an image", "GET /v1/records/0", page("cross-site")),
        ("reviews", "GET /v1/review", page("cross-site")),
        ("release", "GET /v1/release", page("same-site")),
    ),
    *rows(
        204,
        "",
        ("preflight", "OPTIONS /v1/records", {"Access-Control-Request-Method": "POST"}),
    ),
    # DNS rebinding: the name of the page's own host, pointing here.
    *rows(
        421,
        "wrong_host",
        ("rebound", "GET /v1/records/0", {"Host": "evil.example"}),
        ("rebound, deletes", "DELETE /v1/records/0", {"Host": "evil.example:8080"}),
        ("rebound, own origin", "POST /v1/records", {"Host": "evil.example", "Origin": EVIL}),
        ("rebound, page", "GET /", {"Host": "evil.example"}),
        ("rebound, description", "GET /openapi.json", {"Host": "evil.example"}),
        ("localhost inside", "GET /v1/records", {"Host": "localhost.evil.example"}),
        ("localhost before", "GET /v1/records", {"Host": "evil.example#localhost"}),
        ("localhost as user", "GET /v1/records", {"Host": "localhost@evil.example"}),
        ("localhost as port", "GET /v1/records", {"Host": "evil.example:localhost"}),
        ("an address inside", "GET /v1/records", {"Host": "127.0.0.1.nip.example"}),
        ("a short name", "GET /v1/records", {"Host": "gemel"}),
        ("a number", "GET /v1/records", {"Host": "2130706433"}),
        ("empty host", "GET /v1/records", {"Host": ""}),
        (
            "forwarded host",
            "GET /v1/records",
            {"Host": "evil.example", "X-Forwarded-Host": "localhost"},
        ),
    ),
    *rows(
        400,
        "request",
        ("two hosts", "GET /v1/records", {"host": "evil.example"}),
        ("no host", "GET /v1/records", {"Host": None}),
    ),
    # What must go on working.
    *rows(
        200,
        "",
        (
            "own page",
            "POST /v1/records",
            {"Origin": "http://{host}", "Sec-Fetch-Site": "same-origin"},
        ),
        ("typed address", "GET /v1/records", {"Sec-Fetch-Site": "none"}),
        ("no browser", "POST /v1/verify", {}),
        (
            "json with a charset",
            "POST /v1/verify",
            {"Content-Type": "application/json; charset=utf-8"},
        ),
        ("localhost", "GET /v1/records", {"Host": "LocalHost:99"}),
        ("a name below localhost", "GET /v1/records", {"Host": "gemel.localhost"}),
        ("an address", "GET /v1/records", {"Host": "192.0.2.1:8080"}),
        ("a long address", "GET /v1/records", {"Host": "[::1]:8080"}),
        ("behind a proxy", "GET /v1/records", {"Host": "gemel.example"}),
        ("behind a proxy that hides it", "POST /v1/records", {"Origin": "https://gemel.example"}),
        ("probe under any name", "GET /livez", {"Host": "pod-7"}),
        ("scrape under any name", "GET /metrics", {"Host": "gemel:8080"}),
        ("link to the description", "GET /openapi.json", page("cross-site")),
    ),
]


@pytest.fixture(scope="module")
def url(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("attacked")
    settings = ServeSettings(allowed_hosts=(PROXY,))
    with (
        Gallery.open(folder, space_id=release.space_id, dim=small.DIM) as gallery,
        running(create_app(Service(release, gallery), settings)) as url,
    ):
        records = [{"id": "0", "payload": ROWS[0]}]
        assert httpx.post(f"{url}/v1/records", json={"records": records}).status_code == 200
        yield url


def answer(url: str, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what comes back for bytes."""
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=20) as sock:
        sock.sendall(sent)
        received = b""
        while part := sock.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


def problem_in(body: bytes) -> dict[str, Any]:
    problem: dict[str, Any] = json.loads(body)
    return problem


@pytest.mark.parametrize("row", PAGES, ids=lambda row: row.what)
def test_a_page_of_another_site_neither_reads_nor_writes(url: str, row: Row) -> None:
    host = urlsplit(url).netloc
    status, headers, body = answer(url, row.text(host).replace(b"{host}", host.encode()))
    assert status == row.status, body
    if row.code:
        problem = problem_in(body)
        assert (problem["code"], problem["status"]) == (row.code, status)
        assert problem["hint"]
        assert httpx.get(f"{url}/v1/records/0").json()["attributes"] == ROWS[0]
    assert "access-control-allow-origin" not in headers


OURS = [r for r in TABLE if r.path.startswith("/v1")]
WRITES = [r for r in TABLE if r.method != "GET" and r.path.startswith(("/v1", "/v2"))]


def asked(url: str, route: Route, **headers: str) -> httpx.Response:
    """The answer of a route to a body that is good JSON."""
    content = None if route.method == "GET" or route.body is None else b"{}"
    typed = {} if content is None else {"content-type": JSON}
    path = route.path.replace("{record:path}", "0")
    return httpx.request(route.method, url + path, content=content, headers=typed | headers)


@pytest.mark.parametrize("route", OURS, ids=lambda r: f"{r.method} {r.path}")
def test_no_route_answers_a_page_of_another_site(url: str, route: Route) -> None:
    """Of the table, so that a new route is tried as well."""
    for site in ("cross-site", "same-site"):
        assert asked(url, route, **{"sec-fetch-site": site}).status_code == 403
    assert asked(url, route, host="evil.example").status_code == 421, "a name that points here"
    if route.method != "GET":
        assert asked(url, route, origin=EVIL).status_code == 403
        if route.body is not None:
            assert asked(url, route, **{"content-type": "text/plain"}).status_code == 415
    assert httpx.get(f"{url}/v1/records/0").json()["attributes"] == ROWS[0]


@pytest.mark.parametrize("route", WRITES, ids=lambda r: f"{r.method} {r.path}")
def test_no_route_takes_a_request_for_two(url: str, route: Route) -> None:
    """Where a proxy and a service see different lengths, one request smuggles another."""
    at = urlsplit(url)
    line = f"{route.method} {route.path.replace('{record:path}', '0')} HTTP/1.1\r\n"
    start = f"{line}Host: {at.netloc}\r\nContent-Type: {JSON}\r\nConnection: close\r\n"
    inner = f"DELETE /v1/records/0 HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n"
    for lengths in (
        "Content-Length: 2\r\nContent-Length: 99\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: x\r\n",
        "Content-Length: +2\r\n",
        "Content-Length : 2\r\n",
    ):
        status, _, _ = answer(url, f"{start}{lengths}\r\n{{}}{inner}".encode())
        assert status == 400, lengths
        assert httpx.get(f"{url}/v1/records/0").status_code == 200, "refused, and done all the same"
