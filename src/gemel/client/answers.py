"""From replies of HTTP to structs or errors, and when to ask again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import msgspec

from gemel import errors
from gemel.client.asks import Ask
from gemel.errors import GemelError, InternalError

Reply = TypeVar("Reply")
AGAIN = frozenset({429, 503})
FIRST_SECONDS = 0.1
MAX_SECONDS = 10.0


def _tree(kind: type[GemelError]) -> dict[str, type[GemelError]]:
    """Classes of a tree by their codes."""
    found = {kind.code: kind}
    for below in kind.__subclasses__():
        found |= _tree(below)
    return found


ERRORS = _tree(errors.GemelError)


@dataclass(frozen=True)
class Patience:
    """How often a request is sent again, and after which time.

    Attributes:
        retries: at most.
        rng: of the jitter.
    """

    retries: int
    rng: random.Random

    def wait_s(self, attempt: int, retry_after: str | None = None) -> float | None:
        """Seconds until the next attempt; None if there is none.

        Full jitter over a time that doubles; not before the time that the service names.

        Args:
            attempt: how many there were, from 1.
            retry_after: header of the reply, if there was one.
        """
        if attempt > self.retries:
            return None
        limit = min(MAX_SECONDS, FIRST_SECONDS * 2**attempt)
        named = 0.0 if retry_after is None else _seconds(retry_after)
        return named + self.rng.uniform(0, limit)


def read(ask: Ask[Reply], status: int, content: bytes, url: str) -> Reply:
    """The reply as its struct.

    Raises:
        GemelError: the one that the service met, of its own class.
    """
    if status == 200:
        try:
            return ask.then(msgspec.json.decode(content, type=ask.kind))
        except msgspec.DecodeError as e:
            what = f"{ask.path} gives what this version does not know: {e}"
            raise InternalError(what, where=url, hint="use the version of the service") from e
    raise _error(status, content, url)


def _error(status: int, content: bytes, url: str) -> GemelError:
    """The error of a problem, in whichever of the shapes it comes."""
    try:
        said: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        said = None
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        said = {**said["error"], "detail": said["error"].get("message")}
    if not isinstance(said, dict) or not isinstance(said.get("detail"), str):
        return InternalError(f"status {status}, not from gemel", where=url)
    kind = ERRORS.get(str(said.get("code")), InternalError)
    where = said.get("where") or said.get("param") or ""
    return kind(said["detail"], where=str(where), hint=str(said.get("hint") or ""))


def _seconds(retry_after: str) -> float:
    """What the header says: seconds, or a date."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
