"""What came of making a release smaller, in sentences for people."""

from __future__ import annotations

from gemel.figures import percent
from gemel.release.compare.told import interval, name, sides
from gemel.release.evidence.shrunk import Shrunk, Tried


def sentence(found: Shrunk) -> str:
    """What came of it, in a sentence for people."""
    chosen = next((t for t in found.tried if t.name == found.chosen), None)
    if chosen is not None:
        less = percent(round(1 - chosen.share, 3))
        return f"{chosen.name} costs {less} less: {_kept(chosen, found)}."
    close = [t for t in found.tried if t.quality is not None]
    if not close:
        return "No candidate can support the goals of the release."
    nearest = max(close, key=lambda t: t.quality.low / t.quality.before if t.quality else 0.0)
    return (
        f"No candidate keeps {percent(found.keep)} of the {found.measure} for sure; nearest came "
        f"{nearest.name}: {_kept(nearest, found)}."
    )


def _kept(tried: Tried, found: Shrunk) -> str:
    d = tried.quality
    if d is None:
        return tried.reason
    before, after = sides(d)
    return f"{name(d)} {after} instead of {before}, a difference of {interval(d)}"
