"""Tokens have the limits that keys have: of whom they name, whatever tokens they show."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format, struct_pb2
from tests.serve.access.provider import Provider, settings
from tests.serve.small import ROWS

from gemel.errors import RateLimited
from gemel.release.release import Release
from gemel.serve.access.access import GRANTED, Access, Quotas
from gemel.serve.access.tokens import Tokens
from gemel.serve.access.usage import Usage
from gemel.serve.grpc.door import GrpcDoor
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.settings import ServeSettings
from gemel.telemetry import log_to

NOW = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)


def limited(provider: Provider, **limits: Any) -> Tokens:
    return Tokens(settings(provider.address, **limits), GRANTED)


def test_a_subject_asks_so_often_a_second_with_whatever_tokens(
    release: Release, provider: Provider
) -> None:
    now = [0.0]
    access = Access(tokens=limited(provider, token_per_second=3), clock=lambda: now[0])
    with running(create_app(Service(release), access=access)) as url, httpx.Client() as http:

        def ask(sub: str, **claims: Any) -> httpx.Response:
            token = provider.token(sub=sub, roles=["reader"], **claims)
            return http.get(f"{url}/v1/release", headers={"authorization": f"Bearer {token}"})

        got = [ask("ann", jti=str(i)) for i in range(5)]
        assert [g.status_code for g in got] == [200, 200, 200, 429, 429]
        assert (got[3].headers["retry-after"], got[3].json()["code"]) == ("1", "rate_limited")
        assert "the sub of this token may ask 3 times a second" in got[3].text
        assert ask("bert").status_code == 200
        now[0] += 1
        assert ask("ann").status_code == 200


def test_a_day_of_a_subject_ends_at_midnight_and_no_restart_begins_it(
    provider: Provider, tmp_path: Path
) -> None:
    now = [NOW]

    def opened() -> tuple[Callable[[str], Any], Usage]:
        usage = Usage(tmp_path / "usage.json", now=lambda: now[0])
        tokens = limited(provider, token_per_day=2, token_tenant="org")
        access = Access(tokens=tokens, usage=usage, of_tenants=Quotas(per_day=3))

        def admitted(sub: str) -> Any:
            token = provider.token(sub=sub, org="acme", roles=["reader"])
            return access.admit([(b"authorization", f"Bearer {token}".encode())], "reader")

        return admitted, usage

    admitted, usage = opened()
    assert admitted("ann") == admitted("ann")
    usage.stop()
    admitted, _ = opened()
    with pytest.raises(RateLimited, match="the sub of this token may ask 2 times a day") as met:
        admitted("ann")
    assert met.value.retry_s == 60
    admitted("bert")
    with pytest.raises(RateLimited, match="tenant acme may ask 3 times a day"):
        admitted("bert")
    now[0] += timedelta(minutes=1)
    admitted("ann")


def test_no_more_records_are_kept_than_a_subject_may(service: Service, provider: Provider) -> None:
    access = Access(tokens=limited(provider, token_records=2))
    rows = [{"id": f"r{i}", "payload": row} for i, row in enumerate(ROWS)]
    headers = {"authorization": f"Bearer {provider.token(roles=['enroller'])}"}
    with (
        running(create_app(service, access=access)) as url,
        httpx.Client(base_url=url, headers=headers) as http,
    ):
        assert http.post("/v1/records", json={"records": rows[:2]}).status_code == 200
        got = http.post("/v1/records", json={"records": rows[1:3]})
        assert (got.status_code, got.json()["code"]) == (403, "quota_reached")


def test_limits_of_tokens_hold_over_grpc_and_are_counted_together(
    release: Release, provider: Provider, stubs: tuple[ModuleType, ModuleType]
) -> None:
    messages, services = stubs
    said = ServeSettings(grpc_port=0)
    access = Access(tokens=limited(provider, token_per_day=2))
    front = create_app(Service(release), said, access=access)
    door = GrpcDoor(front, said, log_to())
    row = json_format.ParseDict(ROWS[0], struct_pb2.Value())
    asked = messages.VerifyRequest(left=row, right=row)
    with (
        running(front, beside=door) as url,
        grpc.insecure_channel(door.address) as channel,
        httpx.Client(base_url=url) as http,
    ):
        mine = f"Bearer {provider.token(roles=['reader'])}"
        stub = services.GemelStub(channel)
        assert stub.Verify(asked, metadata=[("authorization", mine)]).outcome == "match"
        assert http.get("/v1/release", headers={"authorization": mine}).status_code == 200
        with pytest.raises(grpc.RpcError) as met:
            stub.Verify(asked, metadata=[("authorization", mine)])
        assert met.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        told = json.loads(dict(met.value.trailing_metadata())["gemel-problem-bin"])
        assert (told["status"], told["code"]) == (429, "rate_limited")
