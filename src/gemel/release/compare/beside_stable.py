"""A candidate beside the release that is live: questions that two of the gates ask."""

from __future__ import annotations

from collections.abc import Mapping

from gemel.calibrate.goals.use import MEASURES
from gemel.calibrate.rates.intervals import Estimate
from gemel.figures import number_of
from gemel.release.evidence.schema import DataSummary
from gemel.release.release import Release
from gemel.release.words.expected import at_prior
from gemel.release.words.promise import NAMES

MAX_NAMED = 3


def enrolled(ours: Mapping[str, int], theirs: Mapping[str, int]) -> tuple[bool, str]:
    """No gallery has fewer than that of stable: what one has more makes up for no other."""
    lacking = [name for name, count in theirs.items() if ours.get(name, 0) < count]
    if not lacking:
        n, of_stable = sum(ours.values()), sum(theirs.values())
        here = number_of(n, "record")
        return True, f"{here} in the gallery of its space, {of_stable:,} in that of stable"
    said = [
        f"{ours.get(name, 0):,} of {number_of(theirs[name], 'record')}"
        + (name and f" of tenant {name}")
        for name in lacking[:MAX_NAMED]
    ]
    rest = f" and of {len(lacking) - MAX_NAMED} more" if len(lacking) > MAX_NAMED else ""
    return False, f"{', '.join(said)}{rest} are in the gallery of its space"


def not_worse(candidate: Release, stable: Release) -> tuple[bool | None, str]:
    """On the same eval records, the decisions in force are not worse than stable's.

    Worse is what lies with its whole interval below stable's: F1, and with a goal like stable's
    also what that leaves open. Another goal may lower F1 where what it asks for is clearly better.
    Of other records nothing is judged: the first of the two is None then.
    """
    ours, theirs = candidate.evidence, stable.evidence
    prior, goal = ours.eval.prior, ours.target.goal
    alike = ours.target.is_alike(theirs.target)

    def both(measure: str) -> tuple[Estimate, Estimate]:
        new, old = (at_prior(e.eval, measure, prior) for e in (ours, theirs))
        return new, old

    shown = MEASURES[ours.goals.use.kind if ours.goals.use is not None else None]
    judged = {"f1", *([goal.leaves_open] if alike else [])} & {"f1", "precision", "recall"}
    seen = [
        f"{NAMES.get(m, m)} {new.span()}, stable has {old.span()}"
        for m, (new, old) in ((m, both(m)) for m in dict.fromkeys((*shown, *sorted(judged))))
    ]
    if not _are_same_records(ours.data, theirs.data):
        other = f"not comparable, since {stable.short_id} was measured on other eval records"
        return None, f"{other}: {'; '.join(seen)} there"
    worse = [m for m in judged if both(m)[0].high < both(m)[1].low]
    asked = [both(m) for m in goal.measures if goal.proof and m != "fpir"]
    paid = not alike and any(
        new.high < old.low if goal.falls else new.low > old.high for new, old in asked
    )
    return not worse or paid, "; ".join(seen)


def _are_same_records(ours: DataSummary, theirs: DataSummary) -> bool:
    """Whether both were measured on the same records of eval, if with other columns.

    A digest is of values too; as many records and identities by the same split are the same ones.
    """
    mine, other = ours.sides["eval"], theirs.sides["eval"]
    counts = [(d.n_records, d.seed, s.n_records, s.n_identities, s.n_multiple)
              for d, s in ((ours, mine), (theirs, other))]  # fmt: skip
    return mine.digest == other.digest or counts[0] == counts[1]
