"""The summary of a job over duplicates or links, as names and values for a person."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gemel.figures import number_of, out_of, percent, plain, rounded_down
from gemel.release.words.expected import HALF, LIKELY, about

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.improve.result import Summary
    from gemel.tasks.agreement import Agreement

OPEN = "not known: these data tell too little of so many pairs"
CLEARLY = 0.03
"""Share of the pairs by which labels and scores differ before labels are doubted."""
MUCH = 2
"""So many times another share of genuine pairs by labels than by scores is told."""
MOST_TOLD = 8
"""Fields in which matches differ."""
FEW = 60
"""Among fewer identities, a count of false matches tells little of rare scores: a warning."""


def in_words(
    summary: Summary,
    *compared: Dataset | None,
    asks: str = "",
    says: str = "",
    links: str = "one-to-one",
) -> list[tuple[str, Any]]:
    """The summary as names and values for a person, with how many records were not compared.

    Args:
        summary: of the job.
        compared: the records, which say how many were refused.
        asks: the command that asks people about these very matches, where there is one.
        says: what the release says of its own threshold.
        links: between two files, which may be.
    """
    refused = sum(one.n_bad for one in compared if one is not None)
    unproven = summary.unproven
    rows: list[tuple[str, Any]] = [
        ("records", summary.n_records),
        ("records refused, in no cluster", refused or None),
        ("pairs", summary.n_pairs),
        ("matches", summary.n_matches),
        ("these are", "estimated, not measured: the release is unproven" if unproven else None),
        ("for review", summary.n_review),
        (f"left out to link {links}", summary.n_given_up or None),
        _share(summary),
        ("threshold", _threshold(summary)),
        ("of its own the release says", _of_its_own(summary, says)),
        ("clusters of two or more", summary.n_clusters),
        ("redundant records", summary.n_redundant),
        ("largest cluster", summary.largest),
        ("least sure match", _least_sure(summary)),
        _expected(summary),
        *_bound(summary, asks),
        ("of 100 matches differ in", _differing(summary, asks)),
    ]
    if summary.candidate_recall is not None:
        recall = summary.candidate_recall
        rows.append(
            (
                "candidate recall",
                f"{percent(recall.value, 4)} of {number_of(recall.n_pairs, 'pair')}",
            )
        )
    if summary.reach is not None:
        reach = summary.reach
        rows.append(("proposed by shared keys", number_of(reach.n_candidates, "pair")))
        share = f"{percent(reach.value, 4)} (at least {percent(reach.low, 3)})"
        rows.append(("proposals reach", f"{share} of {reach.n_pairs:,} {reach.basis}"))
    if summary.n_full:
        rows.append(("records with more partners than kept", summary.n_full))
    if summary.agreement is not None:
        rows += _agreement(summary.agreement, summary, doubts=bool(asks))
    return [(name, value) for name, value in rows if value is not None]


def _of_its_own(summary: Summary, says: str) -> str | None:
    """What the release says of its own threshold, if another decides here, and of which pairs."""
    if _is_own(summary) or not says:
        return None
    if summary.reach is None:
        return says
    return (
        f"{says} That is of all pairs compared with each other; here only those that shared keys "
        "propose were, and of the others none can be a false match"
    )


def _agreement(seen: Agreement, summary: Summary, *, doubts: bool) -> list[tuple[str, Any]]:
    """How well the clusters agree with the identities of the file, which may be wrong themselves.

    Args:
        seen: how well they do.
        summary: of the job.
        doubts: the records are those of the project, of which `gemel doctor` knows suspects.
    """
    same, n, false = seen.pairwise.precision, summary.n_matches, summary.false_links.expected
    said = "the identities of the file, as they are"
    if false is not None and n and not summary.by_closeness and same < 1 - false / n - CLEARLY:
        said += (
            f": of 100 pairs in a cluster {about(same, 100)} have one identity there, where of 100 "
            f"matches {about(1 - false / n, 100)} are expected to be right by their scores"
        )
        said += "; gemel doctor shows which labels may be wrong" if doubts else ""
    rows: list[tuple[str, Any]] = [("below, measured against", said)]
    for name, quality in (
        ("pairwise", seen.pairwise),
        ("B-cubed", seen.b_cubed),
        ("exact clusters", seen.exact),
    ):
        three = f"{quality.precision:.4f}  {quality.recall:.4f}  {quality.f1:.4f}"
        rows.append((f"{name}: precision, recall, F1", three))
    return [*rows, ("adjusted Rand index", seen.adjusted_rand)]


def _share(summary: Summary) -> tuple[str, str]:
    """How rare genuine pairs are here, beside the data that the release was chosen on."""
    if summary.by_closeness:
        return "share of close pairs", f"{_of(summary.prior)}, closer than strangers come by chance"
    here, there = _of(summary.prior), _of(summary.release_prior)
    said = f"{here}, {'as' if here == there else f'and {there}'} where the release was calibrated"
    proven = summary.false_links.promise
    if summary.most_sure is not None and summary.most_sure < LIKELY and not proven:
        least = f"{plain(rounded_down(summary.most_sure, 2), 2)}: too few comparisons to show more"
        said += f"; so the best matches have a probability of at least {least}"
    known = summary.known
    if known is not None and known.is_most and known.n_genuine:
        times = known.share / summary.prior
        if not 1 / MUCH <= times <= MUCH:
            by_labels = plain(known.share, 2)
            said += f"; by the identities of the file it is {_of(known.share)}"
            said += f": --prior {by_labels} takes that" if float(by_labels) < 1 else ""
    return "share of genuine pairs", said


def _of(share: float) -> str:
    """A share of pairs as it is said.

    Example:
        >>> _of(0.000034), _of(0.0), _of(1.0)
        ('34 of 1,000,000', 'none', 'all')
    """
    n, count = out_of(share)
    return {0.0: "none", 1.0: "all"}.get(share, f"{count} of {n}")


def _expected(summary: Summary) -> tuple[str, str | None]:
    """The false matches of this job, as the share of right ones that a promise speaks of too."""
    false, n = summary.false_links.expected, summary.n_matches
    name = "close by chance, expected" if summary.by_closeness else "false matches, expected"
    if false is None or not n:
        return name, None
    few = about(1 - false / n, 100)
    if summary.by_closeness:
        return name, (
            f"{_count(false)} of {n:,}; how many more only look, sound or read alike is not known: "
            "look at the pairs, the lowest scores first"
        )
    few = "hardly any" if few == "none" else few  # which no expectation knows
    here = "here" if summary.reach is None else "here, where shared keys propose what is compared"
    said = f"{_count(false)} of {n:,}, so of 100 matches {few} are right {here}"
    among = summary.false_links.n_identities
    if among is not None and among < FEW:
        said += (
            f": a warning, not a measurement, since the release was measured on only {among} "
            "identities"
        )
    return name, said + _known_right(summary, 1 - false / n)


def _known_right(summary: Summary, told: float) -> str:
    """What known identities say, where clearly more matches are right by them than is expected.

    That fewer are, labels may be to blame for: `_agreement` says so.
    """
    known = summary.known
    if known is None or not known.n_matches or known.n_right / known.n_matches <= told + CLEARLY:
        return ""
    return (
        f"; by the identities of the file, {known.n_right:,} of "
        f"{number_of(known.n_matches, 'match', 'matches')} are right"
    )


def _differing(summary: Summary, asks: str) -> str | None:
    """How many matches have two values of a field, where nobody said what is the same."""
    told = {name: round(100 * of) for name, of in summary.differing.items()}
    some = [f"{name} {n}" for name, n in told.items() if n]
    if not summary.unproven or not some or len(told) < 2:
        return None
    said = ", ".join(some[:MOST_TOLD])
    if not asks:
        return said
    return f"{said}: where one of these makes two things of them (colour, size), {asks} teaches it"


def _count(expected: float) -> str:
    """So many as are expected.

    Example:
        >>> _count(8812.4), _count(0.31), _count(2.8e-10)
        ('8,800', '0.31', 'hardly any')
    """
    return plain(expected, 2) if expected >= 0.1 or not expected else "hardly any"


def _bound(summary: Summary, asks: str) -> list[tuple[str, str | None]]:
    """How many matches are false at most, and what that rests on; where it says nothing, so.

    A bound of half of the matches or more tells nobody anything.
    """
    false, n, name = summary.false_links, summary.n_matches, "false matches, at most"
    if false.at_most is None:
        return [("which rests on", false.basis)]
    if false.at_most > HALF * n:
        tells = f"; {asks} asks about some, drawn at random, and tells" if asks else ""
        return [(name, f"{OPEN}{tells}" if n else None)]
    own, basis = summary.release_threshold, false.basis
    if not _is_own(summary):
        basis += f"; counted at the threshold {own:.4g} of the release, where more pairs match"
    return [(name, f"{math.floor(false.at_most):,} of {n:,}"), ("which rests on", basis)]


def _least_sure(summary: Summary) -> str | None:
    """Why a pair that is more probably none may be a match; None where there is no such pair.

    Nor where more is proven of the matches than their probabilities say.
    """
    if summary.least_sure is None or summary.least_sure >= HALF or summary.false_links.promise:
        return None
    surely = plain(rounded_down(summary.least_sure, 2), 2)
    return (
        f"probability {surely}: the goal is reached by all matches together, so that single "
        "ones may be more likely wrong than right; and the fewer comparisons told of it, the "
        "lower is a probability"
    )


def _is_own(summary: Summary) -> bool:
    """Whether the threshold that decides here is that of the release."""
    return f"{summary.threshold:.4g}" == f"{summary.release_threshold:.4g}"


def _threshold(summary: Summary) -> str:
    """What decides here, and why it is not what the release says."""
    if _is_own(summary):
        return f"{summary.threshold:.4g}, as the release says"
    here, there = _of(summary.prior), _of(summary.release_prior)
    at, of = "by the scores of these records", "here"
    if here != there:
        at, of = "at this share", "at this share"
    return (
        f"{summary.threshold:.4g} for this set: the same goal {at}; "
        f"{summary.release_threshold:.4g} in the release; nothing is proven {of}{_missed(summary)}"
    )


def _missed(summary: Summary) -> str:
    """How many pairs the threshold misses: of this set by its identities, or of eval."""
    known, missed, by = summary.known, summary.missed, "as on eval"
    if known is not None and known.is_most and known.n_genuine:
        missed, by = 1 - known.n_right / known.n_genuine, "by the identities of the file"
    if missed is None:
        return ""
    return f"; of 100 pairs that belong together {about(missed, 100)} are missed, {by}"
