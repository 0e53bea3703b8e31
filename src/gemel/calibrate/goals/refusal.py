"""A target that the data cannot prove: what was asked, what there is, what is missing.

The refusal is an error for people and a struct for programs; both say the same.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gemel.calibrate.goals.extrapolation import TailEstimate
from gemel.calibrate.goals.target import GOALS
from gemel.errors import TargetRefused
from gemel.figures import percent


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a target is refused; the numbers assume that more data are like those at hand.

    Attributes:
        kind: of the target.
        value: the rate that was asked for.
        confidence: that was asked for.
        n_identities: that have comparisons of the kind.
        n_comparisons: impostor for `fmr`, else genuine.
        missing_identities: more of them needed, about; 0 if more data alone will not do.
        missing_comparisons: more of them needed, about.
        reach: the best value that can be proven: the smallest rate, the highest precision, the
            largest gallery.
        smallest_fmr: the smallest false match rate that can be proven, whatever was asked for.
        prior: of a precision.
        gallery_size: of an FPIR.
        estimate: where the threshold may lie, extrapolated; no certificate.
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


def refused(refusal: Refusal) -> TargetRefused:
    """The error that says it."""
    hint = f"{_missing(refusal)}; {_reach(refusal)}"
    return TargetRefused(_what(refusal), hint=hint, refusal=refusal)


def _what(r: Refusal) -> str:
    goal = GOALS[r.kind].formula(r.value, 6)
    if r.prior is not None:
        goal += f" at prior {r.prior:.3g}"
    if r.gallery_size is not None:
        goal += f" in a gallery of {r.gallery_size:,}"
    return (
        f"{r.n_comparisons:,} {_class(r)} comparisons of {r.n_identities:,} identities cannot "
        f"prove {goal} with {percent(r.confidence)} confidence"
    )


def _missing(r: Refusal) -> str:
    if not r.missing_identities:
        return (
            "more data alone will not do: improve the encoder, lower the target or the confidence"
        )
    of_several = "" if _class(r) == "impostor" else " with two records or more"
    return (
        f"about {r.missing_identities:,} more identities{of_several} are needed "
        f"({r.missing_comparisons:,} more {_class(r)} comparisons)"
    )


def _reach(r: Refusal) -> str:
    reach, smallest = (
        GOALS[r.kind].reach,
        f"the smallest FMR they can prove is {r.smallest_fmr:.2g}",
    )
    if reach:
        return f"{reach.format(r.reach)}; {smallest}"
    if r.estimate is None:
        return smallest
    e = r.estimate
    span = f"{e.threshold:.4g} [{e.low:.4g}, {e.high:.4g}]"
    return f"{smallest}; estimated, not proven: threshold {span}"


def _class(r: Refusal) -> str:
    return "impostor" if r.kind in ("fmr", "fpir") else "genuine"
