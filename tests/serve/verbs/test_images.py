from __future__ import annotations

import base64
import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.serve import small

from gemel.data.sources import pixels
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    release = small.image_release(tmp_path_factory.mktemp("image") / "release")
    with running(create_app(Service(release))) as url:
        yield url


def image(seed: int) -> str:
    return base64.b64encode(small.picture(seed)).decode()


@pytest.mark.parametrize(
    "right", [{"image": image(0)}, image(0), f"data:image/png;base64,{image(0)}"]
)
def test_images_come_in_base64(url: str, right: Any) -> None:
    body = {"left": {"image": image(0)}, "right": right}
    reply = httpx.post(f"{url}/v1/verify", json=body).json()
    assert reply["outcome"] == "match"
    other = httpx.post(f"{url}/v1/verify", json={**body, "right": image(1)}).json()
    assert other["outcome"] == "no_match"


@pytest.mark.parametrize(
    ("left", "where"),
    [
        ({"image": "not base64!"}, "left.image"),
        ({"image": base64.b64encode(b"not an image").decode()}, "left"),
        ({"image": base64.b64encode(small.picture(0)[:60]).decode()}, "left"),
        ({"image": 3}, "left.image"),
        ({"img": "x"}, "left.img"),
        ({}, "left.image"),
        ("", "left"),
    ],
)
def test_what_is_no_image_is_invalid_and_says_where(url: str, left: Any, where: str) -> None:
    reply = httpx.post(f"{url}/v1/verify", json={"left": left, "right": image(0)})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_input")
    assert reply.json()["where"].startswith(where)
    assert reply.json()["detail"]


def test_the_description_asks_for_an_image(url: str) -> None:
    schema = httpx.get(f"{url}/openapi.json").json()["components"]["schemas"]["Payload"]
    assert schema["required"] == ["image"]


def flat(side: int) -> str:
    """A white PNG of side x side pixels: few bytes, many pixels."""
    file = io.BytesIO()
    Image.new("1", (side, side), 1).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_more_pixels_than_one_request_may_bring_are_refused_unread(url: str) -> None:
    """Forty files of a few kilobytes made everybody wait for two minutes."""
    bomb = flat(7000)
    reply = httpx.post(f"{url}/v1/embeddings", json={"input": [{"image": bomb}] * 40})
    assert reply.status_code == 422
    assert "at most 100" in reply.json()["error"]["message"]
    assert httpx.post(f"{url}/v1/verify", json={"left": bomb, "right": bomb}).status_code == 200


def test_heavy_images_are_read_apart_and_answered_alike(url: str) -> None:
    large, small_one = flat(3000), flat(30)
    body = {"left": {"image": large}, "right": {"image": small_one}}
    reply = httpx.post(f"{url}/v1/verify", json=body)
    assert reply.json()["score"] == pytest.approx(1, abs=1e-3)
    metrics = httpx.get(f"{url}/metrics").text
    (read,) = re.findall(r'^gemel_batch_seconds_count{lane="read"} (\S+)', metrics, flags=re.M)
    assert float(read) >= 2


def test_what_is_long_is_looked_at_where_nobody_waits(url: str) -> None:
    """Seven megabytes of small parts kept the event loop for 18 seconds."""
    long = base64.b64encode(small.picture(0) + bytes(2_000_000)).decode()

    def n_read() -> float:
        metrics = httpx.get(f"{url}/metrics").text
        (count,) = re.findall(r'^gemel_batch_seconds_count{lane="read"} (\S+)', metrics, flags=re.M)
        return float(count)

    before = n_read()
    reply = httpx.post(f"{url}/v1/verify", json={"left": long, "right": image(0)})
    assert reply.json()["outcome"] == "match"
    assert n_read() == before + 3, "both weighed at once, then read one by one"


def test_a_file_with_a_few_of_its_rows_is_refused(url: str) -> None:
    """351 bytes declared 49 million pixels, had ten rows of them, and were taken."""
    head = struct.pack(">IIBBBBB", 7000, 7000, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * (1 + 3 * 7000) * 10)
    chunks = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    )
    bomb = base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()
    reply = httpx.post(f"{url}/v1/verify", json={"left": bomb, "right": image(0)})
    assert reply.status_code == 422
    assert "missing" in reply.json()["detail"]


def test_an_image_is_decoded_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, opened = [], pixels.opened

    def counted(data: bytes, size: int | None = None) -> Image.Image:
        decoded.append(len(data))
        return opened(data, size)

    monkeypatch.setattr(pixels, "opened", counted)
    body = {"left": image(0), "right": image(1)}
    httpx.post(f"{url}/v1/verify", json=body).raise_for_status()
    assert len(decoded) == 2
    httpx.post(f"{url}/v1/embeddings", json={"input": [image(i) for i in range(50)]})
    assert len(decoded) == 52
