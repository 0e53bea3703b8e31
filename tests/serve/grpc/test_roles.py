"""Every method of gRPC asks for the role of its route, made from what is served."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import grpc
import pytest
from tests.serve import small

from gemel.gallery.gallery import Gallery
from gemel.release.release import Release
from gemel.serve.access import keys
from gemel.serve.access.access import GRANTED, Access
from gemel.serve.context import ROLES, Role
from gemel.serve.grpc import inference, native
from gemel.serve.grpc.door import GrpcDoor
from gemel.serve.http.app import create_app
from gemel.serve.http.routes.table import TABLE
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.settings import ServeSettings
from gemel.telemetry import log_to

NOW = datetime.now(UTC)
SETTINGS = ServeSettings(grpc_port=0)
Code = grpc.StatusCode


class Guarded(NamedTuple):
    channel: grpc.Channel
    keys: dict[str, str]

    def code(self, method: str, key: str | None) -> Any:
        """What becomes of an empty message."""
        call = self.channel.unary_unary(method)
        metadata = [] if key is None else [("authorization", f"Bearer {key}")]
        try:
            call(b"", metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            return error.code()
        return Code.OK


@pytest.fixture(scope="module")
def guarded(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    file = folder / "keys.json"
    made = {str(role): keys.add(file, role, role, days=30, now=NOW)[1] for role in ROLES}
    old = NOW - timedelta(days=2)
    made["expired"] = keys.add(file, "old", "admin", days=1, now=old)[1]
    made["revoked"] = keys.add(file, "gone", "admin", days=30, now=NOW)[1]
    keys.revoke(file, "gone", now=NOW)
    with Gallery.open(folder / "gallery", space_id=release.space_id, dim=small.DIM) as gallery:
        front = create_app(Service(release, gallery), SETTINGS, access=Access(file))
        door = GrpcDoor(front, SETTINGS, log_to())
        with running(front, beside=door), grpc.insecure_channel(door.address) as channel:
            yield Guarded(channel, made)


OURS = [
    (f"/{native.PACKAGE}.{native.SERVICE}/{asked.method.name}", asked.route.role)
    for asked in native.methods()
]
OF_INFERENCE: list[tuple[str, Role | None]] = [
    (
        f"/{inference.PACKAGE}.{inference.SERVICE}/{method.name}",
        None if method.name.endswith(("Live", "Ready")) else "reader",
    )
    for method in inference.file().methods
]


@pytest.mark.parametrize(("method", "role"), [*OURS, *OF_INFERENCE])
def test_a_method_answers_keys_of_its_role_and_no_others(
    guarded: Guarded, method: str, role: Role | None
) -> None:
    for mine in ROLES:
        code = guarded.code(method, guarded.keys[mine])
        assert code not in (Code.UNAUTHENTICATED, Code.UNIMPLEMENTED, Code.INTERNAL)
        is_allowed = role is None or role in GRANTED[mine]
        assert (code != Code.PERMISSION_DENIED) == is_allowed, (mine, code)
    valid = guarded.keys["admin"]
    wrong = (None, "", valid[:-1] + ("a" if valid[-1] != "a" else "b"), valid[:15], "x" * 8000)
    for key in (*wrong, guarded.keys["expired"], guarded.keys["revoked"]):
        code = guarded.code(method, key)
        assert (code == Code.UNAUTHENTICATED) == (role is not None), key


def test_each_verb_of_the_table_has_a_method() -> None:
    verbs = {route.verb for route in TABLE if route.verb and not route.path.startswith("/v2")}
    assert {asked.route.verb for asked in native.methods()} - {None} == verbs
