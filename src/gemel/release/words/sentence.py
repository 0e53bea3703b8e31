"""A release in one sentence, for someone who knows no statistics: the whole of it is on request.

Proven numbers come from dev, all others were counted on eval; see `promise`.
"""

from __future__ import annotations

from gemel.calibrate.goals.target import TOGETHER
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.figures import number_of, out_of, percent
from gemel.release.evidence.schema import Evidence
from gemel.release.words import unproven
from gemel.release.words.expected import expected, right_among, right_matches, where
from gemel.release.words.in_gallery import above_sizes
from gemel.release.words.in_use import counted, in_use
from gemel.release.words.promise import everywhere


def sentence(evidence: Evidence) -> str:
    """What is promised, or what was counted, as one repeats it to somebody.

    Example: Of 100 matches, at most 5 are wrong, with 95 % confidence, among 600 records like
        these, as many as dev has; of 100 pairs that belong together, about 2 are missed.
    """
    if evidence.unproven:
        return unproven.sentence(evidence)
    target, use = evidence.target, evidence.goals.use
    at, right = evidence.eval, right_among(evidence)
    missed = counted(at.fnmr, at.n_genuine, TOGETHER, "missed")
    if target.value is None:
        text = f"{right}; {missed}" if use is None else in_use(evidence, use)
        text += ": counted on eval, not proven"
    else:
        text = promised(evidence)
        if target.goal.measures == ("precision",):
            least = min(e.precision.value for e in expected(evidence))
            right = right if least < target.value else ""
        if use is not None and use.kind == "search":
            right, missed = "", in_use(evidence, use)
        elif target.limit("fnmr") is not None:
            missed = ""
        text = "; ".join(part for part in (text, missed, right) if part)
    return _as_sentence(text + _besides(evidence))


def promised(evidence: Evidence) -> str:
    """What was proven, by labels or by answers, as a clause; empty if nothing was.

    Example: of 10 matches, at most 1 is wrong, with 95 % confidence, among 600 records like these
    """
    target, known = evidence.target, evidence.labelled
    if known is not None:
        text = unproven.proven(known) if known.proven else ""
        return text[:1].lower() + text[1:]
    if target.value is None or evidence.unproven:
        return ""
    of_matches = target.goal.measures == ("precision",)
    return _promise(evidence, target.value)[0] + (_among(evidence) if of_matches else "")


def in_full(evidence: Evidence) -> str:
    """The same with all counts, and with what they are of."""
    if evidence.unproven:
        return unproven.in_full(evidence)
    target, seen, use = evidence.target, evidence.eval, evidence.goals.use
    if use is not None and target.value is None:
        text = f"{in_use(evidence, use)}: counted on eval, not proven"
    elif target.value is None:
        text = f"{_strangers(seen)}, and {_missed(seen)}: counted on eval, not proven"
    else:
        wrong, other = _promise(evidence, target.value)
        text = f"{wrong}{_at_prior(evidence)}; {other}"
    text += _besides(evidence)
    if use is None:
        text += f"; {right_matches(evidence)}"
    elif target.value is not None:
        text += f"; {in_use(evidence, use)}"
    return _as_sentence(text)


def _besides(evidence: Evidence) -> str:
    """What rules take away, what a person decides, and what a search promises."""
    seen, text = evidence.eval, ""
    for rule in evidence.rules:
        hits = round(rule.lost.value * rule.n_checked)
        lost = _counted(hits, rule.n_checked, "matches that belong together", "then taken away")
        text += f"; {lost} by the rule {rule.rule!r}"
    if seen.n_review:
        compared = _counted(
            seen.n_review, seen.n_genuine + seen.n_impostor, "pairs", "for a person"
        )
        text += f"; {compared} to decide"
    search, largest = evidence.goals.search, evidence.validity.largest_gallery
    if search is not None and search.value is not None and largest is not None:
        n, count = out_of(search.value)
        text += (
            f"; of {n} searches for something that is not enrolled, at most {count} "
            f"{'finds' if count == '1' else 'find'} a match, with {percent(search.confidence)} "
            f"confidence, in galleries of up to {number_of(largest, 'record')}"
        )
        use = evidence.goals.use
        if use is not None and above_sizes(largest, use.records or 0):
            text += (
                f"; in the {use.records:,} that it is for, whatever would match is for a person "
                "to decide"
            )
    return text


def _as_sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _among(evidence: Evidence) -> str:
    """Among which records a precision is promised."""
    use, dev = evidence.goals.use, evidence.dev
    if dev.prior_source != "stated":
        n = number_of(evidence.data.sides["dev"].n_records, "record")
        return f", among {n} like these, as many as dev has"
    if use is not None and use.records is not None:
        return f", among {use.records:,} records like these"
    return f", if {where(dev.prior)}"


def _promise(evidence: Evidence, value: float) -> tuple[str, str]:
    """What was proven, and what was counted of the other kind of errors."""
    target, seen = evidence.target, evidence.eval
    goal, sure = target.goal, f"with {percent(target.confidence)} confidence"
    wrong = _of(value if goal.falls else 1 - value, goal.things, "at most ")
    other = _strangers(seen) if target.limit("fnmr") is not None else _missed(seen)
    where = everywhere(evidence)
    return f"{wrong} {goal.wrong}{where}, {sure}", other


def _at_prior(evidence: Evidence) -> str:
    """Where a precision holds; empty of a goal that holds anywhere."""
    if evidence.target.goal.measures != ("precision",):
        return ""
    n, count = out_of(evidence.dev.prior)
    return f", if {count} of {n} compared are genuine"


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
    n, count = out_of(rate)
    return f"of {n} {things}, {at_most}{count} {'is' if count == '1' else 'are'}"
