"""What the page needs to show the errors of any threshold: measured points, nothing between them.

The arithmetic is done on the page, by `templates/report.js`; here is what it is done with.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

import msgspec

from gemel.release.evidence.schema import Evidence


def data(evidence: Evidence) -> str:
    """Points of the curve of eval with the thresholds of the release's table, as JSON for a script.

    `points` are threshold, FMR and FNMR by rising threshold; `marks` are positions among them,
    with the goal that each was chosen for; `band` is the review band of the release, in positions.
    """
    curve, at = evidence.eval_curve, evidence.eval
    rates = zip(curve.fmr, curve.fnmr, strict=True)
    measured = dict(zip(curve.threshold, rates, strict=True))
    chosen = [(p.goal, p.eval) for p in evidence.points if p.eval is not None]
    for point in (at, *(p for _, p in chosen)):
        measured[point.threshold] = point.fmr.value, point.fnmr.value
    thresholds = sorted(measured)
    own = thresholds.index(at.threshold)
    n_eval = evidence.data.sides["eval"].n_records
    found: dict[str, Any] = {
        "points": [(t, *measured[t]) for t in thresholds],
        "marks": [(goal, thresholds.index(p.threshold)) for goal, p in chosen],
        "own": own,
        "band": (
            own - bisect_left(thresholds, at.review_low),
            bisect_right(thresholds, at.review_high) - own - 1,
        ),
        "genuine": at.n_genuine,
        "impostor": at.n_impostor,
        "prior": at.prior,
        "stated": at.prior_source == "stated",
        "records": n_eval,
        "edges": curve.bin_edge,
        "densities": (curve.impostor_density, curve.genuine_density),
    }
    return msgspec.json.encode(found).decode().replace("<", "\\u003c")
