"""What people's answers about pairs say of a threshold, and that as an operating point.

Rates among all pairs follow from what was found among those that were proposed: pairs that score
too low to be asked about are taken to be of strangers.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gemel.arrays import canonical_json, digest
from gemel.calibrate.answers.strata import METHOD
from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.operating_point import OperatingPoint, accuracy_at, f1_at
from gemel.decide.bands import Band
from gemel.settings import EVERY, EXACT, Links

LEAST_ANSWERS = 20
"""Fewer teach nothing yet."""

LEAST_RECALL = 0.05
"""A lower limit of the share that is found which is below it tells people nothing."""

NO_MATCH = 1e-6
"""So small a part of one match is none: it comes of rounding."""


class Taught(msgspec.Struct, frozen=True, kw_only=True):
    """Which answers about pairs a comparator has learned from.

    Attributes:
        n_answers: in all.
        n_same: of them of pairs that belong together.
        digest: of pairs and answers, 64 hex digits.
    """

    n_answers: int
    n_same: int
    digest: str

    @classmethod
    def of(cls, said: Mapping[tuple[str, str], bool]) -> Taught | None:
        """What answers by pair of ids teach; None if they are too few, or all the same."""
        n_same = sum(said.values())
        if len(said) < LEAST_ANSWERS or n_same in (0, len(said)):
            return None
        lines = sorted([*pair, same] for pair, same in said.items())
        return cls(n_answers=len(said), n_same=n_same, digest=digest(canonical_json(lines)))


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What answers say about a threshold; plain JSON values.

    Attributes:
        n_answers: that count for it.
        n_unsure: asked about without an answer.
        threshold: the one that decides now, or a proven one.
        precision: share of genuine pairs among those that match.
        recall: matches among the genuine pairs that were proposed.
        n_match: pairs that match there.
        n_genuine: genuine pairs among those proposed, as far as answers say.
        n_pairs: all pairs of the records.
        goal: the precision that is wanted.
        confidence: of intervals and proof.
        proven: the threshold surely has it.
        missing: about how many more answers prove it; None if answers say otherwise or nothing yet.
        n_double: pairs that several people answered.
        n_agreed: those of them where all agree.
        n_teaching: answers beside these, about pairs that were chosen since they teach.
        links: how many partners a record may have; where it is one at most, all this is of the
            pairs that match and are left as links.
        n_besides: pairs drawn at random that were asked about and may not be links.
        engine: what proposed the pairs; all this is of those alone.
    """

    n_answers: int
    n_unsure: int
    threshold: float
    precision: Estimate
    recall: Estimate
    n_match: int
    n_genuine: float
    n_pairs: int
    goal: float
    confidence: float
    proven: bool
    missing: int | None
    n_double: int
    n_agreed: int
    n_teaching: int = 0
    links: Links = EVERY
    n_besides: int = 0
    engine: str = EXACT

    @property
    def tells_missed(self) -> bool:
        """Whether the answers say anything of how many pairs are found, and how many missed."""
        return self.recall.low >= LEAST_RECALL

    @property
    def noun(self) -> str:
        """What pairs that match are called: by their kind where linking leaves some of them."""
        return "match" if self.links == EVERY else f"{self.links} link"


def point_of(known: Known, band: Band) -> OperatingPoint:
    """The rates at the threshold of a band, as answers say.

    Args:
        known: with answers of every kind of pair.
        band: whose threshold they are about.
    """
    precision, recall, n_match = known.precision, known.recall, known.n_match
    n_genuine = max(known.n_genuine, 1.0)
    n_impostor = known.n_pairs - n_genuine
    prior = n_genuine / known.n_pairs

    def strangers(of_matches: float) -> float:
        wrong = n_match * (1 - of_matches)
        return min(wrong / n_impostor, 1.0) if wrong > NO_MATCH else 0.0

    fmr = _said(
        precision, *(strangers(p) for p in (precision.value, precision.high, precision.low))
    )
    fnmr = _said(recall, 1 - recall.value, 1 - recall.high, 1 - recall.low)
    f1, accuracy = (
        _said(
            recall,
            rate(fmr.value, fnmr.value, prior),
            *sorted(
                float(rate(a, b, prior)) for a, b in ((fmr.low, fnmr.low), (fmr.high, fnmr.high))
            ),
        )
        for rate in (f1_at, accuracy_at)
    )
    return OperatingPoint(
        threshold=band.threshold,
        review_low=band.review_low,
        review_high=band.review_high,
        target="precision",
        certified=known.proven,
        method=METHOD,
        confidence=known.confidence,
        prior=prior,
        prior_source="answers",
        n_identities=0,
        n_genuine=round(n_genuine),
        n_impostor=round(n_impostor),
        n_false_match=round(n_match * (1 - precision.value)),
        n_false_non_match=round(n_genuine * (1 - recall.value)),
        n_review=0,
        fmr=fmr,
        fnmr=fnmr,
        precision=precision,
        recall=recall,
        f1=f1,
        accuracy=accuracy,
    )


def _said(of: Estimate, value: float, low: float, high: float) -> Estimate:
    return Estimate(
        value=float(value), low=low, high=high, n_effective=of.n_effective, method=of.method
    )
