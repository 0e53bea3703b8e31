"""What a release promises, and whether eval keeps it: asked here by report, gates, card and CLI.

A promise is what dev proved, or, of a goal that proves nothing, what dev showed of the measures
that the choice looked at. Proven numbers come from dev, all others were counted on eval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gemel.figures import plain
from gemel.release.evidence.schema import Evidence
from gemel.release.words.expected import at_prior

ONE_SIDED = " by a one-sided proof on dev"
NAMES = {"fmr": "FMR", "fnmr": "FNMR", "f1": "F1", "fpir": "FPIR"}


@dataclass(frozen=True)
class Check:
    """One thing that was promised, beside what eval says of it.

    Attributes:
        about: the rates of all comparisons, of each category, of searches, or what rules take.
        kept: eval does not contradict it.
        detail: both in words.
    """

    about: Literal["rate", "category", "search", "rules"]
    kept: bool
    detail: str


@dataclass(frozen=True)
class Promise:
    """All that was promised, and what eval says of each."""

    checks: tuple[Check, ...]

    @property
    def kept(self) -> bool:
        """Eval contradicts nothing."""
        return all(check.kept for check in self.checks)

    @property
    def broken(self) -> str:
        """What eval contradicts, in words; empty if nothing."""
        return "; ".join(check.detail for check in self.checks if not check.kept)


def kept_promise(evidence: Evidence) -> Promise:
    """Whether eval keeps what dev promised.

    Eval contradicts a promise where its whole interval lies on the wrong side. Held to it are:

    - a proven rate: against what was asked for;
    - a goal that proves nothing: the measures that its choice looked at (F1 of `f1`, both rates of
      `eer` and `cost`), against dev's interval. A rate may move beyond chance and leave F1 as it
      was: the choice was for F1, and nothing was said about the rate;
    - the same, where fewer is worse, by its value: less than half of dev's is no promise kept, even
      if so little was measured that chance might have done it;
    - measures that depend on the prior: at the prior of dev. Where eval has fewer genuine
      comparisons, precision and F1 are lower without anything being worse;
    - one threshold for the worst category: the FMR in every category, beside that of all, since one
      far above the limit is hidden by many below it;
    - an FPIR: searches at every size of the gallery that was certified;
    - false non-matches or recall: with the genuine matches that rules take away.

    Without labels nothing is promised.
    """
    if evidence.unproven:
        return Promise(())
    checks = [*_rates(evidence), *_categories(evidence), *_searches(evidence), *_rules(evidence)]
    return Promise(tuple(checks))


def _rates(evidence: Evidence) -> Iterator[Check]:
    target, dev = evidence.target, evidence.dev
    goal, most = target.goal, "at most" if target.goal.falls else "at least"
    for measure in goal.measures:
        seen, then = at_prior(evidence.eval, measure, dev.prior), getattr(dev, measure)
        text = f"{NAMES.get(measure, measure)} on eval {seen.span()}"
        if target.value is not None:
            limit = target.value
            text = f"{text}, promised {most} {plain(limit, 3)}{ONE_SIDED}"
        else:
            limit, text = then.high if goal.falls else then.low, f"{text}, on dev {then.span()}"
        kept = seen.low <= limit if goal.falls else seen.high >= limit
        halved = target.value is None and not goal.falls and seen.value < then.value / 2
        yield Check("rate", kept and not halved, f"{text}, less than half" if halved else text)


def _categories(evidence: Evidence) -> Iterator[Check]:
    limit, found = evidence.target.limit("fmr"), evidence.categories
    worst = found.worst_fmr if found is not None else None
    if evidence.goals.categories == "worst" and limit is not None and worst is not None:
        yield Check(
            "category",
            worst.low <= limit,
            f"FMR of category {worst.category} on eval {plain(worst.value, 3)}, of some at least "
            f"{plain(worst.low, 3)}, promised at most {plain(limit, 3)} in each",
        )


def _searches(evidence: Evidence) -> Iterator[Check]:
    search = evidence.goals.search
    if search is None or search.kind != "fpir" or search.value is None or not evidence.searches:
        return
    worst = max(evidence.searches, key=lambda point: point.fpir.low)
    yield Check(
        "search",
        worst.fpir.low <= search.value,
        f"FPIR on eval {worst.fpir.span()} in a gallery of {worst.gallery_size:,}, promised at "
        f"most {plain(search.value, 3)}",
    )


def _rules(evidence: Evidence) -> Iterator[Check]:
    costs, limit = evidence.rules, evidence.target.limit("fnmr")
    if not costs:
        return
    seen = "; ".join(f"{c.rule!r} takes {c.lost.span()} of the genuine matches" for c in costs)
    if limit is None:
        yield Check("rules", True, seen)
        return
    missed = evidence.eval.fnmr.low
    missed += (1 - missed) * max(c.lost.low for c in costs)
    text = f"{seen}; FNMR with them at least {plain(missed, 3)}, promised {plain(limit, 3)}"
    yield Check("rules", missed <= limit, text)


def everywhere(evidence: Evidence) -> str:
    """Where an FMR is promised, if not over all comparisons together; empty if it is."""
    found, limit = evidence.categories, evidence.target.limit("fmr")
    in_each = evidence.goals.categories == "worst" and limit is not None
    return f" within every {found.column}" if found is not None and in_each else ""
