"""Erasing reaches every gallery of a project: whoever is deleted from one is gone from all.

The ledger is what says so: each delete stands in it, with masked ids, before anything is taken
out. A gallery keeps up to which delete it has followed, and follows the rest when somebody deletes,
enrolls, opens it or makes it live. So what a killed process left undone is done then, and a record
that was enrolled again after its delete stays. The galleries of a ledger lie in `gallery/` beside
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from gemel.errors import GalleryError, LedgerError
from gemel.gallery.gallery import Gallery
from gemel.gallery.local.shut import Shut, folders
from gemel.ledger import changes, heads
from gemel.ledger.ledger import Ledger

GALLERIES = "gallery"


@runtime_checkable
class Follows(Protocol):
    """A gallery that can tell its ids, and keeps up to which delete it has followed."""

    space_id: str
    path: Path

    def ids(self) -> Iterable[str]:
        """Every record, by its id."""

    def delete(self, ids: Iterable[str]) -> int:
        """Take records out; how many were there."""

    def erased(self) -> str:
        """Up to which delete of the ledger this was done here; empty for none."""

    def note_erased(self, head: str) -> None:
        """Note that everything up to a delete of the ledger was done here."""


def follow(gallery: Follows, ledger: Ledger, ids: Sequence[str] = ()) -> int:
    """Take out of a gallery what was deleted from any of the ledger's, and not enrolled here since.

    Args:
        gallery: of the ledger, which nobody enrolls into meanwhile.
        ledger: with the deletes.
        ids: that were just deleted; where these are all, no other id has to be masked.
    Returns:
        How many records were there.
    """
    gone, last = changes.erased(ledger, gallery.space_id, gallery.erased())
    if last is None:
        return 0
    known = {ledger.masks.of(record): record for record in ids}
    if gone <= known.keys():
        named = [known[mask] for mask in gone]
    else:
        named = ledger.masks.among(gallery.ids(), gone)
    n_gone = gallery.delete(named) if named else 0
    gallery.note_erased(heads.word(last))
    return n_gone


def reach(gallery: Gallery | Follows, ledger: Ledger | None, ids: Sequence[str] = ()) -> None:
    """Let a gallery follow the deletes of its ledger, and note how many records that were.

    Args:
        gallery: as for `follow`; one that cannot follow is told what was just deleted.
        ledger: with the deletes; None for none.
        ids: that were just deleted.
    """
    if ledger is None or not isinstance(gallery, Follows):
        gallery.delete(ids)
    elif n_gone := follow(gallery, ledger, ids):
        said = changes.deleted(ledger.masks, gallery.space_id, n_gone, [])  # noted already whose
        ledger.append_all_durable(changes.DELETE, said)


def catch_up(gallery: Gallery | None, ledger: Ledger | None) -> None:
    """Let a gallery that stays open see what other processes changed and deleted.

    Args:
        gallery: that is open; None for none.
        ledger: with the deletes; None for none.
    """
    if gallery is not None:
        gallery.refresh()
        if ledger is not None:
            with suppress(GalleryError, LedgerError):  # where it is read-only, others do it
                reach(gallery, ledger)


def reach_others(ledger: Ledger, open_: Iterable[Gallery], ids: Sequence[str] = ()) -> list[str]:
    """Let every gallery of a ledger follow that this process has not open.

    Args:
        ledger: with the deletes.
        open_: galleries that this process has open.
        ids: that were just deleted.
    Returns:
        The name of each that could not, and why; whoever opens it next lets it follow.
    """
    known = {gallery.path.resolve() for gallery in open_ if isinstance(gallery, Follows)}
    undone = []
    for folder in folders(ledger.path.parent / GALLERIES):
        if folder.resolve() not in known:
            try:
                with Shut(folder) as shut:
                    reach(shut, ledger, ids)
            except GalleryError as error:
                undone.append(f"{folder.name}: {error.what}")
    return undone


def reach_before_opening(folder: Path, ledger_file: Path) -> None:
    """Let a gallery that is about to be opened follow the deletes of its ledger.

    Where somebody else has it open to write, it is theirs to do; without a ledger, or one that
    takes no entries, nothing is done.

    Raises:
        GalleryError: it cannot be read.
    """
    if folder not in folders(folder.parent) or not ledger_file.is_file():
        return
    with suppress(LedgerError):
        with Ledger.open(ledger_file, write=False) as ledger, Shut(folder, write=False) as shut:
            _, last = changes.erased(ledger, shut.space_id, shut.erased())
        if last is None:
            return
        try:
            shut = Shut(folder)
        except GalleryError:
            return
        with shut, Ledger.open(ledger_file) as ledger:
            reach(shut, ledger)
