"""Identify: who in the gallery is an item, or is it nobody?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET

from gemel.decide.outcomes import Decision
from gemel.errors import InvalidInput
from gemel.gallery.candidates import Hit
from gemel.gallery.gallery import Gallery
from gemel.ledger.bodies import Identified
from gemel.release.for_set import kind
from gemel.release.items import Read
from gemel.serve.context import Context
from gemel.serve.steps import Encode, Encoded, Find, Steps, unfit
from gemel.serve.verbs.search import not_compared
from gemel.serve.wire.searches import Candidate, IdentifyBody, IdentifyReply

K = 10
"""Candidates that are scored exactly before the best one is decided about."""


@dataclass(frozen=True)
class Look:
    """A query and how its hits are decided about.

    Attributes:
        context: of the request.
        query: as it was read.
        label: attribute that says whose a record is.
        gallery_size: records that were searched.
    """

    context: Context
    query: Read
    label: str
    gallery_size: int

    def decide(self, hit: Hit | None) -> Decision:
        """What the score of a hit means, after the rules; of none, that nothing matches."""
        policy = self.context.live.policy
        if hit is None:
            return policy.identify(-math.inf, self.gallery_size)
        found = policy.identify(hit.score, self.gallery_size, self._category(hit))
        return policy.ruled(found, self.query.payload, hit.attributes)

    def rivals(self, hits: Sequence[Hit]) -> list[Hit]:
        """The best record of each other identity that is as good as the first hit."""
        policy = self.context.live.policy
        best, *level = [policy.level(hit.score, self._category(hit)) for hit in hits]
        found = [hits[0]]
        for hit, score in zip(hits[1:], level, strict=True):
            if not policy.as_good(best, score) or self.decide(hit).rule is not None:
                continue
            if not any(self._is_same(one, hit) for one in found):
                found.append(hit)
        return found[1:]

    def _category(self, hit: Hit) -> tuple[str | None, str | None]:
        return self.query.category, self.context.live.items.category(hit.attributes)

    def _is_same(self, one: Hit, other: Hit) -> bool:
        """Whether two records are of one identity: by label, else as the release decides."""
        names = one.attributes.get(self.label), other.attributes.get(self.label)
        if None not in names:
            return names[0] == names[1]
        live, gallery = self.context.live, self.context.gallery
        left, right = (gallery.get(hit.id).embedding[None] for hit in (one, other))
        category = live.items.category(one.attributes), live.items.category(other.attributes)
        decision = live.policy.decide(float(live.comparator.score(left, right)[0]), category)
        return live.policy.ruled(decision, one.attributes, other.attributes).outcome == "match"


def identify(context: Context, body: IdentifyBody) -> Steps[IdentifyReply]:
    """Who the best candidate says it is; nobody if it does not match or another is as good."""
    live, gallery = context.live, context.searched
    encoded: Encoded = yield Encode(live, [("query", body.query, body.category)])
    (hits,) = yield Find(live, gallery, encoded.rows, [(K, body.where)])
    look = Look(context, encoded.items[0], body.label or live.label, gallery.count())
    if body.label is not None:
        _check_label(gallery, body.label)
    best = hits[0] if hits else None
    decision = look.decide(best)
    context.books.count("identify", decision.outcome)
    reply = IdentifyReply(
        outcome="unknown" if decision.outcome == "no_match" else decision.outcome,
        record=None,
        attributes=None,
        score=None if best is None else best.score,
        threshold=decision.threshold,
        probability=None if best is None else decision.probability,
        gallery_size=look.gallery_size,
        largest_gallery=live.policy.largest_gallery,
        release=live.release.id,
        space=live.release.space_id,
        decision_id=None,
        unproven=live.release.is_unproven,
        warning=live.of_gallery,
        prior=live.policy.prior,
        category=decision.category,
        outside=live.items.outside(look.query.payload) or UNSET,
        unfit=unfit(encoded.items),
    )
    reply.probability_is = kind(live.release, reply.probability)
    if best is not None and reply.outcome != "unknown":
        _name(reply, look, hits)
    elif best is not None:
        reply.not_compared = not_compared(look.context, look.query, [best])
    noted = Identified(
        outcome=reply.outcome,
        record=None if reply.record is None else context.masked(reply.record),
        score=reply.score,
        threshold=reply.threshold,
        probability=reply.probability,
        gallery_size=reply.gallery_size,
    )
    reply.decision_id = context.note("identify", noted)
    return reply


def _check_label(gallery: Gallery, label: str) -> None:
    """Raise unless the gallery is empty or a record has the attribute."""
    try:
        gallery.count({label: None})
    except InvalidInput as e:
        raise InvalidInput(e.what, where="label", hint=e.hint) from e


def _name(reply: IdentifyReply, look: Look, hits: Sequence[Hit]) -> None:
    """Put into a reply which record it is, or which are as good."""
    best, *rivals = [hits[0], *(look.rivals(hits) if reply.outcome == "match" else [])]
    if rivals:
        reply.outcome = "ambiguous"
        reply.candidates = [
            Candidate(hit.id, hit.score, look.decide(hit).probability, hit.attributes)
            for hit in (best, *rivals)
        ]
    else:
        reply.record, reply.attributes = best.id, best.attributes
    reply.not_compared = not_compared(look.context, look.query, [best, *rivals])
