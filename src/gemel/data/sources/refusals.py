"""How many refused records stop the reading of a file, and what is said then.

A record that does not fit is refused and reported by whoever reads it; a few of them are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gemel.data.dataset import BadRecord, Dataset
from gemel.data.sources.folders import Files
from gemel.data.sources.formats.text import AS_UTF_8, NOT_UTF_8
from gemel.errors import DataError
from gemel.figures import number_of

MAX_BAD_RATIO = 0.01
FEW_FILES, FEW_RATIO = 10, 0.1
"""So many broken files stop nothing where they are at most that share, whatever ratio is said."""
MOST = 0.5
"""Share of the records that nobody means to leave out."""
SHOWN = 5
"""Refused records that an error names; of more, the first three."""


def checked(dataset: Dataset, max_bad_ratio: float) -> Dataset:
    """The dataset itself, unless too much of its own source was refused.

    Raises:
        DataError: it was, or nothing is left.
    """
    most, limit = max_bad_ratio, ""
    if isinstance(dataset.contents, Files) and max_bad_ratio < FEW_RATIO:
        few = f"{FEW_FILES} files that are at most {FEW_RATIO:.0%} of all"
        limit = f"the limit is {few}, or {max_bad_ratio:.1%} of all"
        most = FEW_RATIO if len(dataset.bad) <= FEW_FILES else max_bad_ratio
    names = frozenset(field.name for field in dataset.fields)
    check_ratio(dataset.bad, dataset.n_read, dataset.source, most, names, limit)
    if not len(dataset):
        reason = f"; the first: {dataset.bad[0]}" if dataset.bad else ""
        raise DataError(f"no usable records{reason}", where=dataset.source)
    return dataset


def check_ratio(
    bad: Sequence[BadRecord],
    n_read: int,
    source: str,
    max_bad_ratio: float,
    fields: frozenset[str] = frozenset(),
    limit: str = "",
) -> None:
    """Raise where more of the records of a source were refused than may be.

    Args:
        bad: what was refused.
        n_read: records in all.
        source: file or folder.
        max_bad_ratio: share that may be refused.
        fields: columns that could be read as text instead.
        limit: what the limit is, in words; empty: `max_bad_ratio`.
    Raises:
        DataError: it says how many, the first of them, and what helps.
    """
    n_bad = len({(b.file, b.row) for b in bad})
    if n_bad <= max_bad_ratio * n_read:
        return
    n_shown = len(bad) if len(bad) <= SHOWN else 3
    shown = "; ".join(str(b) for b in bad[:n_shown])
    if len(bad) > n_shown:
        shown += f"; {len(bad) - n_shown:,} more"
    limit = limit or f"the limit is {max_bad_ratio:.1%}"
    count = f"{n_bad:,} of {number_of(n_read, 'record')} cannot be used, {limit}"
    ratio = above(n_bad / n_read)
    hint = (
        f"correct them, or leave them out: --set data.max_bad_ratio={ratio}, or under [data] of "
        f"gemel.toml max_bad_ratio = {ratio}"
        if n_bad <= MOST * n_read
        else "so many say that a setting does not fit the file, or that it is another one: gemel "
        "config show lists all that is set"
    )
    columns = {b.column for b in bad}
    if len(columns) == 1 and columns <= fields:
        hint += f'; data.columns.{columns.pop()} = "text" takes the values as they are'
    if any(b.reason == NOT_UTF_8 for b in bad):
        hint = AS_UTF_8
    raise DataError(f"{count}: {shown}", where=source, hint=hint)


def above(share: float) -> float:
    """A share with few digits that is at least this one."""
    return math.ceil(share * 100) / 100
