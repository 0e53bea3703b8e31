"""What the gallery says to a query: hits, or who it is; decided, and not yet recorded.

The threshold of a candidate goes by how many records there are. Counting, the ledger and the
encoder are not known here.
"""

from __future__ import annotations

import math

from gemel.errors import NoGallery
from gemel.gallery.gallery import Gallery
from gemel.serve.live import Live
from gemel.serve.replies import HitReply, IdentifyReply, RecordReply, SearchReply
from gemel.serve.requests import Find, Get, Identify

IDENTIFY_K = 10
"""Candidates that are scored exactly before the best one is decided about."""


def found(work: Find) -> SearchReply:
    """The hits of a search, each with the decision about it."""
    live, gallery = work.live, gallery_of(work.live)
    hits = gallery.search(work.row[None], work.k, work.where, first=live.first)[0]
    size, release = gallery.count(), live.release.id
    replies = []
    for rank, hit in enumerate(hits, 1):
        category = work.category, live.category(hit.attributes)
        decision = live.policy.identify(hit.score, size, category)
        decision = live.policy.ruled(decision, work.query, hit.attributes)
        replies.append(
            HitReply(
                hit.id,
                hit.score,
                decision.probability,
                decision.outcome,
                decision.threshold,
                release,
                rank,
                hit.attributes,
                decision.category,
                decision.interval,
                decision.rule,
            )
        )
    return SearchReply(replies, release, live.release.space_id, None)


def identified(work: Identify) -> IdentifyReply:
    """Who the best candidate says it is; nobody if it does not match."""
    live, gallery = work.live, gallery_of(work.live)
    hits = gallery.search(work.row[None], IDENTIFY_K, work.where, first=live.first)[0]
    size, best = gallery.count(), hits[0] if hits else None
    category = work.category, None if best is None else live.category(best.attributes)
    decision = live.policy.identify(-math.inf if best is None else best.score, size, category)
    if best is not None:
        decision = live.policy.ruled(decision, work.query, best.attributes)
    known = best if decision.outcome != "no_match" else None
    return IdentifyReply(
        "unknown" if decision.outcome == "no_match" else decision.outcome,
        None if known is None else known.id,
        None if known is None else known.attributes,
        None if best is None else best.score,
        decision.threshold,
        None if best is None else decision.probability,
        size,
        live.policy.largest_gallery,
        live.release.id,
        live.release.space_id,
        None,
    )


def got(work: Get) -> RecordReply:
    """One record.

    Raises:
        UnknownRecord: it is not there.
    """
    record = gallery_of(work.live).get(work.record)
    return RecordReply(record.id, record.attributes)


def gallery_of(live: Live) -> Gallery:
    """The gallery of a bundle.

    Raises:
        NoGallery: there is none.
    """
    if live.gallery is None:
        raise NoGallery("this service has no gallery", hint="start it with one to search")
    return live.gallery
