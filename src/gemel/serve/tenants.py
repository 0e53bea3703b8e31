"""Tenants: callers who see one release and nothing of one another.

What a tenant has is a place of its own, a gallery for each space and a ledger; nobody filters what
they may see, there is nothing else to be seen. A place is opened when somebody of the tenant asks,
and closed when nobody does and its memory is wanted.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Protocol

from gemel.errors import GalleryError, GalleryUnavailable, LedgerError, NotAllowed
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.access.keys import check_tenant
from gemel.serve.books import Books
from gemel.serve.class_index import Classes
from gemel.serve.galleries.erasing import reach
from gemel.serve.keeping import Keeper
from gemel.serve.live import Live
from gemel.serve.rollout.arms import Trial

PLACE_BYTES, RECORD_BYTES = 4_000_000, 300
"""Of an open place without records; of a record besides its embedding. Estimates."""
MAX_BUNDLES = 4
"""Releases that one place is kept ready for."""
OPENERS = 2


class Place(Protocol):
    """Where what one tenant has is kept."""

    def gallery(self, release: Release) -> Gallery:
        """The gallery of a release's space, to be changed; made if there is none."""

    def ledger(self) -> Ledger:
        """The ledger, made if there is none."""

    def keeper(self, ledger: Ledger) -> Keeper:
        """Who looks after the ledger."""

    def elsewhere(self, release: Release) -> int:
        """The records in the largest gallery of another space."""


class Home:
    """A tenant whose place is open.

    Args:
        name: of the tenant.
        place: where its things are.
        books: of the service, to count in the same figures.
        pool: of threads in which it is opened.

    Attributes:
        n_using: requests that are being answered from it.
    """

    def __init__(self, name: str, place: Place, books: Books, pool: ThreadPoolExecutor) -> None:
        self.name, self.n_using, self._pool = name, 0, pool
        self._place, self._service_books = place, books
        self._books: Books | None = None
        self._keeper: Keeper | None = None
        self._keeping = threading.Lock()
        self._galleries: dict[str, Gallery] = {}
        self._bundles: OrderedDict[Live, Live] = OrderedDict()
        self._lock = threading.Lock()
        self._opening = asyncio.Lock()

    def tries(self, trial: Trial, stable: Live) -> bool:
        """Whether a candidate may answer: in another space its records may not be enrolled, and an
        experiment has no snapshot of them.
        """
        return trial.beside is None and trial.live.release.space_id == stable.release.space_id

    async def bundle(self, base: Live) -> Live:
        """What `live` gives, without holding up the event loop."""
        found = self._bundles.get(base)
        if found is None:
            async with self._opening:
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(self._pool, self.live, base)
        return found

    def live(self, base: Live) -> Live:
        """A bundle of the service with the gallery of this tenant.

        Raises:
            GalleryUnavailable: its records are not enrolled in that space.
            GalleryError: the gallery cannot be opened.
            LedgerError: the ledger cannot.
        """
        with self._lock:
            known = self._bundles.get(base)
            if known is not None:
                return known
            if self._books is None:
                ledger = self._place.ledger()
                self._books, self._keeper = (
                    self._service_books.with_ledger(ledger),
                    self._place.keeper(ledger),
                )
            gallery = None if base.gallery is None else self._gallery(base.release)
            made = replace(base, gallery=gallery, classes=Classes(), tenant=self.name, n_noted=0)
            self._bundles[base] = made
            while len(self._bundles) > MAX_BUNDLES:
                self._bundles.popitem(last=False)
            return made

    def twins(self, bases: Iterable[Live]) -> tuple[Live, ...]:
        """What `live` gives for each, without those whose space this tenant has not enrolled in."""
        found = []
        for base in bases:
            with suppress(GalleryUnavailable):
                found.append(self.live(base))
        return tuple(found)

    def base(self, live: Live) -> Live:
        """The bundle of the service that `live` was made of."""
        return next((base for base, made in self._bundles.items() if made is live), live)

    @property
    def galleries(self) -> tuple[Gallery, ...]:
        """Those that are open."""
        return tuple(self._galleries.values())

    @property
    def books(self) -> Books:
        """Where what this tenant decides is noted; there is one once a bundle was given."""
        if self._books is None:
            raise RuntimeError("no bundle of this tenant was asked for")
        return self._books

    @property
    def ledger_problem(self) -> str | None:
        """Why its ledger takes no entries; None if it does, or is not open."""
        return None if self._books is None else self._books.problem

    @property
    def n_bytes(self) -> int:
        """Memory that it takes, about."""
        held = [g.count() * (4 * g.dim + RECORD_BYTES) for g in self.galleries]
        return PLACE_BYTES + sum(held)

    def refresh(self) -> None:
        """Read what another process changed."""
        for gallery in self.galleries:
            with suppress(GalleryError):  # it may be closed by now
                gallery.refresh()

    def look(self) -> None:
        """Look after its ledger, and at what another process deleted."""
        with self._keeping:
            if self._keeper is None or self._books is None:
                return
            self._keeper.look()
            with self._books.changing, suppress(GalleryError, LedgerError):  # or it reads only
                for gallery in self.galleries:
                    reach(gallery, self._books.ledger)

    def close(self) -> None:
        """Close all of it."""
        with self._lock, ExitStack() as closing:
            if self._books is not None and self._books.ledger is not None:
                closing.callback(self._books.ledger.close)
            with self._keeping:
                if self._keeper is not None:
                    self._keeper.stop()
                self._keeper = None
            for gallery in self._galleries.values():
                closing.callback(gallery.close)

    def _gallery(self, release: Release) -> Gallery:
        if release.space_id not in self._galleries:
            opened = self._place.gallery(release)
            if not opened.count() and self._place.elsewhere(release):
                opened.close()
                raise GalleryUnavailable(
                    f"the records of tenant {self.name} are not enrolled with this release",
                    hint="enroll them with it, or point back at the release before",
                )
            self._galleries[release.space_id] = opened
        return self._galleries[release.space_id]


