"""The keys of a project: which there are, until when, for which role; never the keys themselves.

A key is 32 random bytes as text. Kept is its SHA-256, which suffices where nothing can be guessed;
what `gemel keys add` prints is written nowhere. The file is replaced as a whole.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from gemel import files
from gemel.errors import ConfigError, quoted
from gemel.serve.context import Role

FILE = "keys.json"
MARK = "gemel"
"""What every key begins with, so that one is found where it should not be."""
TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""What tenants are called: they are folders, too."""
OF_TENANTS = frozenset[Role]({"reader", "enroller", "reviewer"})
"""What a tenant's callers may be; the rest is about what all tenants share."""
_NAME = re.compile(r"[\w.@-]{1,64}")


class Key(Struct, frozen=True, kw_only=True):
    """What is kept of a key.

    Attributes:
        id: stands in the key, behind its mark.
        name: of whoever asks with it; stands in the ledger.
        role: what it may do.
        digest: SHA-256 of the key, hexadecimal.
        created: time.
        expires: time from which on it is none.
        per_second: requests a second, at most; 0 for any.
        revoked: time; empty while it is valid.
        tenant: whose records and decisions it sees; empty for those of the service itself.
        per_day: requests from midnight to midnight (UTC), at most; 0 for any.
        max_records: that the gallery may hold after a change with it; 0 for any.
        first: id of the key that it came of by rotation; empty for one that came of none.
    """

    id: str
    name: str
    role: Role
    digest: str
    created: str
    expires: str
    per_second: int = 0
    revoked: str = ""
    tenant: str = ""
    per_day: int = 0
    max_records: int = 0
    first: str = ""

    @property
    def counted_as(self) -> str:
        """What its requests are counted under: a key and those it is replaced by have one quota."""
        return f"key {self.first or self.id}"

    def state(self, now: datetime) -> str:
        """Whether it can be used: valid, revoked or expired."""
        if self.revoked:
            return "revoked"
        return "valid" if now < datetime.fromisoformat(self.expires) else "expired"


class Limits(Struct, frozen=True, kw_only=True):
    """What a new key may be used for: see `Key`."""

    per_second: int = 0
    tenant: str = ""
    per_day: int = 0
    max_records: int = 0


FREE = Limits()


class _Kept(Struct, frozen=True, kw_only=True):
    keys: tuple[Key, ...]


def read(file: Path) -> tuple[Key, ...]:
    """The keys in a file, the oldest first.

    Raises:
        ConfigError: it is none of keys.
        FileNotFoundError: it is not there.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Kept).keys
    except msgspec.MsgspecError as e:
        hint = "put a copy of it back, or move it away and make new ones: gemel keys add NAME"
        raise ConfigError(f"not a file of keys: {e}", where=str(file), hint=hint) from e


def check_tenant(name: str) -> str:
    """The name of a tenant.

    Raises:
        ConfigError: it is none.
    """
    if not TENANT.fullmatch(name):
        what = f"{quoted(name)} is no name of a tenant"
        raise ConfigError(what, hint="at most 64 small letters, digits, _ and -")
    return name


def digest_of(key: bytes) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key).hexdigest()


def id_of(key: bytes) -> str:
    """The id in a key; anything if it is none."""
    return key.decode("latin-1").removeprefix(f"{MARK}_").partition("_")[0]


def add(
    file: Path, name: str, role: Role, *, days: int, now: datetime, limits: Limits = FREE
) -> tuple[Key, str]:
    """What is kept of a new key, and the key.

    Args:
        file: of the keys; made if it is not there.
        name: of whoever will ask with it.
        role: what it may do.
        days: in which it can be used.
        now: present time.
        limits: of what it can be used for.
    Raises:
        ConfigError: the name is no word, that of the tenant none, or a tenant has no such role.
    """
    if limits.tenant:
        check_tenant(limits.tenant)
        if role == "operator":
            what = "a tenant has no operator: all tenants share the service"
            hint = "reader, enroller, reviewer, or admin for all three"
            raise ConfigError(what, where=limits.tenant, hint=hint)
    if not _NAME.fullmatch(name):
        what = f"{quoted(name)} is no name of a key"
        raise ConfigError(what, hint="at most 64 letters, digits and . _ @ -")
    number, key = _made()
    kept = Key(
        id=number,
        name=name,
        role=role,
        digest=digest_of(key.encode()),
        created=_time(now),
        expires=_time(now + timedelta(days=days)),
        **msgspec.structs.asdict(limits),
    )
    with _changing(file) as known:
        _write(file, [*known, kept])
    return kept, key


def rotate(file: Path, name: str, *, days: int | None, now: datetime) -> tuple[Key, str, Key]:
    """What is kept of a new key that may do what another may, the key, and that other one.

    The other one stays valid until it is revoked or expires; both have one quota.

    Args:
        file: of the keys.
        name: the id of a key, or the name that one has that is not revoked.
        days: in which the new one can be used; None for as many as the other one could.
        now: present time.
    Raises:
        ConfigError: none is called so, or several are.
    """
    number, key = _made()
    with _changing(file) as known:
        old = _called(known, name)
        lasts = datetime.fromisoformat(old.expires) - datetime.fromisoformat(old.created)
        kept = msgspec.structs.replace(
            old,
            id=number,
            first=old.first or old.id,
            digest=digest_of(key.encode()),
            created=_time(now),
            expires=_time(now + (lasts if days is None else timedelta(days=days))),
        )
        _write(file, [*known, kept])
    return kept, key, old


def revoke(file: Path, name: str, *, now: datetime) -> Key:
    """The key that cannot be used any more.

    Args:
        file: of the keys.
        name: the id of a key, or the name that one valid key has.
        now: present time.
    Raises:
        ConfigError: none is called so, or several are.
    """
    with _changing(file) as known:
        gone = msgspec.structs.replace(_called(known, name), revoked=_time(now))
        _write(file, [gone if k.id == gone.id else k for k in known])
    return gone


def _made() -> tuple[str, str]:
    """An id and the key that it stands in."""
    number = secrets.token_hex(4)
    return number, f"{MARK}_{number}_{secrets.token_urlsafe(32)}"


def _called(known: Sequence[Key], name: str) -> Key:
    """The key of an id, or of a name, that is not revoked.

    Raises:
        ConfigError: none is called so, or several are.
    """
    called = [k for k in known if not k.revoked and name in (k.id, k.name)]
    if len(called) == 1:
        return called[0]
    some = ", ".join(k.id for k in called)
    what = f"several keys are called {quoted(name)}" if called else f"no key {quoted(name)}"
    raise ConfigError(what, hint=f"name one of {some}" if called else "see gemel keys list")


def _write(file: Path, keys: Sequence[Key]) -> None:
    kept = msgspec.json.format(msgspec.json.encode(_Kept(keys=tuple(keys))), indent=1)
    files.write_whole(file, kept + b"\n")
    file.chmod(0o600)


@contextmanager
def _changing(file: Path) -> Iterator[tuple[Key, ...]]:
    """The keys that are known, while nobody else changes them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.Lock(file.with_name(f"{file.name}.lock"), wait=True):
        yield read(file) if file.exists() else ()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
