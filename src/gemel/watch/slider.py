"""What the page needs to show the errors of any threshold: measured points, nothing between them.

The arithmetic is done on the page, by `templates/report.js`; here is what it is done with.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import msgspec

from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.release.evidence.schema import Evidence
from gemel.release.words.expected import where
from gemel.release.words.unproven import by_closeness

MEASURED = {
    "false": "pairs that do not belong together",
    "missed": "pairs that do",
    "right": "are right",
}
BY_CLOSENESS = {
    "false": "pairs of strangers",
    "missed": "pairs that differ as variants of one record do",
    "right": "are closer than strangers come by chance",
}
"""What is said of either kind of pairs, and of matches, on the page."""


def data(evidence: Evidence) -> str:
    """Points of the curve of eval with the thresholds of the release's table, as JSON for a script.

    `points` are threshold, FMR and FNMR by rising threshold; `marks` are positions among them,
    with the goal that each was chosen for; `band` is the review band of the release, in positions.
    `limits` are upper limits of both rates at each point, as far as one is known. Where use names
    records, all is told of a set of so many; where it names a share, of that.
    Without labels all of it is what is expected, also where answers prove the threshold: they say
    nothing of others.
    """
    curve, at = evidence.eval_curve, evidence.eval
    rates = zip(curve.fmr, curve.fnmr, strict=True)
    known = dict(zip(curve.threshold, rates, strict=True))
    chosen = [(p.goal, p.eval) for p in evidence.points if p.eval is not None]
    prior, counted, n = at.prior, (at.n_genuine, at.n_impostor), evidence.data.n_records
    use, stated = evidence.goals.use, at.prior_source == "stated"
    named = use.records if use is not None and stated else None
    if evidence.unproven:
        counted = curve.n_genuine, curve.n_impostor
        prior = curve.n_genuine / max(sum(counted), 1)
        for point in (at, *(p for _, p in chosen)):
            # The lowest point that only takes what matches there has the same rates.
            nearest = min((t for t in known if t >= point.threshold), default=max(known))
            known[point.threshold] = known[nearest]
    else:
        n = named or evidence.data.sides["eval"].n_records
        for point in (at, *(p for _, p in chosen)):
            known[point.threshold] = point.fmr.value, point.fnmr.value
    thresholds = sorted(known)
    own = thresholds.index(at.threshold)
    found: dict[str, Any] = {
        "points": [(t, *known[t]) for t in thresholds],
        "limits": [] if evidence.unproven else _limits(thresholds, [at, *(p for _, p in chosen)]),
        "marks": [(goal, thresholds.index(p.threshold)) for goal, p in chosen],
        "own": own,
        "band": (
            own - bisect_left(thresholds, at.review_low),
            bisect_right(thresholds, at.review_high) - own - 1,
        ),
        "genuine": counted[0],
        "impostor": counted[1],
        "prior": prior,
        "named": where(prior) if stated and named is None else "",
        "counted": named is None,
        "records": n,
        "edges": curve.bin_edge,
        "densities": (curve.impostor_density, curve.genuine_density),
        "words": BY_CLOSENESS if evidence.unproven and by_closeness(evidence) else MEASURED,
        "about": "about " if evidence.unproven else "",
    }
    return msgspec.json.encode(found).decode().replace("<", "\\u003c")


def _limits(
    thresholds: Sequence[float], measured: Sequence[OperatingPoint]
) -> list[tuple[float, float]]:
    """Upper limits of FMR and FNMR at each threshold, 1 where none is known.

    FMR falls and FNMR rises with the threshold, so that the limit at an operating point with more
    errors of a kind holds for whatever has fewer.
    """
    return [
        (
            min((p.fmr.high for p in measured if p.threshold <= t), default=1.0),
            min((p.fnmr.high for p in measured if p.threshold >= t), default=1.0),
        )
        for t in thresholds
    ]