class Tenants:
    """The tenants of a service, of which those are open that somebody asks for.

    Args:
        place: gives the place of a tenant.
        max_bytes: of memory that places which nobody uses may take.
    """

    def __init__(self, place: Callable[[str], Place], max_bytes: int) -> None:
        self._place, self._max_bytes = place, max_bytes
        self._open: OrderedDict[str, Home] = OrderedDict()
        self._closing: dict[str, asyncio.Future[None]] = {}
        self._pool = ThreadPoolExecutor(OPENERS, "gemel-tenants")

    @asynccontextmanager
    async def entered(self, name: str, books: Books) -> AsyncIterator[Home]:
        """The home of a tenant, which stays open inside.

        Args:
            name: of the tenant.
            books: of the service.
        """
        while name in self._closing:
            await asyncio.wait([self._closing[name]])
        home, is_new = self._open.get(name), name not in self._open
        if home is None:
            home = self._open[name] = Home(check_tenant(name), self._place(name), books, self._pool)
        self._open.move_to_end(name)
        home.n_using += 1
        try:
            yield home
        finally:
            home.n_using -= 1
            if is_new:
                self._make_room()

    @property
    def names(self) -> tuple[str, ...]:
        """Of those that are open, the one used last at the end."""
        return tuple(self._open)

    @property
    def ledger_problem(self) -> str | None:
        """Why the ledger of one that is open takes no entries; None if all take them."""
        problems = (home.ledger_problem for home in tuple(self._open.values()))
        return next((problem for problem in problems if problem is not None), None)

    def refresh(self) -> None:
        """Read what another process changed for those that are open."""
        for home in tuple(self._open.values()):
            home.refresh()

    def look(self) -> None:
        """Look after the ledgers of those that are open."""
        for home in tuple(self._open.values()):
            home.look()

    def close(self) -> None:
        """Close all of them; nobody may be answered any more."""
        self._pool.shutdown()
        for home in self._open.values():
            home.close()
        self._open.clear()

    def _make_room(self) -> None:
        """Close those that were not asked for longest, until the others fit."""
        taken = {name: home.n_bytes for name, home in self._open.items()}
        excess = sum(taken.values()) - self._max_bytes
        for name, size in taken.items():
            if excess <= 0:
                return
            if self._open[name].n_using:
                continue
            home = self._open.pop(name)
            gone = asyncio.get_running_loop().run_in_executor(self._pool, home.close)
            self._closing[name] = gone
            gone.add_done_callback(partial(self._closed, name))
            excess -= size

    def _closed(self, name: str, gone: asyncio.Future[None]) -> None:
        gone.exception()  # what was lost by then was told by the ledger
        del self._closing[name]


def entered(tenants: Tenants | None, name: str, books: Books) -> AbstractAsyncContextManager[Home]:
    """The home of a tenant, which stays open inside.

    Args:
        tenants: of the service; None where it has none.
        name: of the tenant.
        books: of the service.
    Raises:
        NotAllowed: it has none.
    """
    if tenants is None:
        what = "this service keeps nothing for tenants"
        raise NotAllowed(what, where="Authorization", hint="ask with a key without a tenant")
    return tenants.entered(name, books)
