"""What a release promises, in one sentence for someone who knows no statistics.

Proven numbers come from dev, all others were counted on eval; the sentence says which is which.
"""

from __future__ import annotations

from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.intervals import percent
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.release.evidence.schema import Evidence


def sentence(evidence: Evidence) -> str:
    """The sentence."""
    target, seen = evidence.target, evidence.eval
    if target.value is None:
        text = f"{_strangers(seen)}, and {_missed(seen)}: counted on eval, not proven"
    else:
        text = _promise(target, seen, _everywhere(evidence))
    for rule in evidence.rules:
        hits = round(rule.lost.value * rule.n_checked)
        lost = _counted(hits, rule.n_checked, "matches that belong together", "then taken away")
        text += f"; {lost} by the rule {rule.rule!r}"
    if seen.n_review:
        compared = _counted(
            seen.n_review, seen.n_genuine + seen.n_impostor, "pairs", "for a person"
        )
        text += f"; {compared} to decide"
    search, validity = evidence.goals.search, evidence.validity
    largest = None if validity is None else validity.largest_gallery
    if search is not None and search.value is not None and largest is not None:
        n, count = _share(search.value)
        text += (
            f"; of {n} searches for something that is not enrolled, at most {count} "
            f"{'finds' if count == '1' else 'find'} a match, with {percent(search.confidence)} "
            f"confidence, in galleries of up to {largest:,} records"
        )
    return text[:1].upper() + text[1:] + "."


def _everywhere(evidence: Evidence) -> str:
    """Where an FMR is promised, if not over all comparisons together."""
    found = evidence.categories
    in_each = found is not None and evidence.goals.categories == "worst"
    return f" within every {found.column}" if found is not None and in_each else ""


def _promise(target: Target, seen: OperatingPoint, everywhere: str) -> str:
    value, sure = target.value or 0.0, f"with {percent(target.confidence)} confidence"
    if target.kind == "fmr":
        wrong = _of(value, "pairs that do not belong together", "at most ")
        return f"{wrong} called a match{everywhere}, {sure}; {_missed(seen)}"
    if target.kind == "precision":
        wrong, (n, count) = _of(1 - value, "matches", "at most "), _share(seen.prior)
        return f"{wrong} wrong, {sure}, if {count} of {n} compared are genuine; {_missed(seen)}"
    missing = 1 - value if target.kind == "recall" else value
    lost = _of(missing, "pairs that belong together", "at most ")
    return f"{lost} missed, {sure}; {_strangers(seen)}"


def _missed(seen: OperatingPoint) -> str:
    things = "pairs that do belong together"
    return _counted(seen.n_false_non_match, seen.n_genuine, things, "missed")


def _strangers(seen: OperatingPoint) -> str:
    things = "pairs that do not belong together"
    return _counted(seen.n_false_match, seen.n_impostor, things, "called a match")


def _counted(n: int, of: int, things: str, what: str) -> str:
    """What was counted.

    Example:
        >>> _counted(3, 1200, "pairs", "missed"), _counted(0, 10, "pairs", "missed")
        ('of 1,200 pairs, 3 are missed', 'none of 10 pairs is missed')
    """
    if not n:
        return f"none of {of:,} {things} is {what}"
    return f"of {of:,} {things}, {n:,} {'is' if n == 1 else 'are'} {what}"


def _of(rate: float, things: str, at_most: str = "") -> str:
    """A rate as "of 1,000 things, 3 are".

    Example:
        >>> _of(0.003, "pairs", "at most "), _of(0.1, "pairs")
        ('of 1,000 pairs, at most 3 are', 'of 10 pairs, 1 is')
    """
    n, count = _share(rate)
    return f"of {n} {things}, {at_most}{count} {'is' if count == '1' else 'are'}"


def _share(rate: float) -> tuple[str, str]:
    """A rate as how many things, and how many of them; two digits are enough.

    Example:
        >>> _share(0.05), _share(0.0123), _share(1.0)
        (('100', '5'), ('1,000', '12'), ('10', '10'))
    """
    rounded = float(f"{rate:.2g}")
    digits = 1
    while digits < 15 and abs(rounded * 10**digits - round(rounded * 10**digits)) > 1e-6:
        digits += 1
    return f"{10**digits:,}", f"{round(rounded * 10**digits):,}"
