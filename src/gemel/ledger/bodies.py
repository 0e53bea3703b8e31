"""What the entries of a ledger say, kind by kind: the one place that knows their keys.

Keys are written in the order of their names, those of what was never stated are left out. A key
that an older version did not write has a default, so that old entries can be read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType


class Body(Struct, frozen=True, kw_only=True):
    """What entries of any kind may say.

    Attributes:
        release: id of the release that decided, or that something was done with.
        request_id: of the request, where a service was asked.
        actor: who did it, where a person did.
    """

    release: str | UnsetType | None = UNSET
    request_id: str | UnsetType = UNSET
    actor: str | UnsetType = UNSET


class Verified(Body, frozen=True, kw_only=True):
    """Whether two items are the same.

    Attributes:
        outcome: `match`, `no_match` or `review`.
        score: higher is more alike.
        threshold: that decided.
        probability: of a match, and `interval` around it.
        review_probability: with which a person is asked about the decision.
        category: of both sides, where the release decides by it.
    """

    outcome: str
    score: float
    threshold: float | None = None
    probability: float | None = None
    interval: tuple[float, float] | None = None
    review_probability: float | UnsetType = UNSET
    category: tuple[str | None, str | None] | UnsetType = UNSET


class Masked(Body, frozen=True, kw_only=True):
    """What may name records.

    Attributes:
        key: name of the key that they are masked with; entries of an older version about what was
            asked have none, and name them in clear.
    """

    key: str | UnsetType = UNSET


class Searched(Masked, frozen=True, kw_only=True):
    """How many hits a search of k had, how many match, and masked id, score and decision of the
    best.
    """

    hits: int
    matches: int
    best: tuple[str, float, str] | None
    k: int


class Identified(Masked, frozen=True, kw_only=True):
    """Who an item is: a record of the gallery, masked, or nobody."""

    outcome: str
    record: str | None
    score: float | None
    threshold: float | None
    probability: float | None
    gallery_size: int


class Classified(Masked, frozen=True, kw_only=True):
    """Which class an item is of, and which support of it decided, both masked: a class may be a
    person.
    """

    outcome: str
    label: str | int | float | bool | None
    attribute: str
    score: float
    probability: float | None
    p_value: float | None
    support: str
    anomaly: float | None


class Grouped(Body, frozen=True, kw_only=True):
    """How many records of a request were put into how many clusters, by how many matches."""

    records: int
    clusters: int
    matches: int


class Change(Masked, frozen=True, kw_only=True):
    """What changes of a gallery may say; one that is too long for an entry goes on in the next.

    Attributes:
        space: that the gallery is of.
    """

    space: str | UnsetType = UNSET


class Enrolled(Change, frozen=True, kw_only=True):
    """What an enroll did, in records.

    Attributes:
        records: of each record that was written, its id to the digest of its row, both masked.
    """

    added: int
    updated: int
    unchanged: int
    records: dict[str, str] | UnsetType = UNSET


class Deleted(Change, frozen=True, kw_only=True):
    """How many records were taken out.

    Attributes:
        records: masked ids of all that were asked for.
    """

    deleted: int
    records: list[str] | UnsetType = UNSET


class Answered(Body, frozen=True, kw_only=True):
    """What a reviewer says about a decision: whether the two are really the same."""

    decision: str
    genuine: bool
    reviewer: str


class Pointed(Body, frozen=True, kw_only=True):
    """Where a pointer was moved to (`release`, None for nowhere), from where, and why.

    Attributes:
        move: its number in the history of the pointers; one that a later entry has as well was
            noted, and then not carried out.
    """

    pointer: str
    previous: str | None
    reason: str
    move: int | UnsetType = UNSET


class Keyed(Body, frozen=True, kw_only=True):
    """A key to the service that was made or revoked: its id, whose it is, and what it may do."""

    id: str
    name: str
    role: str
    expires: str


class Tried(Body, frozen=True, kw_only=True):
    """What became of a rollout of `release`: started, a step, paused, ended; and why.

    Attributes:
        rollout: its id.
        stable: what it is compared with.
        share: of the subjects that the candidate answers from now on.
        reason: in words, with the figures that decided.
    """

    rollout: str
    stable: str
    share: float
    reason: str


class Accepted(Body, frozen=True, kw_only=True):
    """Which child release was made of which parent from people's answers."""

    parent: str


class Refused(Body, frozen=True, kw_only=True):
    """Why an entry of another kind stands here as a note only; named by that `kind`."""

    kind: str
    reason: str


BODIES: dict[str, type[Body]] = {
    "verify": Verified,
    "search": Searched,
    "identify": Identified,
    "classify": Classified,
    "duplicates": Grouped,
    "enroll": Enrolled,
    "delete": Deleted,
    "verdict": Answered,
    "release.point": Pointed,
    "release.rollback": Pointed,
    "release.remove": Body,
    "rollout.start": Tried,
    "rollout.step": Tried,
    "rollout.pause": Tried,
    "rollout.resume": Tried,
    "rollout.rolled_back": Tried,
    "rollout.aborted": Tried,
    "rollout.promoted": Tried,
    "key.add": Keyed,
    "key.revoke": Keyed,
    "review.accept": Accepted,
    "ledger.refused": Refused,
}
"""What each kind of entry says."""


def written(body: Body | dict[str, Any]) -> bytes:
    """The JSON text of a body; the same for a struct as for a dict of its keys.

    Raises:
        TypeError, ValueError, NotImplementedError, RecursionError: it is not JSON.
    """
    return _ENCODER.encode(body)


def _plain(value: Any) -> Any:
    """A numpy scalar as the Python number that it is."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} has no place in a ledger")


_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=_plain)
