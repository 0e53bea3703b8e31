"""Which columns of tables hold ids and identities, by their names and by what repeats."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from gemel.data.proposals import codes
from gemel.data.schema import as_strings, without_gaps

if TYPE_CHECKING:
    import polars as pl

IDENTITY_NAMES = (
    "identity", "entity_id", "entity", "person_id", "person", "customer_id", "cluster_id",
    "cluster", "group_id", "group", "match_id", "label", "class",
)  # fmt: skip
SAYS_WHO = re.compile(
    r"(entity|person|customer|client|kunden?|mandant(en)?|patient(en)?|master|golden|cluster|"
    r"dup|dupe|duplicates?|du[bp]letten?|doublons?|identit(y|ät|aet)|truth|gold|same|match)"
    r"(record|set|group|gruppe|cluster)?(id|ids|nr|no|num|number|nummer|key|code|uid|uuid)?"
)
"""Names, of small letters without signs between, of columns of codes that say which rows belong."""
ID_NAMES = ("id", "record_id", "rec_id", "uid", "key")
FEW = 20
"""Rows below which numbers that differ show nothing."""
STRAY = 2
"""Rows that are none of the records, such as a sum, which an index or an id does not count."""
SHARED = 0.05
"""Share of the smaller file's values that both must have for a column to be the identity."""


def identity_of(frame: pl.DataFrame) -> str | None:
    """The column most likely to say which rows belong together, as a proposal to the user.

    It goes by the name, and the values must come back: at least one identity with two rows, at
    least two identities. Under other names that say so it has to hold codes that come back in rows
    that are alike elsewhere: "customer" may be a name, and that of an order. Nothing in the library
    acts on it without being told to.
    """
    by_name = {c.strip().lower(): c for c in reversed(frame.columns)}
    for name in IDENTITY_NAMES:
        column = by_name.get(name)
        if column is None:
            continue
        values = frame[column].drop_nulls()
        if 2 <= values.n_unique() < len(values):
            return column
    named = [c for c in frame.columns if SAYS_WHO.fullmatch(re.sub(r"[\W_]", "", c.lower()))]
    alike = codes.shared_by_alike(frame, filled=0.0) if named else []
    return next((c for c in alike if c in named), None)


def identity_of_both(left: pl.DataFrame, right: pl.DataFrame) -> tuple[str, str, float] | None:
    """The columns of two files most likely to say which rows belong together, and what they share.

    Names like those of `identity_of` in both, and the same values: the third number is the share
    of the different values of the file with fewer that the other has too.
    """
    found: list[tuple[float, str, str]] = []
    for one in left.columns:
        for two in right.columns:
            names = {c.strip().lower() for c in (one, two)}
            if not names <= set(IDENTITY_NAMES):
                continue
            few, many = sorted(
                (as_strings(f[c]).drop_nulls().unique() for f, c in ((left, one), (right, two))),
                key=len,
            )
            share = float(few.is_in(many.implode()).mean() or 0.0) if len(few) else 0.0  # type: ignore[arg-type]
            if share >= SHARED:
                found.append((share, one, two))
    if not found:
        return None
    share, one, two = max(found)
    return one, two, share


def id_of(
    frame: pl.DataFrame, taken: Collection[str | None], max_bad_ratio: float, flag: str = "--id"
) -> tuple[str | None, str]:
    """The column that is called like an id and, but for a few rows, unique; and a note on it.

    One with more repeats than may be refused is left among the fields, and the note says so. If
    none is called so, one that counts the rows is the id.

    Args:
        frame: the table.
        taken: columns that are something else.
        max_bad_ratio: share of rows that may be refused.
        flag: of the command line that names another.
    """
    note = "no column is called an id: records are known by the number of their row"
    for column in frame.columns:
        name = column.strip().lower()
        if column in taken or not (name in ID_NAMES or name.endswith("_id")):
            continue
        present = without_gaps(frame[column], ()).drop_nulls()
        n = len(frame) - present.n_unique()
        few = len(frame) >= FEW and n == len(frame) - len(present) <= STRAY
        if few or n <= max_bad_ratio * len(frame):
            rows = f"{n:,} row{'s' * (n > 1)} without or with a repeated one will be refused"
            return column, f"id is column {column!r}" + (f": {rows}" if n else "")
        note = f"column {column!r} repeats values: it is a field and no id; {flag} names another"
    for column in frame.columns:
        if column not in taken and (stray := _strays(frame[column])) is not None:
            but = f", but for {', '.join(stray)}" if stray else ""
            return (
                column,
                f"id is column {column!r}, which counts the rows{but}; {flag} names another",
            )
    return None, note


def index_of(frame: pl.DataFrame) -> str | None:
    """The column that a program wrote beside the others: the first, nameless, of whole numbers.

    They differ in every row, or go up by one from most rows to the next (parts of a table that were
    put together); it says nothing about a record.

    Example:
        >>> import polars as pl
        >>> index_of(pl.DataFrame({"column_1": ["0", "1", "7"], "name": ["a", "b", "c"]}))
        'column_1'
    """
    import polars as pl

    first = frame.columns[0] if len(frame.columns) > 1 else ""
    if re.fullmatch(r"column_1|unnamed: ?0", first.strip().lower()) is None:
        return None
    present = as_strings(frame[first]).drop_nulls()
    numbers = present.filter(present.str.contains(r"^\d+$")).cast(pl.Int64, strict=False)
    if len(numbers) < 2 or len(numbers) < len(frame) - STRAY:
        return None
    steps = float((numbers.diff().drop_nulls() == 1).mean() or 0.0)  # type: ignore[arg-type]
    return first if numbers.n_unique() == len(numbers) or steps > 0.5 else None


def _strays(values: pl.Series) -> list[str] | None:
    """The few values that do not count, such as "Sum", where others do; None where they do not.

    Numbers, as in C1, C2..., differ in every row and leave few out: no fact.
    """
    import polars as pl

    texts = as_strings(without_gaps(values, ()))
    heads = texts.str.extract(r"^(.*?)\d+$")
    common = heads.drop_nulls().mode().sort()
    counted = texts.filter(heads == common[0]) if len(common) else texts.clear()
    numbers = counted.str.extract(r"(\d+)$").cast(pl.Int64, strict=False)
    if len(numbers) < max(FEW, len(texts) - STRAY):
        return None
    if numbers.null_count() or numbers.n_unique() < len(numbers):
        return None
    if int(numbers.max() - numbers.min()) >= 2 * len(numbers):  # type: ignore[operator, arg-type]
        return None
    stray = texts.filter((heads != common[0]).fill_null(True)).to_list()
    return ["a row without one" if text is None else repr(text) for text in stray]
