"""The galleries of a service, one a space: opened when first needed, and kept open.

A rollback needs the old one, and a gallery has one writer.
"""

from __future__ import annotations

from collections.abc import Callable

from gemel.errors import ReleaseError
from gemel.gallery.gallery import Gallery
from gemel.release.release import Release

OpenGallery = Callable[[Release], Gallery | None]


class Galleries:
    """Those that are open.

    Args:
        first: of the release that is live, opened and closed by others; None if it has none.
        space_id: of that release.
        open_: opens the gallery of a release of another space; None serves that without.
    """

    def __init__(self, first: Gallery | None, space_id: str, open_: OpenGallery | None) -> None:
        self._first, self._open = first, open_
        self._known: dict[str, Gallery | None] = {space_id: first}

    def of(self, release: Release, live: Gallery | None) -> Gallery | None:
        """The gallery of a release's space.

        Args:
            release: that is to be served.
            live: what is searched now.
        Raises:
            ReleaseError: it is empty and that of the live release is not.
            GalleryError: it cannot be opened.
        """
        if release.space_id not in self._known:
            opened = self._open(release) if self._open else None
            if opened is not None and not opened.count() and live is not None and live.count():
                opened.close()  # for somebody else to enroll into
                raise ReleaseError(
                    "its gallery is empty, that of the live release is not",
                    where=release.short_id,
                    hint="enroll the records with this release",
                )
            self._known[release.space_id] = opened
        return self._known[release.space_id]

    def open(self) -> list[Gallery]:
        """Those that are open."""
        return [gallery for gallery in tuple(self._known.values()) if gallery is not None]

    def refresh(self) -> None:
        """Read what another process changed in those that are open.

        Raises:
            GalleryError: one cannot be read.
        """
        for gallery in self.open():
            gallery.refresh()

    def close(self) -> None:
        """Close what was opened here: nothing may be served any more."""
        for gallery in self.open():
            if gallery is not self._first:
                gallery.close()
