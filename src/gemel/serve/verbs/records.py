"""Records: put them into the gallery, look at them, count them, take them out."""

from __future__ import annotations

import dataclasses
from typing import Any

from msgspec import UNSET

from gemel.arrays import Float32
from gemel.errors import DuplicateRecord, GalleryError, QuotaReached, UnknownRecord
from gemel.figures import number_of
from gemel.gallery.gallery import Gallery
from gemel.gallery.record import Enrolled, Record
from gemel.ledger import changes
from gemel.serve.context import Context
from gemel.serve.galleries import erasing
from gemel.serve.live import Live
from gemel.serve.steps import Encode, Encoded, Move, Steps, unfit
from gemel.serve.wire.enrolled import (
    CountBody,
    CountReply,
    DeleteReply,
    EnrollReply,
    IdBody,
    IdsBody,
    NewRecord,
    RecordReply,
    RecordsBody,
)

SHOWN = 3
SAME_CONTENT = 0.9999
"""Cosine from which on two embeddings are of one content, whatever machine they were made on."""


def enroll(context: Context, body: RecordsBody) -> Steps[EnrollReply]:
    """Add records to the gallery, or change those whose id is known; all of them or none."""
    return (yield from _enroll(context, body, replace=True))


def enroll_beside(context: Context, body: RecordsBody) -> Steps[EnrollReply]:
    """Add records to the gallery, all of them or none; no id comes to stand for another content.

    Raises:
        DuplicateRecord: one would.
    """
    return (yield from _enroll(context, body, replace=False))


def _enroll(context: Context, body: RecordsBody, *, replace: bool) -> Steps[EnrollReply]:
    live, gallery = context.live, context.gallery
    items = [(f"records[{i}].payload", r.payload, None) for i, r in enumerate(body.records)]
    encoded: Encoded = yield Encode(live, items)
    yield Move("change", "enroll")
    ids = [record.id for record in body.records]
    attributes = [_attributes(context, record) for record in body.records]
    _check_quota(context, ids)
    if not replace:
        _check_same(gallery, ids, encoded.rows)
    context.check_change()
    with context.books.changing:
        done, noted = _put(context, live, ids, encoded.rows, attributes)
        payloads = [record.payload for record in body.records]
        for twin in context.twins():
            with context.spared(twin.release.space_id):
                read = [twin.items.read(item, "payload").payload for item in payloads]
                _put(context, twin, ids, twin.encode(read), attributes)
    counts = done.added, done.updated, done.unchanged, gallery.count()
    return EnrollReply(*counts, noted, unfit=unfit(encoded.items))


def delete(context: Context, body: IdsBody) -> Steps[DeleteReply]:
    """Take records out of every gallery; ids that are not there are no error."""
    gallery = context.gallery
    yield Move("change")
    context.check_change()
    with context.books.changing:
        deleted, noted, undone = _take(context, list(dict.fromkeys(body.ids)))
    return DeleteReply(deleted, gallery.count(), noted, undone or UNSET)


def _put(
    context: Context,
    live: Live,
    ids: list[str],
    rows: Float32,
    attributes: list[dict[str, Any] | None],
) -> tuple[Enrolled, str | None]:
    """Enroll into the gallery of a bundle, and note it."""
    at = dataclasses.replace(context, live=live)
    erasing.reach(at.gallery, context.books.ledger)
    done = at.gallery.enroll(ids, rows, attributes)
    if context.books.ledger is None:
        return done, None
    counts = done.added, done.updated, done.unchanged
    said = changes.enrolled(context.ledger.masks, at.gallery.space_id, counts, done.written)
    return done, at.note_change(changes.ENROLL, said)


def _take(context: Context, ids: list[str]) -> tuple[int, str | None, list[str]]:
    """Note a delete, then delete: from the gallery of the bundle, and from all others.

    What is noted is carried out by whoever opens a gallery next, if this process does not.

    Returns:
        How many records were there, the id of the entry, and which galleries were not reached.
    """
    gallery, ledger, noted = context.gallery, context.books.ledger, None
    gallery.delete([])  # refused where it is open read-only, before anything is noted
    erasing.reach(gallery, ledger)
    n_known = sum(_is_known(gallery, record) for record in ids)
    if ledger is not None:
        said = changes.deleted(ledger.masks, gallery.space_id, n_known, ids)
        noted = context.note_change(changes.DELETE, said)
    if ledger is not None and isinstance(gallery, erasing.Follows):
        erasing.follow(gallery, ledger, ids)
    else:
        gallery.delete(ids)
    others = context.others()
    for other in others:
        with context.spared(other.space_id):
            erasing.reach(other, ledger, ids)
    undone = [] if ledger is None else erasing.reach_others(ledger, [gallery, *others], ids)
    return n_known, noted, undone


def get(context: Context, body: IdBody) -> Steps[RecordReply]:
    """One record."""
    gallery = context.gallery
    yield Move("find")
    record = gallery.get(body.id)
    return RecordReply(record.id, record.attributes)


def count(context: Context, body: CountBody) -> Steps[CountReply]:
    """How many records the gallery holds."""
    gallery = context.gallery
    yield Move("find")
    return CountReply(gallery.count())


def _check_quota(context: Context, ids: list[str]) -> None:
    """Return if the caller may keep these as well.

    Raises:
        QuotaReached: the gallery would hold more than that.
    """
    most, gallery = context.caller.max_records, context.gallery
    if not most or gallery.count() + len(ids) <= most:
        return
    n_new = sum(not _is_known(gallery, record) for record in set(ids))
    if n_new and gallery.count() + n_new > most:
        what = (
            f"{number_of(gallery.count(), 'record is', 'records are')} kept, "
            f"{number_of(n_new, 'is', 'are')} new, {number_of(most, 'is', 'are')} allowed"
        )
        raise QuotaReached(what, where="records", hint="delete some, or ask for a larger quota")


def _check_same(gallery: Gallery, ids: list[str], rows: Float32) -> None:
    """Return if no id stands for a content other than that of its new row.

    Raises:
        DuplicateRecord: one does.
    """
    known = [_known(gallery, record) for record in ids]
    others = [
        old.id
        for old, row in zip(known, rows, strict=True)
        if old is not None and float(old.embedding @ row) < SAME_CONTENT
    ]
    if others:
        more = f" and {len(others) - SHOWN:,} more" if len(others) > SHOWN else ""
        raise DuplicateRecord(
            f"{number_of(len(others), 'id stands', 'ids stand')} for another content in the "
            f"gallery, which would be lost: {', '.join(others[:SHOWN])}{more}",
            where="gallery",
            hint="give these other ids, or say that they replace what is there",
        )


def _is_known(gallery: Gallery, record: str) -> bool:
    try:
        return _known(gallery, record) is not None
    except GalleryError:  # it is there, and cannot be read
        return True


def _known(gallery: Gallery, record: str) -> Record | None:
    try:
        return gallery.get(record)
    except UnknownRecord:
        return None


def _attributes(context: Context, record: NewRecord) -> dict[str, Any] | None:
    """As stated, with the values that rules look at; without a statement the item's own values."""
    live = context.live
    own = live.items.attributes(record.payload)
    if record.attributes is None:
        return own or None
    ruled = {rule.field: own[rule.field] for rule in live.policy.rules if rule.field in own}
    return {**ruled, **record.attributes}
