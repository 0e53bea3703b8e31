"""A target that the data cannot prove: what was asked, what there is, what is missing.

The refusal is an error for people and a struct for programs; both say the same.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np

from gemel.arrays import Int64
from gemel.calibrate.goals.extrapolation import TailEstimate
from gemel.calibrate.goals.target import GOALS
from gemel.calibrate.scores.scores import Scores
from gemel.errors import TargetRefused
from gemel.figures import number_of, percent, plain, rounded_up

MOST_OF_DATA = 0.99
"""Share of the identities from which on nothing is said of the others."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a target is refused; the numbers assume that more data are like those at hand.

    Attributes:
        kind: of the target.
        value: the rate that was asked for.
        confidence: that was asked for.
        n_identities: that have comparisons of the kind.
        n_comparisons: impostor for `fmr`, else genuine.
        missing_identities: more of them needed, about; 0 if more data alone will not do. In the
            part of the data that proves, see `share`.
        missing_comparisons: more of them needed, about.
        reach: the best value that can be proven: the smallest rate, the highest precision, the
            largest gallery.
        smallest_fmr: the smallest false match rate that can be proven, whatever was asked for.
        prior: of a precision.
        gallery_size: of an FPIR.
        estimate: where the threshold may lie, extrapolated; no certificate.
        n_units: groups of identities that count as one each; None: identities are not joined.
        share: of all identities of the data that the comparisons are of; None in older evidence.
        finds_nothing: it can be proven, but only at a threshold that no genuine comparison reaches.
        useful: rates of two digits that can be proven, each with the share of genuine comparisons
            that is found there: the smallest where any is, and the smallest where half of them are.
        n_highest: of a precision: comparisons with the highest scores, where testing starts.
        n_false_highest: how few of these are of different identities by their labels; 0 if none or
            more than a few are.
    """

    kind: Literal["fmr", "fnmr", "precision", "fpir"]
    value: float
    confidence: float
    n_identities: int
    n_comparisons: int
    missing_identities: int
    missing_comparisons: int
    reach: float
    smallest_fmr: float
    prior: float | None = None
    gallery_size: int | None = None
    estimate: TailEstimate | None = None
    n_units: int | None = None
    share: float | None = None
    finds_nothing: bool = False
    useful: tuple[tuple[float, float], ...] = ()
    n_highest: int = 0
    n_false_highest: int = 0

    @property
    def missing_in_data(self) -> int:
        """Missing identities of all data, if the part that proves keeps its share."""
        return math.ceil(self.missing_identities / (self.share or 1.0))


def refused(refusal: Refusal) -> TargetRefused:
    """The error that says it."""
    hint = f"{_missing(refusal)}{_labels(refusal)}; {_reach(refusal)}"
    if refusal.finds_nothing:
        hint = f"{_useful(refusal)}; or train on more identities, which may part them better"
    return TargetRefused(_what(refusal), hint=hint, refusal=refusal)


def _labels(r: Refusal) -> str:
    """Where labels may be what is wrong: pairs called different that score as high as any."""
    n = r.n_false_highest
    if not n:
        return ""
    which = "is of a pair that is" if n == 1 else "are of pairs that are"
    return (
        f"; {n} of the {r.n_highest} highest scores {which} labelled as different: gemel doctor "
        "shows which labels may be wrong, and a few wrong ones there cost much of what is proven"
    )


def _useful(r: Refusal) -> str:
    """The nearest rate that is worth having, and what it finds."""
    if not r.useful:
        return "no rate that they can prove finds anything"
    (first, of_first), *more = r.useful
    text = (
        f"{GOALS[r.kind].formula(first, 2)} is the smallest they prove where anything is found: "
        f"{_found(of_first)} pairs of dev that belong together"
    )
    return text + "".join(f"; {rate:.2g} finds {_found(share)}" for rate, share in more)


def _found(share: float) -> str:
    n = 100 if share >= 0.01 else 1000
    return f"about {max(round(n * share), 1):,} of {n:,}"


def _what(r: Refusal) -> str:
    goal = GOALS[r.kind].formula(r.value, 6)
    if r.prior is not None:
        goal += f" at prior {plain(r.prior, 3)}"
    if r.gallery_size is not None:
        goal += f" in a gallery of {r.gallery_size:,}"
    whose, sure = _whose(r), f"with {percent(r.confidence)} confidence"
    if r.finds_nothing:
        return (
            f"{_compared(r.n_comparisons, r)} {whose} prove {goal} {sure} only where nothing is "
            "called a match"
        )
    return f"{_compared(r.n_comparisons, r)} {whose} cannot prove {goal} {sure}"


def _missing(r: Refusal) -> str:
    if not r.missing_identities:
        return (
            "more data alone will not do: improve the encoder, lower the target or the confidence"
        )
    if r.n_units == r.n_comparisons:
        n = r.missing_comparisons
        return f"about {_compared(n, r, 'more ')} {_are(n)} needed"
    n, in_data = r.missing_identities, r.missing_in_data
    of_several = "" if _class(r) == "impostor" else " with two records or more"
    compared = _compared(r.missing_comparisons, r, "more ")
    rare = "; more still if there are kinds of identities too rare to be among these"
    if r.share is None or r.share > MOST_OF_DATA:
        needed = f"about {number_of(n, 'more identity')}{of_several}{_grouped(r)} {_are(n)} needed"
        return f"{needed} ({compared}){rare}"
    return (
        f"about {number_of(in_data, 'more identity')}{of_several}{_grouped(r)} {_are(in_data)} "
        f"needed in your data, of which dev gets {percent(r.share, 2)}, {n:,} ({compared}); or a "
        f"larger share for dev (split.dev){rare}"
    )


def _grouped(r: Refusal) -> str:
    """In how many groups the missing identities are, if those at hand are in groups."""
    if r.n_units is None:
        return ""
    groups = math.ceil(r.missing_identities * r.n_units / max(r.n_identities, 1))
    return f" in {number_of(groups, 'more group')}"


def _whose(r: Refusal) -> str:
    if r.n_units == r.n_comparisons:
        return "without identities"
    joined = "" if r.n_units is None else f" in {number_of(r.n_units, 'group')}"
    return f"of {number_of(r.n_identities, 'identity')}{joined}"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _compared(n: int, r: Refusal, more: str = "") -> str:
    return number_of(n, f"{more}{_class(r)} comparison")


def n_joined(scores: Scores, by_unit: Int64) -> int | None:
    """Units with comparisons of a class; None if identities are not joined."""
    return None if scores.unit_of is None else int(np.count_nonzero(by_unit))


def _reach(r: Refusal) -> str:
    reach, smallest = (
        GOALS[r.kind].reach,
        f"the smallest FMR they can prove is {plain(rounded_up(r.smallest_fmr, 2), 2)}",
    )
    if reach and r.reach > 0:
        best = rounded_up(r.reach, 2) if GOALS[r.kind].falls and r.reach < 1 else r.reach
        return f"{reach.format(best)}; {smallest}"
    if r.estimate is None:
        return smallest
    e = r.estimate
    span = f"{e.threshold:.4g} [{e.low:.4g}, {e.high:.4g}]"
    return f"{smallest}; estimated, not proven: threshold {span}"


def _class(r: Refusal) -> str:
    return "impostor" if r.kind in ("fmr", "fpir") else "genuine"
