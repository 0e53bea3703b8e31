"""The sections of a report: their order, which of them are folded, which have nothing to say.

What a section shows stands in the template of its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gemel.release.evidence.schema import Evidence


@dataclass(frozen=True)
class Section:
    """One section of a report.

    Attributes:
        name: of its template, and its place on the page.
        title: for people.
        folded: opened by whoever wants it.
        scripted: of no use without a script, and not on paper.
        has: whether there is evidence for it.
    """

    name: str
    title: str
    folded: bool = True
    scripted: bool = False
    has: Callable[[Evidence], bool] = lambda _: True

    @property
    def file(self) -> str:
        """The template."""
        return f"sections/{self.name}.html"


SECTIONS = (
    Section("points", "Operating points", folded=False),
    Section("slider", "Try another threshold", folded=False, scripted=True),
    Section("mistakes", "Errors", folded=False, has=lambda e: bool(e.mistakes)),
    Section("curves", "Curves", folded=False),
    Section("baseline", "Against the baseline", has=lambda e: len(e.candidates) > 1),
    Section("shrunk", "Made smaller", folded=False, has=lambda e: e.shrunk is not None),
    Section("searches", "Searches", has=lambda e: bool(e.galleries)),
    Section("probabilities", "Probabilities", has=lambda e: e.reliability is not None),
    Section("categories", "By category", has=lambda e: e.categories is not None),
    Section("classes", "Classes by a few examples", has=lambda e: e.classes is not None),
    Section("rules", "Rules and views", has=lambda e: bool(e.rules or e.views)),
    Section(
        "zoo",
        "Who is harder than others",
        has=lambda e: bool(e.zoo.wolves.worst or e.zoo.goats.worst),
    ),
    Section("data", "Data and identities"),
    Section("what", "What it is for, and what not"),
    Section("again", "When to measure again"),
    Section("time", "Time and size"),
    Section("training", "Training"),
    Section("words", "How to read this"),
    Section("digests", "Digests"),
)
UNMEASURED = ("slider", "mistakes", "what", "time", "training", "digests")
"""Sections that have something to say where nothing was measured on labels."""
UNLABELLED = {"slider": "What is expected elsewhere", "mistakes": "Pairs nearest the threshold"}
"""What they are called there, if not the same."""


def of(evidence: Evidence) -> list[Section]:
    """The sections that there is evidence for, in order; without labels few have any."""
    found = [section for section in SECTIONS if section.has(evidence)]
    if not evidence.unproven:
        return found
    kept = (s for s in found if s.name in UNMEASURED)
    return [replace(s, title=UNLABELLED.get(s.name, s.title)) for s in kept]
