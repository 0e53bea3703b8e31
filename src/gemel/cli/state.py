"""Where a project keeps what its commands leave behind.

    .gemel/  runs/<id>/  releases/  store.db  gallery/<space>/  ledger.db
             tenants/<name>/  gallery/<space>/  ledger.db

Knows places and what is in galleries, no settings; `project` opens what is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemel.gallery.local.opening import RecordIds
    from gemel.release.release import Release

TENANTS = "tenants"


@dataclass(frozen=True)
class State:
    """The state folder of a project.

    Attributes:
        folder: of everything.
        tenant: whose gallery and ledger are meant; empty: those of the project itself.
    """

    folder: Path
    tenant: str = ""

    @property
    def runs(self) -> Path:
        """Folder of what was trained."""
        return self.folder / "runs"

    def smaller_run(self, space_id: str) -> Path:
        """Folder of the run of a smaller encoder."""
        return self.runs / space_id[:12]

    @property
    def keys_file(self) -> Path:
        """Where the keys of who may ask the service are."""
        return self.folder / "keys.json"

    @property
    def usage_file(self) -> Path:
        """Where it is counted how often somebody asked today."""
        return self.folder / "usage.json"

    @property
    def tenants(self) -> list[str]:
        """Those who have a place here, in order."""
        return sorted(folder.name for folder in (self.folder / TENANTS).glob("*"))

    @property
    def _home(self) -> Path:
        return self.folder / TENANTS / self.tenant if self.tenant else self.folder

    @property
    def ledger_file(self) -> Path:
        """Where the ledger is."""
        return self._home / "ledger.db"

    def gallery_folder(self, space_id: str) -> Path:
        """Where the gallery of a space is."""
        return self._home / "gallery" / space_id[:12]

    def enrolled(self, release: Release) -> dict[str, RecordIds]:
        """The records in the galleries of a release, by tenant; "" is the project itself.

        What was erased from any other is gone from them.
        """
        from gemel.gallery.local.opening import RecordIds
        from gemel.serve.galleries.erasing import reach_before_opening

        found = {}
        for tenant in ("", *self.tenants):
            home = replace(self, tenant=tenant or self.tenant)
            folder = home.gallery_folder(release.space_id)
            reach_before_opening(folder, home.ledger_file)
            found[tenant] = RecordIds(folder)
        return found

    def elsewhere(self, release: Release) -> int:
        """How many records the largest gallery of another space has."""
        from gemel.gallery.local.opening import RecordIds

        own = self.gallery_folder(release.space_id)
        others = (RecordIds(other) for other in own.parent.glob("*") if other != own)
        return max(map(len, others), default=0)
