from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.serve import small

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
