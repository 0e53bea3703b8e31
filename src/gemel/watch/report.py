"""One release as one HTML file: what it is, what was measured, and what to make of it.

Made from the release's files alone and complete in itself: no script, no font, no picture is
loaded from anywhere. Everything that came from data is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemel.release import figures, mistakes
from gemel.release.card import card
from gemel.release.evidence import Evidence
from gemel.release.mistakes import Mistake
from gemel.release.release import Release
from gemel.tasks.explain import Part
from gemel.watch import charts, heatmap, words

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"


def render(release: Release) -> str:
    """The report of a release as one HTML document.

    Args:
        release: any; its files are checked when they are read.
    Raises:
        DigestMismatch: a file of the release was changed.
        ReleaseError: the release carries no evidence that can be read.
    """
    evidence, shown = release.evidence, card(release)
    baseline = evidence.candidates[1] if len(evidence.candidates) > 1 else None
    point = evidence.eval
    return _template().render(
        release=release,
        manifest=release.manifest,
        evidence=evidence,
        data=evidence.data,
        card=shown,
        baseline=baseline,
        det=charts.det(
            evidence.dev_curve,
            evidence.eval_curve,
            point,
            (baseline.name, baseline.curve) if baseline else None,
        ),
        histograms=charts.histograms(evidence.eval_curve, point),
        rates=charts.rates(evidence.eval_curve, point),
        mistakes=_mistakes(evidence),
        training=_training(evidence.training),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        share=figures.share, estimate=words.estimate, size=figures.size, one_in=figures.one_in
    )
    return environment.get_template("report.html")


def _mistakes(evidence: Evidence) -> list[dict[str, Any]]:
    """Both kinds of wrong decisions, with a heading and cards."""
    at = evidence.eval
    kinds = (
        ("false_match", "False matches", at.n_false_match, "different identities, called a match"),
        ("false_non_match", "False non-matches", at.n_false_non_match, "one identity, missed"),
    )
    return [
        {
            "title": title,
            "total": total,
            "meaning": meaning,
            "cards": [_card(m) for m in evidence.mistakes if m.kind == kind],
        }
        for kind, title, total, meaning in kinds
    ]


def _card(mistake: Mistake) -> dict[str, Any]:
    """A wrong decision as the template shows it, with what its parts are worth if that is known."""
    left, right = mistake.left.payload, mistake.right.payload
    card: dict[str, Any] = {"mistake": mistake, "rows": [], "images": [], "maps": []}
    if "image" in left and "image" in right:
        card["images"] = [left["image"], right["image"]]
        if mistake.parts:
            card["maps"] = _maps(left["image"], right["image"], mistake.parts)
    else:
        one, two = left.get("row", {}), right.get("row", {})
        worth = {part.name: (part.speaks_against, part.speaks_for) for part in mistake.parts}
        largest = max((max(both) for both in worth.values()), default=0.0) or 1.0
        card["rows"] = [
            {
                "name": name,
                "values": words.differing(one.get(name), two.get(name)),
                "bars": [value / largest for value in worth.get(name, (0.0, 0.0))],
            }
            for name in {**one, **two}
        ]
    return card


def _maps(left: str, right: str, parts: Sequence[Part]) -> list[str]:
    """Both pictures with their regions tinted, as base64."""
    sides: tuple[tuple[heatmap.Side, str], ...] = (("left", left), ("right", right))
    tinted = (
        heatmap.tinted(base64.b64decode(image), parts, side, mistakes.THUMBNAIL)
        for side, image in sides
    )
    return [base64.b64encode(heatmap.png(image)).decode() for image in tinted]


def _training(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What the run says about itself: single values, and those one level down."""
    out: list[tuple[str, str]] = []
    for key, value in summary.items():
        if isinstance(value, dict):
            out += [
                (f"{key}.{k}", words.value_of(v))
                for k, v in value.items()
                if not isinstance(v, dict | list)
            ]
        elif not isinstance(value, list):
            out.append((key, words.value_of(value)))
    return [*_epochs(summary.get("history")), *out]


def _epochs(history: Any) -> list[tuple[str, str]]:
    """How many epochs, and the best dev metric among them."""
    if not isinstance(history, list):
        return []
    metrics = [e["metric"] for e in history if isinstance(e, dict) and "metric" in e]
    if not metrics:
        return []
    best = max(range(len(metrics)), key=metrics.__getitem__)
    return [
        ("epochs", f"{len(metrics) - 1}, the best was {best}"),
        (
            "MAP@R on dev by cosine",
            f"{figures.share(metrics[best])}, untrained {figures.share(metrics[0])}",
        ),
    ]
