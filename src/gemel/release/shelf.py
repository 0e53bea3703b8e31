"""The shelf: releases under their ids in one folder, each there whole or not at all.

What is on the shelf is what the folder holds; there is no second list that could disagree. Which
release is live is not known here.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gemel.errors import DigestMismatch, NotFound
from gemel.files import Lock, sync
from gemel.release import folder as folders
from gemel.release.folder import Manifest
from gemel.release.release import Release

PREFIX_MIN = 4


class Shelf:
    """Releases in `<folder>/<id>/`; safe to use from several processes.

    Args:
        folder: comes into being with the first release.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, folder: str | Path) -> Release:
        """Take a copy of a release onto the shelf; a release that is there already is kept.

        The copy appears under its final name in one step, after it was verified and flushed to
        disk: a crash at any moment leaves either the whole release or none.

        Raises:
            NotFound: no release in the folder.
            DigestMismatch: it is damaged, or the copy on the shelf is.
        """
        source = Release.open(folder)
        target = self.folder / source.id
        with alone(self.folder):
            for leftover in self.folder.glob(f"{folders.DRAFT_PREFIX}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            if target.exists():
                return Release.open(target)
            with folders.draft(target) as draft:
                for name in [*source.manifest.files, folders.MANIFEST]:
                    (draft / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source.folder / name, draft / name)
                if Release.open(draft).id != source.id:
                    raise DigestMismatch("changed while it was copied", where=str(folder))
                folders.publish(draft, target)
        return Release.open(target, verify=False)

    def list(self) -> Sequence[Manifest]:
        """Manifests of all releases, oldest first.

        Raises:
            DigestMismatch: a manifest is damaged.
        """
        found = [folders.read_manifest(self.folder / i) for i in self.ids()]
        return sorted(found, key=lambda m: (m.created, m.id))

    def ids(self) -> Sequence[str]:
        """Ids of all releases, ascending."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if len(p.name) == 64 and p.is_dir())

    def find(self, reference: str, *, others: Sequence[str] = ()) -> str:
        """The full id that begins with these digits, 4 or more.

        Args:
            reference: an id or the beginning of one.
            others: further names that the caller knows, for the hint.
        Raises:
            NotFound: none or several; the hint names those that come near.
        """
        ids, text = self.ids(), reference.lower()
        hits = [i for i in ids if i.startswith(text)] if len(text) >= PREFIX_MIN else []
        if len(hits) == 1:
            return hits[0]
        what = f"{len(hits)} releases begin with" if hits else "no release"
        raise NotFound(
            f"{what} {reference!r}", where=str(self.folder), hint=_hint(text, hits, ids, others)
        )

    def open(self, release_id: str, *, verify: bool = True) -> Release:
        """The release of a full id.

        Raises:
            NotFound: it is not there.
            DigestMismatch: it is damaged, or is another release.
        """
        release = Release.open(self.folder / release_id, verify=verify)
        if release.id != release_id:
            raise DigestMismatch(
                f"holds release {release.short_id}", where=str(release.folder), hint="move it away"
            )
        return release

    def remove(self, release_id: str) -> None:
        """Take a release off the shelf, in one step; who asks knows that nothing needs it."""
        with alone(self.folder):
            gone = self.folder / f"{folders.DRAFT_PREFIX}{release_id}"
            (self.folder / release_id).rename(gone)
            sync(self.folder)
            shutil.rmtree(gone, ignore_errors=True)  # what is left of it, the next put takes away


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process writes beside this folder meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder.parent / "store.lock", wait=True):
        yield


EMPTY = "the store is empty; make a release with: gemel train, then: gemel calibrate"


def _hint(text: str, hits: Sequence[str], ids: Sequence[str], others: Sequence[str]) -> str:
    if hits:
        return "they are " + ", ".join(i[:12] for i in hits[:5])
    if not ids:
        return EMPTY
    if len(text) < PREFIX_MIN:
        return f"give {PREFIX_MIN} digits of the id or more, or one of {', '.join(others)}"
    names = [i[: max(len(text), 12)] for i in ids] + [*others]
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.4)
    return f"did you mean {' or '.join(near)}?" if near else "see: gemel release list"
