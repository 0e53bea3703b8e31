"""One release as one HTML file: what it is, what was measured, and what to make of it.

Made from the release's files alone and complete in itself: nothing is loaded from anywhere. Its
script folds, and moves a threshold over what was measured; without it all can be read. Everything
that came from data is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gemel import figures
from gemel.calibrate.rates.by_category import Cell, Row
from gemel.decide.bands import matches
from gemel.encode import modality
from gemel.release.evidence.schema import Evidence, Mistake
from gemel.release.release import Release
from gemel.release.words import tiles
from gemel.release.words.card import card
from gemel.release.words.shrunk import sentence
from gemel.release.words.unproven import by_closeness
from gemel.watch import (
    html,
    sections,
    slider,
    training,
)
from gemel.watch.charts import epochs, groups, probability, rates, search
from gemel.watch.pages import pair, template

N_ORDINARY = 3
"""Identities that are shown although nothing is beyond chance with them."""
N_OPEN = 6
"""Errors of a kind that are shown at once; the others are folded."""


def render(release: Release) -> str:
    """The report of a release as one HTML document.

    Args:
        release: any; its files are checked when they are read.
    Raises:
        DigestMismatch: a file of the release was changed.
        ReleaseError: the release carries no evidence that can be read.
    """
    evidence, shown = release.evidence, card(release)
    wrong = _mistakes(evidence)
    return template("report.html").render(
        release=release,
        nouns=modality.named(release.modality).nouns,
        manifest=release.manifest,
        evidence=evidence,
        card=shown,
        data=shown.data,
        measured=shown.measured,
        at=evidence.eval,
        baseline=evidence.candidates[1] if len(evidence.candidates) > 1 else None,
        charts=_charts(evidence),
        reference=_reference(evidence),
        worst_cell=_worst_cell(evidence),
        categories=_categories(evidence),
        shrunk_in_words="" if evidence.shrunk is None else sentence(evidence.shrunk),
        mistakes=wrong,
        zoo=_zoo(evidence, wrong),
        training=training.facts(evidence.training),
        tiles=tiles.tiles(evidence),
        sections=sections.of(evidence),
        slider=slider.data(evidence),
        closeness=evidence.unproven and by_closeness(evidence),
        n_open=N_OPEN,
    )


def _charts(evidence: Evidence) -> dict[str, str]:
    """Every chart that there is evidence for, by name."""
    points = [p.eval for p in evidence.points if p.eval is not None]
    other = [(c.name, c.curve) for c in evidence.candidates[1:2]]
    found = {
        "det": rates.det(
            evidence.dev_curve, evidence.eval_curve, points, other[0] if other else None
        ),
        "histograms": rates.histograms(evidence.eval_curve, points[0]),
        "rates": rates.rates(evidence.eval_curve, points),
    }
    if len(evidence.training.history) > 2:
        found["reached"] = epochs.reached(evidence.training)
        found["taught"] = epochs.taught(evidence.training)
    if evidence.reliability is not None:
        found["reliability"] = probability.reliability(evidence.reliability)
        found["ece"] = probability.costs(evidence.reliability)
        found["tippett"] = probability.tippett(evidence.reliability)
    if len(evidence.galleries) > 1:
        found["found"] = search.found(evidence.galleries)
        found["false"] = search.false(evidence.galleries, _fmr(evidence))
    if evidence.categories is not None and len(evidence.categories.matrix) > 1:
        found["groups"] = groups.matrix(evidence.categories.matrix, _reference(evidence))
    return found


def _fmr(evidence: Evidence) -> float | None:
    """Of a comparison, if every search has the threshold of one; else None."""
    at = evidence.eval
    same = all(p.threshold == at.threshold for p in evidence.galleries)
    return at.fmr.value if same else None


def _reference(evidence: Evidence) -> float:
    """What the false match rate of two categories is held against: the target, or that of all."""
    limit = evidence.target.limit("fmr")
    return evidence.eval.fmr.value if limit is None else limit


def _worst_cell(evidence: Evidence) -> Cell | None:
    """The two categories with the highest false match rate among those that can be judged."""
    cells = evidence.categories.matrix if evidence.categories else ()
    judged = [c for c in cells if c.rate.n_effective > 0]
    return max(judged, key=lambda c: c.fmr or 0.0, default=None)


def _categories(evidence: Evidence) -> list[Row]:
    """A row for each category by name, and one for comparisons between them."""
    found = evidence.categories
    if found is None:
        return []
    rows = sorted(found.rows, key=lambda row: figures.natural(row.category))
    return [*rows, found.between] if found.between else rows


def _zoo(evidence: Evidence, wrong: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both kinds of identities with many errors, with links to their mistakes on the page."""
    kinds = (
        (evidence.zoo.wolves, "Wolves and lambs", "falsely matched with", wrong[0]),
        (evidence.zoo.goats, "Goats", "missed", wrong[1]),
    )
    return [
        {
            "title": title,
            "counted": counted,
            "found": html.crowd(kind),
            "rows": [
                {"animal": a, "anchors": _anchors(a.identity, group["cards"])}
                for a in kind.worst[: max(kind.n_beyond_chance, N_ORDINARY)]
            ],
        }
        for kind, title, counted, group in kinds
    ]


def _anchors(identity: str, cards: Sequence[dict[str, Any]]) -> list[str]:
    """Where on the page mistakes of an identity are, three at most."""
    sides = [(c["anchor"], c["mistake"].left, c["mistake"].right) for c in cards]
    return [at for at, left, right in sides if identity in (left.identity, right.identity)][:3]


def _mistakes(evidence: Evidence) -> list[dict[str, Any]]:
    """Both kinds of wrong decisions, with a heading and cards; of both decisions without labels."""
    if evidence.unproven:
        return _nearest(evidence)
    at = evidence.eval
    kinds = (
        ("false_match", "False matches", at.n_false_match, "different identities, called a match"),
        ("false_non_match", "False non-matches", at.n_false_non_match, "one identity, missed"),
    )
    return [
        _group(kind, title, total, meaning, [m for m in evidence.mistakes if m.kind == kind])
        for kind, title, total, meaning in kinds
    ]


def _nearest(evidence: Evidence) -> list[dict[str, Any]]:
    """What is decided nearest the threshold: by the threshold of the release, if answers moved it.

    Nobody said which of these decisions are wrong.
    """
    at = evidence.eval.threshold
    parts: tuple[list[Mistake], list[Mistake]] = ([], [])
    for one in evidence.mistakes:
        parts[not matches(one.score, at)].append(one)
    kinds = (
        ("match", "Just a match", "The least sure matches of some of the records"),
        ("no_match", "Just no match", "The pairs that nearly match"),
    )
    return [
        _group(kind, title, len(some), meaning, sorted(some, key=lambda m: abs(m.score - at)))
        for (kind, title, meaning), some in zip(kinds, parts, strict=True)
    ]


def _group(
    kind: str, title: str, total: int, meaning: str, some: Sequence[Mistake]
) -> dict[str, Any]:
    cards = [pair(m, f"{kind}-{i}") for i, m in enumerate(some)]
    return {"title": title, "total": total, "meaning": meaning, "cards": cards}
