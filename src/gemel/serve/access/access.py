"""Who asks: the key or token of a request, whether it is valid, what it may do and how often.

Without a file of keys and without tokens nobody is asked who they are, and only this machine should
reach the service. From its first key on every route wants one of its role; revoking the last one
opens nothing, and neither does a file that goes away.
"""

from __future__ import annotations

import hmac
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from gemel.errors import ConfigError, NotAllowed, Unauthenticated
from gemel.serve.access.keys import OF_TENANTS, Key, Limits, digest_of, id_of, read
from gemel.serve.access.rates import Rates
from gemel.serve.access.tokens import Tokens
from gemel.serve.access.usage import Usage
from gemel.serve.context import LOCAL, ROLES, Caller, Role

GRANTED: Mapping[Role, frozenset[Role]] = {
    "reader": frozenset({"reader"}),
    "enroller": frozenset({"reader", "enroller"}),
    "reviewer": frozenset({"reader", "reviewer"}),
    "operator": frozenset({"reader", "operator"}),
    "admin": frozenset(ROLES),
}
"""What a key of each role may do."""
LOOK_SECONDS = 1.0
"""After which the file of keys is looked at again."""
HINT = "send Authorization: Bearer KEY; gemel keys add makes one"
_BEARER, _BASIC = b"bearer ", b"basic "


class Quotas(NamedTuple):
    """Of each tenant: requests a day and records kept; 0 for any."""

    per_day: int = 0
    max_records: int = 0


FREE = Quotas()


class _Asker(NamedTuple):
    """Who shows a key or token, under which name it is counted, how often it may ask, and what it
    is for people.
    """

    caller: Caller
    name: str
    limits: Key | Limits
    said: str
    whose: str


class Access:
    """Knows the keys of a service, as its file has them at the moment.

    Args:
        file: of the keys; None asks nobody who they are.
        log: a logger.
        tokens: of an identity provider, which count as keys do; None takes none.
        usage: counts the requests of a day; None starts anew.
        of_tenants: quotas of each tenant, whatever its keys say.
        clock: seconds of a monotonic clock.
        now: present time.
    """

    def __init__(
        self,
        file: Path | None = None,
        log: Any = None,
        tokens: Tokens | None = None,
        *,
        usage: Usage | None = None,
        of_tenants: Quotas = FREE,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._file, self._log, self._clock, self._now = file, log, clock, now
        self._tokens, self._usage, self._of_tenants = tokens, usage or Usage(now=now), of_tenants
        self._keys: dict[str, Key] | None = None
        self._seen: tuple[int, int, int] | None = None
        self._due, self._told = -1.0, ""
        self._rates = Rates(clock)

    @property
    def is_guarded(self) -> bool:
        """Whether callers need a key."""
        return self._tokens is not None or self._current() is not None

    def admit(self, headers: Iterable[tuple[bytes, bytes]], role: Role | None) -> Caller:
        """Who asks, if they may.

        Args:
            headers: of the request.
            role: that they need; None lets everybody in.
        Raises:
            Unauthenticated: without a key that is valid.
            NotAllowed: its role is another one.
            RateLimited: it asks too often.
        """
        keys = self._current()
        if role is None or (keys is None and self._tokens is None):
            return LOCAL
        text = _sent([value for name, value in headers if name == b"authorization"])
        asker = self._asker(text, keys or {})
        found, what, limits = asker.caller, asker.said, asker.limits
        self._rates.take(asker.name, limits.per_second, asker.whose)
        if found.tenant:
            what += f" of tenant {found.tenant}"
            found = self._bounded(found)
        if role not in found.roles:
            hint = f"ask with a key of role {role}"
            raise NotAllowed(f"{what} may not do this", where="Authorization", hint=hint)
        if limits.per_day:
            self._usage.take(asker.name, limits.per_day, asker.whose)
        if found.tenant and self._of_tenants.per_day:
            what = f"tenant {found.tenant}"
            self._usage.take(what, self._of_tenants.per_day, what)
        return found

    def _asker(self, text: bytes, keys: Mapping[str, Key]) -> _Asker:
        """Who asks with a key or token that is valid."""
        if self._tokens is not None and text.count(b".") == 2:
            caller = self._tokens.caller(text)
            said, whose = "a token without that role", "the sub of this token"
            return _Asker(caller, caller.name, self._tokens.limits, said, whose)
        key = self._key(text, keys)
        said = f"a key of role {key.role}"
        return _Asker(_caller(key), key.counted_as, key, said, "this key")

    def _bounded(self, caller: Caller) -> Caller:
        """A caller of a tenant, with what all of a tenant's may do."""
        bounds = [n for n in (caller.max_records, self._of_tenants.max_records) if n]
        most = min(bounds, default=0)
        return replace(caller, roles=caller.roles & OF_TENANTS, max_records=most)

    def _key(self, text: bytes, keys: Mapping[str, Key]) -> Key:
        """The key that is asked with, if it is valid."""
        key = keys.get(id_of(text))
        is_same = hmac.compare_digest(digest_of(text), "" if key is None else key.digest)
        if key is None or not is_same:
            raise Unauthenticated("nobody has this key", where="Authorization", hint=HINT)
        state = key.state(self._now())
        if state != "valid":
            raise Unauthenticated(f"this key is {state}", where="Authorization", hint=HINT)
        return key

    def _current(self) -> Mapping[str, Key] | None:
        """The keys by id, None if there never was a file; what cannot be read changes nothing."""
        if self._file is None or self._clock() < self._due:
            return self._keys
        self._due = self._clock() + LOOK_SECONDS
        try:
            stat = self._file.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._keys, self._seen = {key.id: key for key in read(self._file)}, seen
            self._told = ""
        except FileNotFoundError:
            if self._keys:  # whoever took the file away wanted nobody in, or lost it
                self._keys, self._seen = {}, None
                if self._log is not None:
                    self._log.error("keys_unreadable", error=f"{self._file} is gone")
        except (ConfigError, OSError) as error:
            if self._keys is None:  # who may come in cannot be told: nobody does
                self._keys = {}
            if self._log is not None and str(error) != self._told:
                self._log.error("keys_unreadable", error=str(error))
            self._told = str(error)
        return self._keys


def _caller(key: Key) -> Caller:
    return Caller(key.name, GRANTED[key.role], key.tenant, key.max_records)


def _sent(values: Sequence[bytes]) -> bytes:
    """The key or token of a request: after `Bearer`, or as the password of whatever user, where a
    tool can send no headers but takes `https://gemel:KEY@host/`.

    Raises:
        Unauthenticated: there is none, or more than one.
    """
    value = values[0] if len(values) == 1 else b""
    if value[: len(_BEARER)].lower() == _BEARER:
        return value[len(_BEARER) :].strip()
    if value[: len(_BASIC)].lower() == _BASIC:
        with suppress(ValueError):  # no base64
            return b64decode(value[len(_BASIC) :].strip(), validate=True).partition(b":")[2]
    raise Unauthenticated("this service wants a key", where="Authorization", hint=HINT)
