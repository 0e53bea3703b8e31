"""Keyed digests: what entries hold in place of the ids of records and of what was enrolled.

Who has the key file can tell whether an entry is about a record that is at hand; nobody can read
an id out of an entry, nor guess one without the key. Without the key file the entries still follow
each other, and are about nobody any more.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from gemel.errors import LedgerError

KEY_BYTES = 32
MASK_BYTES = 16


class Masks:
    """Makes keyed digests with the key in a file; made when first used by a writer.

    Args:
        path: of the key file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: bytes | None = None

    @classmethod
    def beside(cls, ledger: Path) -> Masks:
        """Those of a ledger."""
        return cls(ledger.with_suffix(".key"))

    def of(self, content: str | bytes) -> str:
        """The keyed digest of something: 22 letters, 128 bits of HMAC-SHA256.

        Raises:
            LedgerError: the key cannot be read or made.
        """
        data = content.encode() if isinstance(content, str) else content
        mac = hmac.digest(self._secret(), data, "sha256")[:MASK_BYTES]
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

    def among(self, contents: Iterable[str], masked: Collection[str]) -> list[str]:
        """Those of many texts that the keyed digest of is one of these.

        Raises:
            LedgerError: the key cannot be read or made.
        """
        key, digest = self._secret(), hmac.digest
        wanted = set()
        for mask in masked:
            with contextlib.suppress(ValueError):  # it is none
                wanted.add(base64.urlsafe_b64decode(f"{mask}=="))
        return [c for c in contents if digest(key, c.encode(), "sha256")[:MASK_BYTES] in wanted]

    @property
    def name(self) -> str:
        """Of the key: 8 hex digits that say nothing about it, to notice another one."""
        return hashlib.sha256(b"name of " + self._secret()).hexdigest()[:8]

    def _secret(self) -> bytes:
        if self._key is None:
            try:
                self._key = self._read() or self._make()
            except OSError as e:
                raise LedgerError(
                    f"the key for ids cannot be read or made: {e.strerror}",
                    where=str(self._path),
                    hint="restore it from a copy, and make it readable to whoever runs this",
                ) from e
        return self._key

    def _read(self) -> bytes | None:
        """The key; None if there is no file."""
        try:
            key = self._path.read_bytes()
        except FileNotFoundError:
            return None
        if len(key) != KEY_BYTES:
            raise LedgerError(
                f"the key for ids has {len(key)} bytes, expected {KEY_BYTES}",
                where=str(self._path),
                hint="restore it from a copy",
            )
        return key

    def _make(self) -> bytes:
        """A new key, of whichever process is first."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, os.urandom(KEY_BYTES))
            os.fsync(handle)
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._path)
        finally:
            os.close(handle)
            draft.unlink()
        return self._path.read_bytes()
