"""A target that the data cannot prove: what was asked, what there is, what is missing.

The refusal is an error for people and a struct for programs; both say the same.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gemel.calibrate.goals.extrapolation import TailEstimate
from gemel.calibrate.rates.intervals import percent
from gemel.errors import TargetRefused


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
    goal = {
        "fmr": f"FMR <= {r.value:g}",
        "fnmr": f"FNMR <= {r.value:g}",
        "precision": f"precision >= {r.value:g} at prior {r.prior or 0:.3g}",
        "fpir": f"FPIR <= {r.value:g} in a gallery of {r.gallery_size or 0:,}",
    }[r.kind]
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
    text = f"the smallest FMR they can prove is {r.smallest_fmr:.2g}"
    if r.kind == "precision":
        return f"the best precision they can prove is about {r.reach:.3f}; {text}"
    if r.kind == "fpir":
        return f"the largest gallery they can prove it for has {r.reach:,.0f} records; {text}"
    if r.kind == "fnmr":
        return f"the smallest FNMR they can prove is {r.reach:.2g}; {text}"
    if r.estimate is None:
        return text
    e = r.estimate
    return f"{text}; estimated, not proven: threshold {e.threshold:.4g} [{e.low:.4g}, {e.high:.4g}]"


def _class(r: Refusal) -> str:
    return "impostor" if r.kind in ("fmr", "fpir") else "genuine"
