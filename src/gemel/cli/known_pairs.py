"""Which columns of a file of known pairs hold the ids of the records, or why none do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gemel.data.schema import as_strings
from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from gemel.data.sources.pairs import PairColumns

HOLDS = 0.5
"""Share of the values of a column that have to be ids for it to hold them."""


@dataclass(frozen=True, eq=False)
class Side:
    """A file of records that pairs name.

    Attributes:
        name: of the file.
        frame: its columns.
        id: its column of ids; None: the records are known by the number of their row.
        flag: of the command line that names another.
    """

    name: str
    frame: pl.DataFrame
    id: str | None
    flag: str

    def ids(self) -> set[str]:
        """By which its records are known."""
        if self.id is None:
            return {str(number) for number in range(1, len(self.frame) + 1)}
        return _values(self.frame[self.id])


def columns_of(path: Path, frame: pl.DataFrame, left: Side, right: Side) -> PairColumns | None:
    """The columns of a file of pairs that hold ids of the left, ids of the right, and the answer.

    Args:
        path: of the file.
        frame: its columns.
        left: the file of the records that a pair names first.
        right: that of those it names second; for one file of records, the same.
    Returns:
        None: ids are there, and which column is of which side does not show.
    Raises:
        DataError: no column holds ids of one side; the hint names a column of its file that does.
    """
    from gemel.data.proposals.given import pairs_of_ids

    ids = {left.name: left.ids(), right.name: right.ids()}
    found = pairs_of_ids(frame, ids[left.name], ids[right.name])
    if found is not None:
        return found
    values = {column: _values(frame[column]) for column in frame.columns}
    held = {
        name: next((c for c, said in values.items() if _share(said, known) >= HOLDS), None)
        for name, known in ids.items()
    }
    for side in (left, right):
        if held[side.name] is None:
            free = {c: said for c, said in values.items() if c not in held.values()}
            raise _no_ids(path, side, held, free)
    return None


def _no_ids(
    path: Path, side: Side, held: dict[str, str | None], free: dict[str, set[str]]
) -> DataError:
    """What is said where no column holds ids of one file."""
    others = [f"{column!r} holds ids of {name}" for name, column in held.items() if column]
    known = "by the number of their row" if side.id is None else f"by column {side.id!r}"
    none = f"{', '.join(map(repr, free)) or 'no other column'}: none of {side.name}"
    better = [column for said in free.values() for column in _holders(side.frame, said)]
    hint = f"name the column of {side.name} that pairs are told by: {side.flag} COLUMN"
    if better:
        hint = f"column {better[0]!r} of {side.name} holds them: {side.flag} {better[0]!r}"
    return DataError(
        f"{'; '.join([*others, none])}, whose records are known {known}",
        where=str(path),
        hint=hint,
    )


def _holders(frame: pl.DataFrame, said: set[str]) -> list[str]:
    """The columns of a file of records in which most of these values stand."""
    return [name for name in frame.columns if _share(said, _values(frame[name])) >= HOLDS]


def _share(said: set[str], known: set[str]) -> float:
    return len(said & known) / max(1, len(said))


def _values(column: pl.Series) -> set[str]:
    return set(as_strings(column).drop_nulls().to_list())
