"""Bearer tokens (JWT) of an identity provider: who issued them, for whom, and what they allow.

Tokens are signed; the provider's public keys (JWKS) come from a file or an address and are read
again by a thread, so that no request waits for another server. The kind of signature is that of the
key, never what a token says.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gemel.errors import ConfigError, Unauthenticated, quoted
from gemel.serve.access.keys import TENANT, Limits
from gemel.serve.context import ROLES, Caller, Role
from gemel.settings import ServeSettings

READ_SECONDS, SOON_SECONDS = 300.0, 10.0
"""How often keys are read again; at most so often where a token names one that is not known."""
WAIT_SECONDS, MAX_BYTES = 5.0, 1_000_000
LEEWAY_SECONDS = 30
MAX_KEPT = 1024
MAX_NAME = 128
LATEST = 1 << 40
"""Time that no clock here will show; tokens may name later ones."""
CLAIMS = ("exp", "iss", "aud", "sub")
WHERE = "Authorization"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Tokens:
    """Knows the keys of an identity provider.

    Args:
        settings: where its keys are, its name, ours, and the claim that holds roles.
        granted: what each role may do.
        log: a logger.

    Attributes:
        limits: how often each whom it names may ask, with whatever tokens.

    Raises:
        ConfigError: settings are missing, a package is, or the keys cannot be read.
    """

    def __init__(
        self, settings: ServeSettings, granted: Mapping[Role, frozenset[Role]], log: Any = None
    ) -> None:
        for name in ("token_issuer", "token_audience"):
            if not getattr(settings, name):
                raise ConfigError(
                    "tokens of anybody, for anybody, would be taken",
                    where=f"serve.{name}",
                    hint=f"serve.token_keys needs serve.{name} too: the value of its claim",
                )
        try:
            import jwt
        except ModuleNotFoundError as e:
            hint = "pip install 'gemel[jwt]'"
            raise ConfigError(f"tokens need {e.name}", where="serve.token_keys", hint=hint) from e
        self._jwt, self._settings, self._granted, self._log = jwt, settings, granted, log
        self.limits = Limits(
            per_second=settings.token_per_second,
            per_day=settings.token_per_day,
            max_records=settings.token_records,
        )
        self._content, self._keys = self._read()
        self._read_at = time.monotonic()
        self._kept: dict[bytes, tuple[Caller, float]] = {}
        self._wanted, self._stopped = threading.Event(), False
        self._thread = threading.Thread(target=self._follow, name="token-keys", daemon=True)

    def start(self) -> None:
        """Begin to read the keys again from time to time."""
        self._thread.start()

    def stop(self) -> None:
        """Read them no more."""
        self._stopped = True
        self._wanted.set()
        self._thread.join()

    def caller(self, token: bytes) -> Caller:
        """Who asks with a token.

        Args:
            token: three parts, as in `Authorization`.
        Raises:
            Unauthenticated: it is not valid, for whatever reason; says which.
        """
        name, kept = hashlib.sha256(token).digest(), self._kept
        known = kept.get(name)
        if known is not None and time.time() < known[1]:
            return known[0]
        claims = self._claims(token)
        roles, tenant = self._roles(claims), self._tenant(claims)
        found = Caller(_subject(claims), roles, tenant, self.limits.max_records)
        if len(kept) >= MAX_KEPT:
            kept.clear()
        kept[name] = found, float(min(int(claims["exp"]), LATEST))
        return found

    def _claims(self, token: bytes) -> dict[str, Any]:
        jwt, said = self._jwt, self._settings
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.get(kid)
            if key is None:
                if time.monotonic() - self._read_at > SOON_SECONDS:
                    self._wanted.set()
                raise Unauthenticated("this token is signed with a key that is not known")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=said.token_audience,
                issuer=said.token_issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": list(CLAIMS)},
            )
        except jwt.PyJWTError as e:
            what = f"this token is not valid: {quoted(str(e), 200)}"
            raise Unauthenticated(what, where=WHERE, hint="get a new one where you got it") from e
        return claims

    def _roles(self, claims: Mapping[str, Any]) -> frozenset[Role]:
        """All that the roles in a token may do; of other roles nothing is known here."""
        value = _claim(claims, self._settings.token_roles)
        named = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        return frozenset().union(*(self._granted[role] for role in ROLES if role in named))

    def _tenant(self, claims: Mapping[str, Any]) -> str:
        """Whose records it is for; empty where no claim says so.

        Raises:
            Unauthenticated: a claim should, and names no tenant.
        """
        path = self._settings.token_tenant
        if not path:
            return ""
        name = _claim(claims, path)
        if not isinstance(name, str) or not TENANT.fullmatch(name):
            what = f"this token is not valid: its {path} names no tenant"
            hint = "at most 64 small letters, digits, _ and -"
            raise Unauthenticated(what, where=WHERE, hint=hint)
        return name

    def _follow(self) -> None:
        while True:
            self._wanted.wait(READ_SECONDS)
            if self._stopped:
                return
            self._wanted.clear()
            try:
                content, keys = self._read()
            except ConfigError as error:
                if self._log is not None:
                    self._log.error("keys_unreadable", error=str(error))
            else:
                self._keys = keys
                if content != self._content:
                    # What a key signed that is gone counts no more; whoever is being let in by it
                    # now is kept where nobody looks.
                    self._content, self._kept = content, {}
            self._read_at = time.monotonic()

    def _read(self) -> tuple[bytes, dict[str | None, Any]]:
        """What the provider says, and its public keys for signatures by their ids."""
        source = self._settings.token_keys
        hint = "name a file or an https address of a JSON Web Key Set"
        try:
            content = _fetched(source) if "://" in source else Path(source).read_bytes()
            found = self._jwt.PyJWKSet.from_dict(json.loads(content)).keys
        except (OSError, ValueError, AttributeError, self._jwt.PyJWTError) as e:
            what = f"the keys of tokens cannot be read: {e}"
            raise ConfigError(what, where=f"serve.token_keys {source}", hint=hint) from e
        keys = {k.key_id: k for k in found if k.key_type != "oct" and k.public_key_use != "enc"}
        if not keys:
            what = "there is no public key for signatures"
            raise ConfigError(what, where=f"serve.token_keys {source}", hint=hint)
        return content, keys


def _fetched(address: str) -> bytes:
    """What stands at an address that nobody on the way can change.

    Raises:
        ValueError: others could.
        OSError: nobody answers.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL_NAMES):
        raise ValueError("the address does not begin with https")
    with urllib.request.urlopen(address, timeout=WAIT_SECONDS) as reply:
        content: bytes = reply.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes")
    return content


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by the names on the way to it; None if it is not there."""
    value: Any = claims
    for part in [path] if path in claims else path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _subject(claims: Mapping[str, Any]) -> str:
    """Who asks, as the ledger names them; no key can be called so."""
    subject = str(claims["sub"])
    if not subject.isprintable() or not 0 < len(subject) <= MAX_NAME:
        raise Unauthenticated("this token is not valid: its sub is no name", where=WHERE)
    return f"token:{subject}"
