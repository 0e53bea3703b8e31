"""A candidate beside the release that is live: questions that two of the gates ask."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gemel.calibrate.goals.use import MEASURES
from gemel.calibrate.rates.intervals import Estimate
from gemel.errors import quoted
from gemel.figures import number_of
from gemel.release.evidence.schema import DataSummary
from gemel.release.release import Release
from gemel.release.words.expected import at_prior
from gemel.release.words.in_gallery import above_sizes
from gemel.release.words.promise import NAMES

MAX_NAMED = 3


def enrolled(
    ours: Mapping[str, Collection[str]], theirs: Mapping[str, Collection[str]]
) -> tuple[bool, str]:
    """Each gallery has every record of that of stable, whatever it has besides."""
    lacking = {name: missing(ours.get(name, ()), of) for name, of in theirs.items()}
    lacking = {name: records for name, records in lacking.items() if records}
    if not lacking:
        n, of_stable = sum(map(len, ours.values())), sum(map(len, theirs.values()))
        here = number_of(n, "record")
        return True, f"{here} in the gallery of its space, all {of_stable:,} of stable among them"
    said = [
        f"{len(records):,} of {number_of(len(theirs[name]), 'record')}"
        + (name and f" of tenant {name}")
        + f" ({named(records)})"
        for name, records in list(lacking.items())[:MAX_NAMED]
    ]
    rest = f" and of {len(lacking) - MAX_NAMED} more" if len(lacking) > MAX_NAMED else ""
    are = "is" if sum(map(len, lacking.values())) == 1 else "are"
    return False, f"{', '.join(said)}{rest} {are} not in the gallery of its space"


def sizes(
    candidate: Release, stable: Release | None, ours: Mapping[str, Collection[str]]
) -> tuple[bool, str]:
    """Whether searches match without a person, in the largest of its galleries."""
    n, largest = max(map(len, ours.values()), default=0), candidate.policy.largest_gallery
    of_stable = None if stable is None else stable.policy.largest_gallery
    above = above_sizes(largest, n)
    if above and of_stable is not None and largest is not None and of_stable <= largest:
        return True, f"{above}, as with stable"
    records = number_of(n, "record")
    return not above, above or f"{records} in it, thresholds are certified for up to {largest:,}"


def missing(ours: Collection[str], theirs: Collection[str]) -> list[str]:
    """The ids that one gallery lacks of another, in order."""
    return sorted(set(theirs).difference(ours))


def named(records: Sequence[str]) -> str:
    """A few ids, and how many there are besides."""
    shown = ", ".join(quoted(record, 40) for record in records[:MAX_NAMED])
    return shown + (f" and {len(records) - MAX_NAMED:,} more" if len(records) > MAX_NAMED else "")


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
