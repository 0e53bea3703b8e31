"""The kept project, ready for rollouts: candidates with noise in their weights, all enrolled."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.serve.rollout.altered import altered

from gemel.gallery.gallery import Gallery
from gemel.gallery.local.opening import RecordIds
from gemel.release.release import Release
from gemel.release.store import Store
from gemel.serve.rollout.desk import Desk

KEPT = Path(__file__).parents[2] / "flows" / "kept"
FIELDS = ("title", "first", "last", "town", "born", "height")


def people() -> list[dict[str, Any]]:
    with (KEPT / "people.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = [{name: row[name] or None for name in FIELDS} for row in rows]
    for row in found:
        row["height"] = None if row["height"] is None else float(row["height"])
    return found


PEOPLE = people()


@dataclass
class Project:
    folder: Path
    store: Store
    stable: Release
    desk: Desk

    def put(self, noise: float, *, enrolled: bool = True) -> Release:
        """A candidate of another space, with everybody in its gallery."""
        made = altered(self.stable, self.folder / f"noise{noise}", noise)
        release = self.store.put(made.folder)
        if enrolled:
            self.enroll(release)
        return release

    def enroll(self, release: Release) -> None:
        """Put everybody into the gallery of a release."""
        with Gallery.open(
            self.at(release), space_id=release.space_id, dim=release.encoder.dim
        ) as gallery:
            ids = [f"p{i}" for i in range(len(PEOPLE))]
            gallery.enroll(ids, release.encoder.encode(PEOPLE), PEOPLE)

    def at(self, release: Release) -> Path:
        return self.folder / "state" / "gallery" / release.space_id[:12]


def opened_project(tmp_path: Path) -> Project:
    """A copy of the kept project, with everybody in the gallery of its release."""
    folder = tmp_path / "project"
    shutil.copytree(KEPT, folder)
    store = Store(folder / "state")
    for pointer in ("canary", "shadow"):
        store.point(pointer, None, actor="test", reason="test")
    desk = Desk(store, lambda release: {"": RecordIds(found.at(release))})
    found = Project(folder, store, store.get("stable"), desk)
    shutil.rmtree(found.at(found.stable))
    found.enroll(found.stable)
    return found
