"""What a verb knows of the request that it answers: who asks, until when, and what answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from msgspec.structs import replace

from gemel.errors import GalleryUnavailable, NoGallery, NoLedger
from gemel.gallery.gallery import Gallery
from gemel.ledger.bodies import Body, Masked
from gemel.ledger.ledger import Ledger
from gemel.serve.books import Books
from gemel.serve.live import Live

if TYPE_CHECKING:  # which know contexts themselves
    from gemel.serve.rollout.arms import Arms
    from gemel.serve.rollout.desk import Desk
    from gemel.serve.tenants import Home

Role = Literal["reader", "enroller", "reviewer", "operator", "admin"]
"""What a caller may do: ask; change the gallery; answer reviews; look after the service; all."""
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: of a person or a program.
        roles: that it has; every route of the table names one.
        tenant: whose records and decisions it sees; empty for those of the service itself.
        max_records: that the gallery may hold after a change by this caller; 0 for any.
    """

    name: str
    roles: frozenset[Role]
    tenant: str = ""
    max_records: int = 0

    @property
    def owner(self) -> str:
        """With whom it shares its turns: all of its tenant, or all who ask under its name."""
        return f"tenant {self.tenant}" if self.tenant else self.name


LOST = (
    "put its folder back, or enroll the records again: gemel gallery enroll FILE; those that are "
    "gone on purpose: gemel gallery delete ID ..., which notes it"
)
"""What helps where most of a gallery is gone."""

LOCAL = Caller("local", frozenset(ROLES))
"""Whoever reaches a process that asks nobody who they are."""


class Stage(NamedTuple):
    """What a request went through.

    Attributes:
        name: of the table of stages.
        begun: of the monotonic clock, seconds.
        seconds: that it took.
    """

    name: str
    begun: float
    seconds: float


@dataclass(eq=False, slots=True)
class Context:
    """A request, whatever door it came through.

    Attributes:
        live: the bundle that answers all of it.
        books: where decisions are counted and noted.
        request_id: the caller's, or a new one; empty outside of a service.
        caller: who asks.
        deadline: of the monotonic clock, seconds; nothing is begun after it.
        arms: what the service answers with; None outside of one.
        desk: where rollouts are started; None without.
        home: of the tenant whose caller asks; None for the service's own.
        timing: its stages, in order.
    """

    live: Live
    books: Books
    request_id: str = ""
    caller: Caller = LOCAL
    deadline: float = math.inf
    arms: Arms | None = None
    desk: Desk | None = None
    home: Home | None = None
    timing: list[Stage] = field(default_factory=list)

    @property
    def gallery(self) -> Gallery:
        """The gallery of the bundle.

        Raises:
            NoGallery: there is none.
        """
        if self.live.gallery is None:
            raise NoGallery("this service has no gallery", hint="start it with one to search")
        return self.live.gallery

    @property
    def searched(self) -> Gallery:
        """The gallery, to find somebody in.

        Raises:
            NoGallery: there is none.
            GalleryUnavailable: most of its records are lost.
        """
        if self.live.is_lost:
            raise GalleryUnavailable(self.live.of_lost, hint=LOST)
        return self.gallery

    @property
    def ledger(self) -> Ledger:
        """The ledger of the service.

        Raises:
            NoLedger: there is none.
        """
        if self.books.ledger is None:
            raise NoLedger(
                "this service keeps no ledger", hint="start it with one to review decisions"
            )
        return self.books.ledger

    def twins(self) -> Sequence[Live]:
        """Bundles of other spaces whose galleries have to hold what this one's holds."""
        if self.arms is None:
            return ()
        if self.home is None:
            return tuple(self.arms.twins(self.live))
        return self.home.twins(self.arms.twins(self.live))

    def others(self) -> Sequence[Gallery]:
        """Galleries that are open besides that of the bundle, and hold the records of the same."""
        open_ = () if self.arms is None else self.arms.galleries()
        of_twins = (twin.gallery for twin in self.twins())
        found = (*of_twins, *(open_ if self.home is None else self.home.galleries))
        return [one for one in found if one is not None and one is not self.live.gallery]

    @contextmanager
    def spared(self, space_id: str) -> Iterator[None]:
        """What goes wrong inside with another space is no error of the request: its twin is given
        up, if it has one.
        """
        try:
            yield
        except Exception as error:  # whatever it is, the change itself was made
            arms, home = self.arms, self.home
            for twin in self.twins():
                if arms is not None and twin.release.space_id == space_id:
                    arms.lost(twin if home is None else home.base(twin), error)

    def masked(self, name: object) -> str:
        """What an entry holds in place of the id of a record, or of a class; without a ledger
        nothing.
        """
        ledger = self.books.ledger
        return "" if ledger is None else ledger.masks.of(str(name))

    def note(self, kind: str, body: Body) -> str | None:
        """Enter what was decided into the ledger; the id, None without a ledger.

        Raises:
            LedgerUnavailable: the ledger has taken no entries for longer than it may.
        """
        if isinstance(body, Masked) and self.books.ledger is not None:
            body = replace(body, key=self.books.ledger.masks.name)
        release, request = self.live.release.id, self.request_id
        return self.books.note(kind, replace(body, release=release, request_id=request))

    def check_change(self) -> None:
        """Return if a change can be noted, so that it may be made.

        Raises:
            LedgerUnavailable: it cannot.
        """
        if self.books.ledger is not None:
            self.books.ledger.check(change=True)

    def note_change(self, kind: str, bodies: Sequence[Body]) -> str | None:
        """Enter what was changed, and by whom, into the ledger; on disk on return.

        Returns:
            The id of the first entry, None without a ledger.
        Raises:
            LedgerUnavailable: it is not; the change was made, and is noted when the ledger can.
        """
        said = {"release": self.live.release.id, "request_id": self.request_id}
        return self.books.note_change(
            kind, [replace(body, actor=self.caller.name, **said) for body in bodies]
        )
