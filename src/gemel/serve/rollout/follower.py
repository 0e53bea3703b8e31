"""Follows the pointer that is served: where it moves, the service goes, or stays and says why.

The new release is opened, verified and checked beside the live one; then the service changes over
in one assignment. A release that cannot be served costs a warning, never a request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from gemel.errors import GemelError
from gemel.release.store import Store
from gemel.serve.galleries.erasing import reach
from gemel.serve.galleries.opened import Galleries, OpenGallery
from gemel.serve.rollout.desk import Desk
from gemel.serve.rollout.pilot import Pilot
from gemel.serve.service import STABLE, Service
from gemel.telemetry import log_to

INTERVAL_SECONDS = 0.2
RETRY_SECONDS = 5.0
LOOK_SECONDS = 1.0
"""After which the store is opened although nothing seems to have changed."""


class Follower:
    """Keeps a service on the release that the pointer points at.

    Args:
        service: what is switched.
        store: where the pointer `stable` is.
        open_gallery: opens the gallery of a release of another space; None serves that without.
        desk: where rollouts are started, for the service to take part; None for none.
        log: a logger; JSON lines to stderr if left out.
        clock: seconds, for retries.
        on_switch: called after each switch.
        read_only: another process changes the galleries, and this one sees what it does.

    Attributes:
        pilot: the part that the service has in rollouts; None without a desk.
    """

    def __init__(
        self,
        service: Service,
        store: Store,
        *,
        open_gallery: OpenGallery | None = None,
        desk: Desk | None = None,
        log: Any = None,
        clock: Callable[[], float] = time.monotonic,
        on_switch: Callable[[], None] | None = None,
        read_only: bool = False,
    ) -> None:
        self._service = service
        self._store = store
        self._log = log or log_to()
        self._clock = clock
        self._on_switch = on_switch
        self._refused: tuple[str, float] | None = None
        first = service.pick()
        self._galleries = Galleries(first.gallery, first.release.space_id, open_gallery)
        service.arms.galleries = self._galleries.open
        self._read_only = read_only
        self.pilot = None
        if desk is not None:
            self.pilot = Pilot(service, desk, self._galleries, self._log, read_only=read_only)
        self._mark: object = None
        self._looked = 0.0
        self._is_stale = self._is_behind = False
        self._switched = service.metrics.counter("gemel_rollouts_total", "switched")
        self._failed = service.metrics.counter("gemel_rollouts_total", "failed")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="gemel-rollout", daemon=True)

    def start(self) -> None:
        """Begin to follow, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following, and close what was opened here: nothing may be served any more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.pilot is not None:
            self.pilot.stop()
        self._galleries.close()

    def check(self) -> bool:
        """Look once at what was erased elsewhere and at the pointer; whether it was followed."""
        self._erase()
        target = self._store.pointer(STABLE)
        if target is None or target == self._service.pick().release.id:
            self._refused = None
            self._service.warning = None
            return False
        if self._refused is not None:
            refused, until = self._refused
            if refused == target and self._clock() < until:
                return False
        started = self._clock()
        try:
            release = self._store.get(target)
            live = self._service.pick().gallery
            self._service.switch(release, self._galleries.of(release, live))
        except Exception as error:  # whatever it is, the live release goes on
            self._keep(target, error)
            return False
        self._refused = None
        self._service.warning = None
        self._switched.inc()
        self._log.info("release_switched", release=target, seconds=self._clock() - started)
        if self._on_switch is not None:
            self._on_switch()
        return True

    def _keep(self, target: str, error: Exception) -> None:
        """Stay with the live release; try again later, since a cause may go away."""
        self._refused = (target, self._clock() + RETRY_SECONDS)
        self._failed.inc()
        live = self._service.pick().release.id
        cause = error.what if isinstance(error, GemelError) else "internal error"
        self._service.warning = f"{STABLE} points at {target[:12]}, which cannot be served: {cause}"
        self._log.error("release_refused", release=live, refused=target, exc_info=error)

    def _follow(self) -> None:
        while not self._end.wait(INTERVAL_SECONDS):
            try:
                if self._is_due():
                    self.check()
                    if self.pilot is not None:
                        self.pilot.check()
            except Exception as error:
                self._service.warning = f"{STABLE} cannot be read"
                self._log.error("pointer_unreadable", exc_info=error)
            if self._read_only:
                self._refresh()

    def _erase(self) -> None:
        """Take out of the open galleries what another process deleted."""
        books = self._service.books
        if books.ledger is None or self._read_only:
            return
        try:
            with books.changing:
                for gallery in self._galleries.open():
                    reach(gallery, books.ledger)
            self._is_behind = False
        except GemelError as error:
            if not self._is_behind:  # said once, not every second
                self._log.error("erasure_failed", exc_info=error)
            self._is_behind = True

    def _refresh(self) -> None:
        """See what the writing process changed; what cannot be read is searched as it was."""
        try:
            self._galleries.refresh()
            if self._service.tenants is not None:
                self._service.tenants.refresh()
            self._is_stale = False
        except Exception as error:
            if not self._is_stale:  # said once, not five times a second
                self._log.error("gallery_unreadable", exc_info=error)
            self._is_stale = True
            self._service.warning = "the gallery cannot be read any more: changes are not seen"

    def _is_due(self) -> bool:
        """Something was kept in the store since the last look, or that is a second ago."""
        mark, now = self._store.mark(), time.monotonic()
        if mark == self._mark and now - self._looked < LOOK_SECONDS:
            return False
        self._mark, self._looked = mark, now
        return True
