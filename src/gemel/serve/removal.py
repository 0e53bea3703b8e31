"""Releases that go: what still needs one, and taking the others off the shelf."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gemel.arguments import require_several
from gemel.errors import ReleaseError
from gemel.figures import number_of
from gemel.ledger.bodies import Body
from gemel.release.gates import Enrolled
from gemel.release.release import Release
from gemel.release.store import Store, require_store
from gemel.serve.rollout.plan import State, of_row

REMOVED = "release.remove"


def remove_releases(
    store: Store,
    references: Sequence[str],
    *,
    actor: str,
    enrolled: Enrolled | None = None,
    dry_run: bool = False,
) -> Sequence[str]:
    """Ids of the releases that were taken off the shelf: all that are named or, on an error, none.

    A release is needed while a pointer points at it, a rollback of `stable` would go to it, a
    rollout under way compares it, or it is the last of a space in which records are enrolled. A
    second rollback in a row would go further back, to what may be gone by then. Decisions stay in
    the ledger; answers about those of a release that is gone count for its children only.

    Args:
        store: with the releases.
        references: what `Store.resolve` takes.
        actor: who takes them off, for the ledger.
        enrolled: names the records that a release searches; None asks nothing about them.
        dry_run: only say which would go.
    Raises:
        NotFound: there is none of a name.
        ReleaseError: one is needed; says by what.
        LedgerError: it cannot be noted, and stays.
    """
    require_store(store)
    require_several(references=references)
    asked = dict.fromkeys(map(store.resolve, references))
    going = [store.get(i, verify=False) for i in asked]

    def decide(row: str | None) -> None:
        """While nobody can move a pointer or begin a rollout."""
        needed = list(_needs(store, going, of_row(row), enrolled))
        if needed:
            raise ReleaseError(
                "; ".join(needed),
                hint="point elsewhere, end the rollout (gemel rollout abort), or delete the folder "
                "of a gallery that nobody goes back to; see: gemel release list",
            )
        for release in () if dry_run else going:
            store.note(REMOVED, Body(release=release.id, actor=actor))
            store.shelf.remove(release.id)

    store.change_rollout(decide)
    return list(asked)


def _needs(
    store: Store, going: Sequence[Release], rollout: State | None, enrolled: Enrolled | None
) -> Iterator[str]:
    """What needs one of the releases, each a sentence."""
    pointers, before = store.pointers(), store.previous()
    ids = {release.id for release in going}
    spaces = {m.space_id for m in store.list() if m.id not in ids}
    for release in going:
        who, plan = f"release {release.short_id}", rollout.plan if rollout else None
        for name in (name for name, at in pointers.items() if at == release.id):
            yield f"{name} points at {who}"
        if before == release.id:
            yield f"a rollback would go to {who}"
        if plan and rollout and rollout.is_active and release.id in (plan.release, plan.stable):
            yield f"rollout {plan.id} compares {who}"
        n_records = 0
        if enrolled is not None and release.space_id not in spaces:
            n_records = sum(map(len, enrolled(release).values()))
        if n_records:
            yield f"{number_of(n_records, 'record is', 'records are')} enrolled with {who} only"
