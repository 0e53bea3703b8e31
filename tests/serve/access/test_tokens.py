"""Tokens of an identity provider let in whom it names, as what it says, and nobody else."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from litestar.testing import TestClient
from tests.serve.access.provider import AUDIENCE, ISSUER, Provider, settings
from tests.serve.small import ROWS

from gemel.errors import ConfigError, Unauthenticated
from gemel.release.release import Release
from gemel.serve.access import keys, tokens
from gemel.serve.access.access import GRANTED, Access
from gemel.serve.access.keys import OF_TENANTS
from gemel.serve.access.tokens import Tokens
from gemel.serve.context import ROLES, Caller, Role
from gemel.serve.http.app import create_app
from gemel.serve.http.routes.call import Route
from gemel.serve.http.routes.table import TABLE
from gemel.serve.service import Service

PAIR = {"left": ROWS[0], "right": ROWS[1]}


@pytest.fixture(scope="module")
def asked(release: Release, provider: Provider) -> Iterator[TestClient[object]]:
    known = Tokens(settings(provider.address), GRANTED)
    known.start()
    app = create_app(Service(release), access=Access(tokens=known))
    with TestClient(app, base_url="http://gemel.localhost") as client:  # type: ignore[arg-type]
        yield client
    known.stop()


def confused(provider: Provider, token: str) -> str:
    """The token with a signature that whoever has the public key can make."""
    public = provider.private["one"].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    signed = f"{head}.{token.split('.')[1]}"
    made = hmac.new(pem, signed.encode(), "sha256").digest()
    return f"{signed}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


def other_head(token: str, head: dict[str, Any]) -> str:
    """The token with another head."""
    said = base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b"=").decode()
    return f"{said}.{token.partition('.')[2]}"


def ask(
    client: TestClient[object], token: str, method: str, path: str, body: Any
) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    return client.request(method, path, headers=headers, json=body)


@pytest.mark.parametrize("route", TABLE, ids=lambda r: f"{r.method} {r.path}")
def test_a_route_answers_tokens_with_its_role(
    asked: TestClient[object], provider: Provider, route: Route
) -> None:
    if route.role is None:
        return
    path = route.path.replace("{record:path}", "a/b")
    body = None if route.body is None else {}
    for role in ROLES:
        got = ask(asked, provider.token(roles=[role, "boss"]), route.method, path, body)
        assert got.status_code not in (401, 429)
        assert (got.status_code != 403) == (route.role in GRANTED[role]), role
    assert ask(asked, provider.token(), route.method, path, body).status_code == 403


def test_what_is_not_from_the_provider_for_us_and_now_is_refused(
    asked: TestClient[object], provider: Provider
) -> None:
    role = {"roles": ["admin"]}
    now = int(time.time())
    stranger = ec.generate_private_key(ec.SECP256R1())
    head = "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0"  # {"alg":"none","kid":"one"}
    good = provider.token(**role)
    wrong = {
        "of another key": provider.token(stranger, **role),
        "of an unknown key": provider.token(stranger, kid="two", **role),
        "unsigned": f"{head}.{good.split('.')[1]}.",
        "signed with the public key": confused(provider, good),
        "of another issuer": provider.token(iss="https://other.example", **role),
        "for another audience": provider.token(aud="shop", **role),
        "expired": provider.token(exp=now - 60, **role),
        "not yet": provider.token(nbf=now + 600, **role),
        "for ever": provider.token(exp=None, **role),
        "of nobody": provider.token(sub=None, **role),
        "of a strange name": provider.token(sub="a\nb", **role),
        "no token": "a.b.c",
        "nested": base64.urlsafe_b64encode(b"[" * 40_000).decode() + ".a.b",
        "of no kid": other_head(good, {"alg": "ES256"}),
        "of a list of kids": other_head(good, {"alg": "ES256", "kid": ["one"]}),
        "of a kid that is a path": other_head(good, {"alg": "ES256", "kid": "../../dev/null"}),
        "unsigned, spelt oddly": other_head(good, {"alg": "nOnE", "kid": "one"}),
        "of several kinds": other_head(good, {"alg": ["none", "ES256"], "kid": "one"}),
        "signed with nothing": good.rpartition(".")[0] + "." + "A" * 86,
        "with a key of its own": jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": now + 60, **role},
            stranger,
            "ES256",
            headers={"kid": "one", "jwk": provider.public()["keys"][0]},
        ),
        "with a demand": jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": now + 60, **role},
            provider.private["one"],
            "ES256",
            headers={"kid": "one", "crit": ["x"], "x": 1},
        ),
        "for an audience in other letters": provider.token(aud=AUDIENCE.upper(), **role),
        "for nobody in a list": provider.token(aud=["shop", "desk"], **role),
        "of the issuer and a slash": provider.token(iss=f"{ISSUER}/", **role),
        "issued tomorrow": provider.token(iat=now + 86_400, **role),
        "of a name from right to left": provider.token(sub="\u202eann", **role),
        "changed": good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
    }
    for what, token in wrong.items():
        got = ask(asked, token, "GET", "/v1/release", None)
        assert got.status_code == 401, what
        assert got.json()["code"] == "unauthenticated" and token not in got.text
    assert ask(asked, good, "GET", "/v1/release", None).status_code == 200


def test_a_token_counts_until_it_expires(
    asked: TestClient[object], provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = provider.token(roles="reader")
    assert ask(asked, token, "POST", "/v1/verify", PAIR).status_code == 200
    later = time.time() + 300
    monkeypatch.setattr(tokens.time, "time", lambda: later)
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    assert ask(asked, token, "POST", "/v1/verify", PAIR).status_code == 401


class Later:
    """datetime, five minutes on."""

    @staticmethod
    def now(tz: Any = None) -> Any:
        return datetime.now(tz) + timedelta(seconds=300)


def test_a_new_key_of_the_provider_is_known_soon(
    release: Release, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "SOON_SECONDS", 0.0)
    known = Tokens(settings(provider.address), GRANTED)
    known.start()
    try:
        provider.private["two"] = ec.generate_private_key(ec.SECP256R1())
        token = provider.token(provider.private["two"], kid="two", roles=["reader"])
        access = Access(tokens=known)
        headers = [(b"authorization", f"Bearer {token}".encode())]
        found, until = None, time.monotonic() + 10
        while found is None and time.monotonic() < until:
            try:
                found = access.admit(headers, "reader")
            except Exception as e:
                assert "not known" in str(e)
        assert found is not None and found.name == "token:ann"
    finally:
        known.stop()
        provider.private.pop("two", None)


def test_a_key_that_is_replaced_under_its_name_signs_no_more(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "SOON_SECONDS", 0.0)
    lost = provider.private["one"]
    known = Tokens(settings(provider.address), GRANTED)
    stolen = provider.token(roles=["admin"]).encode()
    assert known.caller(stolen).name == "token:ann"
    provider.private["one"] = ec.generate_private_key(ec.SECP256R1())
    known.start()
    try:
        with pytest.raises(Unauthenticated, match="not known"):
            known.caller(provider.token(lost, kid="two").encode())  # keys are read again
        until = time.monotonic() + 10
        with pytest.raises(Unauthenticated, match="Signature"):
            while time.monotonic() < until:
                known.caller(stolen)
    finally:
        known.stop()
        provider.private["one"] = lost


def test_a_token_for_longer_than_clocks_go_is_taken(provider: Provider) -> None:
    known = Tokens(settings(provider.address), GRANTED)
    assert known.caller(provider.token(exp=10**400).encode()).name == "token:ann"


@pytest.mark.parametrize(
    ("claim", "claims"),
    [
        ("roles", {"roles": "enroller"}),
        ("realm_access.roles", {"realm_access": {"roles": ["enroller"]}}),
        ("https://gemel.example/roles", {"https://gemel.example/roles": ["x", "enroller"]}),
    ],
)
def test_roles_stand_where_the_provider_writes_them(
    provider: Provider, claim: str, claims: dict[str, Any]
) -> None:
    known = Tokens(settings(provider.address, token_roles=claim), GRANTED)
    found = known.caller(provider.token(**claims).encode())
    assert found.roles == {"reader", "enroller"}


def test_keys_and_tokens_go_together(provider: Provider, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    _, key = keys.add(file, "shop", "reader", days=9, now=datetime.now(UTC))
    access = Access(file, tokens=Tokens(settings(provider.address), GRANTED))
    role: Role = "reader"
    for sent, name in ((key, "shop"), (provider.token(roles=["reader"]), "token:ann")):
        assert access.admit([(b"authorization", f"Bearer {sent}".encode())], role).name == name


def test_what_cannot_be_is_said_at_the_start(provider: Provider, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"keys": [{"kty": "oct", "kid": "s", "k": "c2VjcmV0" * 8}]}))
    (tmp_path / "none.json").write_text("[]")
    private = rsa.generate_private_key(65537, 2048)
    good = tmp_path / "good.json"
    jwk = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": "r"}
    good.write_text(json.dumps({"keys": [jwk]}))
    for source, other, what in (
        (secret, {}, "no public key"),
        (tmp_path / "none.json", {}, "cannot be read"),
        (tmp_path / "gone.json", {}, "cannot be read"),
        ("http://id.example/jwks", {}, "does not begin with https"),
        (good, {"token_audience": ""}, "of anybody"),
        (good, {"token_issuer": ""}, "of anybody"),
    ):
        with pytest.raises(ConfigError, match=what) as refused:
            Tokens(settings(source, **other), GRANTED)
        assert refused.value.hint
    token = provider.token(private, "RS256", kid="r", roles=["admin"])
    assert Tokens(settings(good), GRANTED).caller(token.encode()).roles == set(ROLES)


def test_a_claim_names_the_tenant_and_a_token_without_it_is_refused(provider: Provider) -> None:
    tokens = Tokens(settings(provider.address, token_tenant="org.id"), GRANTED)
    access = Access(tokens=tokens)

    def admitted(**claims: Any) -> Caller:
        token = provider.token(roles=["admin"], **claims)
        return access.admit([(b"authorization", f"Bearer {token}".encode())], "reader")

    caller = admitted(org={"id": "acme"})
    assert (caller.tenant, caller.roles) == ("acme", OF_TENANTS)
    for claims in ({}, {"org": "acme"}, {"org": {"id": "../acme"}}, {"org": {"id": ""}}):
        with pytest.raises(Unauthenticated, match=r"its org\.id names no tenant"):
            admitted(**claims)
