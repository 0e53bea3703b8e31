"""What the columns of a table are called: by its header, and by the row of groups above it.

No two have one name: those that the header does not tell apart are told by their groups, as
`Billing Street` and `Shipping Street`, or else numbered, as `Phone` and `Phone 2`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from gemel.data.sources.formats.heading import is_no_name
from gemel.data.sources.formats.text import AS_UTF_8, spoilt
from gemel.errors import DataError


def column_names(
    header: Sequence[str], where: str, row: int = 1, above: Sequence[str] = ()
) -> tuple[list[str], tuple[str, ...]]:
    """Names of columns, and what a user should know of them.

    Args:
        header: cells of the row that names them.
        where: file.
        row: its number.
        above: cells of the row above, which names groups of columns if it has two cells or more.
    Raises:
        DataError: there are none, they are no text, or one that is a number is there twice.

    Example:
        >>> column_names(["No", "Phone", "Phone"], "x.csv")[0]
        ['No', 'Phone', 'Phone 2']
        >>> above = ["", "Billing", "", "Shipping", ""]
        >>> column_names(["No", "Street", "Town", "Street", "Town"], "x.csv", 2, above)[0]
        ['No', 'Billing Street', 'Billing Town', 'Shipping Street', 'Shipping Town']
    """
    if not header:
        raise DataError("the header cannot be read", where=f"{where}, row {row}")
    over = [cell.strip() for cell in above[: len(header)]]
    over += [""] * (len(header) - len(over))
    if sum(map(bool, over)) < 2:
        over = [""] * len(header)
    said = [cell.strip() or group for cell, group in zip(header, over, strict=True)]
    if spoilt([*said, *over]) is not None:
        raise DataError("the header is not UTF-8 text", where=f"{where}, row {row}", hint=AS_UTF_8)
    notes = [
        f"column {i} has no name in the header; called column_{i}"
        for i, name in enumerate(said, 1)
        if not name
    ]
    names = [name or f"column_{i}" for i, name in enumerate(said, 1)]
    for name in dict.fromkeys(names):
        places = [i for i, other in enumerate(names) if other == name]
        if len(places) == 1:
            continue
        if is_no_name(name):
            hint = "each column needs its own name; is it a record, put a row of names above it"
            raise DataError(
                f"the header names {name!r} twice", where=f"{where}, row {row}", hint=hint
            )
        groups = [_group(over, i) for i in places]
        apart = [f"{group} {name}" for group in groups]
        if all(groups) and len({*apart}) == len(apart) and not {*apart} & {*names}:
            how = "told apart by the row above"
        else:
            how = "numbered"
            apart = _numbered(name, len(places), names)
        for i, new in zip(places, apart, strict=True):
            names[i] = new
        listed = ", ".join(map(repr, apart))
        notes.append(f"{len(places)} columns are called {name!r} in the header; {how}: {listed}")
    return names, tuple(notes)


def _group(over: Sequence[str], i: int) -> str:
    """The group of a column: a cell that was merged has its text in the first column alone."""
    return next((over[j] for j in range(i, -1, -1) if over[j]), "")


def _numbered(name: str, n: int, taken: Sequence[str]) -> list[str]:
    """`n` names, the first of them as it is, that none of those that are taken equals."""
    free = (new for new in (f"{name} {k}" for k in count(2)) if new not in taken)
    return [name, *(next(free) for _ in range(n - 1))]
