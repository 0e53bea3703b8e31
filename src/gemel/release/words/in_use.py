"""What a release does in the use that was named: the errors that matter there, and no others.

All numbers were counted on eval; where they are told for more records than that has, they say so.
"""

from __future__ import annotations

import math

from gemel.calibrate.goals.target import APART, TOGETHER
from gemel.calibrate.goals.use import Use
from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.searches import SearchPoint
from gemel.figures import number_of
from gemel.release.evidence.schema import Evidence
from gemel.release.words.expected import about, between, enough, is_wide, right_matches, where

TIMES = 10
"""Times the gallery that was measured, up to which one figure is told of a larger one."""
OPEN = 0.9
"""A share that may be so large, from what was counted, is not known."""


def in_use(evidence: Evidence, use: Use) -> str:
    """What to expect of decisions in their use, as one sentence without its end.

    Example: of 100 matches about 89 are right among 10,000 records; of 1,000 pairs that belong
        together, about 5 are missed
    """
    if use.kind == "search" and evidence.galleries:
        largest = evidence.validity.largest_gallery  # above it nothing matches by itself
        told = None if largest is not None and (use.records or 0) > largest else use.records
        return _searches(evidence.galleries[-1], told)
    at = evidence.eval
    missed = counted(at.fnmr, at.n_genuine, TOGETHER, "missed")
    if use.kind == "verify":
        called = counted(at.fmr, at.n_impostor, APART, "called a match")
        return f"{called}; {missed}; {right_matches(evidence)}"
    return f"{right_matches(evidence)}; {missed}"


def counted(rate: Estimate, of: int, things: str, what: str) -> str:
    """A rate as so many of some things, or what was counted leaves open.

    Args:
        rate: how often it was so.
        of: how many were counted.
        things: what they are.
        what: was so, of some of them.
    Example:
        >>> rate = Estimate(value=0.17, low=0.06, high=0.35, n_effective=30, method="")
        >>> counted(rate, 47, "pairs", "missed")
        'of 100 pairs, between 6 and 35 are missed'
        >>> none = Estimate(value=0.0, low=0.0, high=0.025, n_effective=119, method="")
        >>> counted(none, 119, "pairs", "missed")
        'none of 119 pairs is missed, so at most 3 of 100'
    """
    if of and not rate.value:
        if rate.high == 1:
            return f"none of {of:,} {things} is {what}"
        n = 100
        while n * rate.high < 1 and n < of:
            n *= 10
        most = math.ceil(round(n * rate.high, 6))
        return f"none of {of:,} {things} is {what}, so at most {most:,} of {n:,}"
    n = enough([rate.value])
    if is_wide(rate):
        return f"of {n:,} {things}, {between(rate, n)} are {what}"
    count = about(rate.value, n)
    return f"of {n:,} {things}, {count} {'is' if count == 'about 1' else 'are'} {what}"


def _searches(seen: SearchPoint, records: int | None) -> str:
    """Both ways in which a search may fail, in the largest gallery measured and in one named."""
    found, counted = 1 - seen.fnir.value, seen.fpir.value
    size = number_of(seen.gallery_size, "record")
    is_larger = records is not None and records > seen.gallery_size
    k, n = enough([found]), enough([counted])
    if records is not None and is_larger and is_far(seen, records):
        return (
            f"measured in galleries of {size}: of {k:,} searches for something that is there, "
            f"{about(found, k)} find it; of {n:,} for something that is not, {about(counted, n)} "
            f"find a match; in one of {records:,} fewer find it, and {in_far_larger(seen, records)}"
        )
    told = in_larger(counted, seen, records) if records is not None and is_larger else None
    n = enough([counted, *([told] if told is not None else [])])
    text = (
        f"of {k:,} searches for something that is among {size}, {about(found, k)} find it; of "
        f"{n:,} for something that is not, {about(counted, n)} find a match"
    )
    if told is None:
        return text
    return f"{text}; in a gallery of {records:,} records {about(told, n)} would"


def in_larger(share: float, seen: SearchPoint, records: int) -> float:
    """The share of strangers that match in another gallery, where all strangers are alike.

    At most so many do in a larger one: where some strangers match more easily than others, most of
    those that do so at all did already.
    """
    return -math.expm1(records / seen.gallery_size * math.log1p(-min(share, 1 - 1e-12)))


def is_far(seen: SearchPoint, records: int) -> bool:
    """Whether a gallery is so much larger than what was measured that only bounds are told."""
    return records > TIMES * seen.gallery_size


def in_far_larger(seen: SearchPoint, records: int) -> str:
    """How many strangers match there, as a clause: between what was counted and `in_larger`."""
    most = in_larger(seen.fpir.high, seen, records)
    if most > OPEN:
        return "more find a match, how many is not known"
    n = enough([seen.fpir.value])
    low, high = math.floor(n * seen.fpir.value), math.ceil(n * most)
    return f"between {low:,} and {high:,} of {n:,} find a match"


def asked(use: Use, prior: float) -> str:
    """A use in a few words, with what it was calibrated for."""
    return {
        "verify": f"telling whether two things are the same, where {where(prior)}",
        "search": "finding something in a gallery",
        "duplicates": "finding what is the same in a set",
    }[use.kind] + (f" of {use.records:,} records" if use.records is not None else "")
