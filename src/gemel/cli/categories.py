"""What a release does to each category, and with one that was named, on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemel.cli import show
from gemel.errors import quoted

if TYPE_CHECKING:
    from gemel.calibrate.rates.by_category import Breakdown, Row, Worst
    from gemel.calibrate.rates.intervals import Estimate
    from gemel.release.release import Release

BETWEEN = "(between, or of unknown)"


def note_unknown(category: str | None, release: Release) -> None:
    """Say to stderr why a category that was named counts for nothing, where that is so."""
    known = release.policy.categories
    if category is None or (known is not None and category in known.lines):
        return
    if known is None:
        said = f"{release.short_id} does not decide by category: {quoted(category)} changes nothing"
    else:
        names = ", ".join(quoted(name) for name in list(known.lines)[: show.SHOWN])
        said = (
            f"{known.column} {quoted(category)} is not known: the strictest threshold decides; "
            f"known are {names}"
        )
    show.say(f"note: {said}")


def show_categories(found: Breakdown | None, *, write: show.Write = show.out) -> None:
    """Write the error rates of each category on eval, the worst of them, and every two of them.

    Args:
        found: of the evidence; None writes nothing.
        write: takes a line.
    """
    if found is None:
        return
    write("")
    head = [found.column, "identities", "genuine", "impostor", "threshold", "FMR", "FNMR"]
    rows = [*found.rows, *([found.between] if found.between else [])]
    show.table(head, [_cells(row) for row in rows], write)
    for rate, worst in (("FMR", found.worst_fmr), ("FNMR", found.worst_fnmr)):
        if worst is not None:
            write(f"worst {rate}: {_worst(worst, len(found.rows), found.confidence)}")
    if found.worst_fmr is not None and found.between and not found.worst_fmr.value:
        false = found.between.fmr
        if false.value:
            write(
                f"all false matches are between categories, or of records of an unknown one: "
                f"FMR {_rate(false)} there"
            )
    if len(found.rows) > 1 and found.matrix:
        write("")
        _show_matrix(found, write)


def _cells(row: Row) -> list[Any]:
    threshold = "the higher" if row.threshold is None else row.threshold
    counts = [row.n_identities, row.n_genuine, row.n_impostor]
    return [row.category or BETWEEN, *counts, threshold, _rate(row.fmr), _rate(row.fnmr)]


def _rate(e: Estimate) -> str:
    return e.span() if e.n_effective else "-"


def _worst(worst: Worst, n_categories: int, confidence: float) -> str:
    from gemel.figures import percent, plain

    highest = "none seen in any category"
    if worst.value:
        highest = f"{worst.category}, {plain(worst.value, 3)}"
    left = n_categories - worst.n_judged
    unjudged = f"; {left} too small to judge" if left else ""
    return (
        f"{highest}; with {percent(confidence)} confidence the highest of all "
        f"lies between {plain(worst.low, 3)} and {plain(worst.high, 3)}{unjudged}"
    )


def _show_matrix(found: Breakdown, write: show.Write) -> None:
    """FMR of every two categories."""
    from gemel.figures import plain

    names = [row.category for row in found.rows]
    fmr = {frozenset((c.left, c.right)): c.fmr for c in found.matrix}

    def shown(a: str, b: str) -> str:
        value = fmr.get(frozenset((a, b)))
        return "-" if value is None else plain(value, 2)

    rows = [[a, *(shown(a, b) for b in names[: i + 1])] for i, a in enumerate(names)]
    padded = [row + [""] * (len(names) + 1 - len(row)) for row in rows]
    show.table(["FMR between", *names], padded, write)
