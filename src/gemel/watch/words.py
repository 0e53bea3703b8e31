"""Numbers as people read them, and the sentences that a report opens with.

Nothing is judged here that the evidence does not say: a difference counts as clear only where two
intervals do not overlap.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np
from markupsafe import Markup

from gemel.calibrate.intervals import Estimate
from gemel.release.evidence import Evidence

Tone = Literal["good", "unsure", "bad"]


@dataclass(frozen=True)
class Verdict:
    """What a reader in a hurry takes away.

    Attributes:
        tone: colours the headline; the words say the same.
        headline: a few words.
        sentences: what was found, compared and promised.
    """

    tone: Tone
    headline: str
    sentences: tuple[str, ...]


def share(value: float, digits: int = 3) -> str:
    r"""A share in per cent, without exponents.

    Example:
        >>> share(0.000012), share(0.98765), share(1.0)
        ('0.0012\xa0%', '98.8\xa0%', '100\xa0%')
    """
    return f"{_plain(100 * value, digits)}\N{NO-BREAK SPACE}%"


def estimate(e: Estimate) -> Markup:
    r"""A share with its interval, as HTML.

    Example:
        >>> str(estimate(Estimate(value=0.5, low=0.4, high=0.6, n_effective=9, method="")))
        '50\xa0% <span class="interval">40–60</span>'
    """
    low, high = _plain(100 * e.low, 3), _plain(100 * e.high, 3)
    return Markup(f'{share(e.value)} <span class="interval">{low}–{high}</span>')


def one_in(rate: float) -> str:
    """A small rate as "1 in N".

    Example:
        >>> one_in(0.00024), one_in(0.0)
        ('1 in 4,200', 'none')
    """
    if rate <= 0:
        return "none"
    n = 1 / rate
    return f"1 in {round(n, 1 - math.floor(math.log10(n))):,.0f}"


def size(n_bytes: int) -> str:
    """Bytes with a unit.

    Example:
        >>> size(18), size(1_540_000)
        ('18 B', '1.5 MB')
    """
    value, unit = float(n_bytes), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def value_of(value: object) -> str:
    """A field's value as text; whole numbers without a point, empty for a missing one."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def differing(left: object, right: object) -> tuple[Markup, Markup]:
    """Both values as HTML, with the characters that differ marked.

    Example:
        >>> [str(s) for s in differing("anna", "anne")]
        ['ann<mark>a</mark>', 'ann<mark>e</mark>']
    """
    one, two = value_of(left), value_of(right)
    out = ["", ""]
    matcher = difflib.SequenceMatcher(None, one, two, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        for side, text in enumerate((one[a:b], two[c:d])):
            safe = escape(text)
            out[side] += safe if kind == "equal" or not text else f"<mark>{safe}</mark>"
    return Markup(out[0]), Markup(out[1])


def verdict(evidence: Evidence, modality: str) -> Verdict:
    """The opening of a report."""
    kept, promise = _promise(evidence)
    better, comparison = _comparison(evidence)
    tone: Tone = "good" if kept and better > 0 else "bad" if not kept or better < 0 else "unsure"
    headline = {1: "Clearly better than", 0: "Not clearly better than", -1: "Worse than"}[better]
    name = evidence.candidates[1].name if len(evidence.candidates) > 1 else "no baseline"
    doubt = "" if kept else "; eval contradicts the choice made on dev"
    return Verdict(
        tone, f"{headline} {name}{doubt}", (_found(evidence, modality), comparison, promise)
    )


def _found(evidence: Evidence, modality: str) -> str:
    at = evidence.eval
    things = "records" if modality == "row" else "images"
    asked = at.n_review / max(at.n_genuine + at.n_impostor, 1)
    review = f" {share(asked, 2)} of all pairs are left to a person." if at.n_review else ""
    return (
        f"Among {evidence.data.sides['eval'].n_records:,} {things} of {at.n_identities:,} "
        f"identities that it had never seen, it finds {share(at.recall.value)} of the pairs that "
        f"belong together, and {share(at.precision.value)} of the pairs it calls a match are right "
        f"(F1 {share(at.f1.value)}). Of pairs that do not belong together it matches "
        f"{one_in(at.fmr.value)}.{review}"
    )


def _comparison(evidence: Evidence) -> tuple[int, str]:
    """1 clearly better than the baseline, -1 clearly worse, 0 neither; and a sentence."""
    if len(evidence.candidates) < 2:
        return 0, "It was not compared with a baseline."
    ours, theirs = evidence.candidates[0], evidence.candidates[1]
    new, old = ours.point.f1, theirs.point.f1
    better = 1 if new.low > old.high else -1 if new.high < old.low else 0
    means = {
        1: ", a difference beyond chance",
        0: ", a difference that may be chance, since the intervals overlap",
        -1: ", so this release should not replace it",
    }[better]
    name = theirs.name[:1].upper() + theirs.name[1:]
    return better, (
        f"{name} without any learning, tuned the same way, reaches F1 {share(old.value)} "
        f"where this release reaches {share(new.value)}{means}."
    )


def _promise(evidence: Evidence) -> tuple[bool, str]:
    target, seen = evidence.target, evidence.eval
    sure = share(target.confidence)
    if target.kind == "fmr" and target.value is not None:
        kept = seen.fmr.low <= target.value
        goal, found = f"at most {share(target.value)} false matches", share(seen.fmr.value)
    elif target.kind == "fnmr" and target.value is not None:
        kept = seen.fnmr.low <= target.value
        goal, found = f"at most {share(target.value)} missed pairs", share(seen.fnmr.value)
    elif target.kind in ("precision", "recall") and target.value is not None:
        there = seen.precision if target.kind == "precision" else seen.recall
        kept = there.high >= target.value
        goal, found = f"a {target.kind} of {share(target.value)}", share(there.value)
    else:
        kept = seen.f1.high >= evidence.dev.f1.low
        return kept, (
            "The threshold is the best one observed on dev for its goal; no error rate was "
            f"promised. On dev F1 was {share(evidence.dev.f1.value)}."
        )
    agrees = "agrees" if kept else "contradicts this"
    return kept, f"Dev proved {goal} with {sure} confidence; eval measured {found} and {agrees}."


def _plain(value: float, digits: int) -> str:
    """A number with so many significant digits, never with an exponent."""
    text = np.format_float_positional(
        value, precision=digits, unique=False, fractional=False, trim="-"
    )
    return text.removesuffix(".")
