"""The validated, immutable set of records that every later stage starts from.

A dataset knows its records, who they belong to and which input rows were refused, and why. It does
not know how they were split or encoded. Nothing is dropped silently: for one table or image folder
`len(dataset) + n_bad == n_read`; a file of pairs adds its own refused pairs to `bad`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arguments import require
from gemel.arrays import Int64, digest
from gemel.data.pairing import ALL, Pairing
from gemel.data.schema import Field
from gemel.errors import DataError
from gemel.figures import html_table, number_of

if TYPE_CHECKING:
    import polars as pl

UNKNOWN = -1
MAX_CATEGORIES = 1000
MAX_ID_LENGTH = 1024


@dataclass(frozen=True)
class BadRecord:
    """An input row or file that was refused, with the reason.

    `row` is the line of a text file (the header is line 1), the row of a Parquet file (from 1), or
    None for an image. `record` is its place among the records where that is another one, as values
    have several lines.
    """

    file: str
    row: int | None
    column: str | None
    reason: str
    record: int | None = None

    @property
    def place(self) -> str:
        """`row 7`, or `line 7 (record 4)`; empty for an image."""
        if self.record is not None:
            return f"line {self.row} (record {self.record})"
        return "" if self.row is None else f"row {self.row}"

    def __str__(self) -> str:
        """`file, row 7, column by: not a number: 'x'`."""
        column = "" if self.column is None else f"column {self.column}"
        at = ", ".join(part for part in (self.file, self.place, column) if part)
        return f"{at}: {self.reason}"


class Contents(Protocol):
    """The payloads of n records, wherever they are kept."""

    @property
    def frame(self) -> pl.DataFrame | None:
        """Typed columns named as the fields; None where payloads have no fields."""

    def payloads(self, idx: Int64) -> list[Any]:
        """What an encoder takes, of the records at these positions; read now, not before.

        Raises:
            DataError: one is gone or unreadable.
        """

    def take(self, idx: Int64) -> Self:
        """Those of the records at these positions."""

    def digest(self, dataset: Dataset) -> str:
        """Digest of the payloads with the ids, identities and groups of their records."""

    def alike(self, side: Int64, *, near: bool) -> tuple[NDArray[np.integer[Any]], Int64]:
        """Which payloads are the same, and which nearly so.

        Args:
            side: (n,) int64; only records on different sides can be near, -1 is on none.
            near: also look for near ones.
        Returns:
            (n,) keys that are equal for equal payloads; (m, 2) a record and its near one on an
            earlier side.
        """

    def shown(self, i: int) -> str:
        """The payload of record i in a few words for people, or nothing."""


@dataclass(frozen=True, eq=False)
class Held:
    """Payloads in memory, of any kind that JSON can carry; two are the same if their JSON is.

    Args:
        values: one payload a record.
    """

    values: tuple[Any, ...]
    frame: None = None

    def payloads(self, idx: Int64) -> list[Any]:
        """Those at these positions."""
        return [self.values[i] for i in idx.tolist()]

    def take(self, idx: Int64) -> Held:
        """Those at these positions."""
        return Held(tuple(self.payloads(idx)))

    def digest(self, dataset: Dataset) -> str:
        """Of the ids with identity and JSON."""
        return digest_of(dataset, [msgspec.json.encode(v).decode() for v in self.values])

    def alike(self, side: Int64, *, near: bool) -> tuple[NDArray[np.integer[Any]], Int64]:
        """Equal JSON; none is near."""
        texts = [msgspec.json.encode(v).decode() for v in self.values]
        return np.unique(texts, return_inverse=True)[1], np.zeros((0, 2), np.int64)

    def shown(self, i: int) -> str:
        """The first characters of its JSON."""
        return msgspec.json.encode(self.values[i]).decode()[:80]


@dataclass(frozen=True, eq=False)
class CategoryColumn:
    """The category of each record, such as its country: what error rates are told apart by.

    Args:
        name: of the column.
        codes: (n,) int64 into `names`; -1 where the category is unknown.
        names: name of each code.
    Raises:
        DataError: more than 1,000 categories.
    """

    name: str
    codes: Int64
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) > MAX_CATEGORIES:
            raise DataError(
                f"{len(self.names):,} categories, at most {MAX_CATEGORIES:,} are told apart",
                where=f"column {self.name}",
                hint="a category groups many identities: name a coarser column",
            )

    @property
    def digest(self) -> str:
        """Digest of the name of the column and the category of each record, 64 hex digits."""
        return digest(msgspec.json.encode([self.name, self.codes.tolist(), self.names]))

    def take(self, idx: NDArray[np.integer[Any]]) -> CategoryColumn:
        """The categories of the records at these positions; codes and names stay."""
        return replace(self, codes=self.codes[idx])

    def of(self, i: int) -> str | None:
        """Category of record i, or None where it is unknown."""
        code = int(self.codes[i])
        return None if code == UNKNOWN else self.names[code]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Records of one modality, with their identities.

    Attributes:
        modality: name of what a payload is.
        contents: the payloads.
        fields: what a payload consists of; empty where it has no fields.
        ids: (n,) str, unique.
        identities: (n,) int64 codes into `identity_names`; -1 where the identity is unknown.
            `take` keeps the codes, so they mean the same in every part of one dataset.
        identity_names: name of each code.
        bad: the refused input, first to last.
        source: where the records came from, for messages and reports.
        n_read: input rows (or image files) looked at, refused ones included.
        notes: what a user should know about columns, one sentence each.
        gaps: of each column the first value that does not fit and is read as missing, and of how
            many.
        category: of each record, if a column says so; no encoder sees it unless it is a field too.
        groups: per column that joins identities (see `units`), (n,) int64 codes; -1 where unknown.
        pairing: which pairs of the records are compared.
    """

    modality: str
    contents: Contents
    fields: tuple[Field, ...]
    ids: NDArray[np.str_]
    identities: Int64
    identity_names: tuple[str, ...]
    bad: tuple[BadRecord, ...] = ()
    source: str = ""
    n_read: int = 0
    notes: tuple[str, ...] = ()
    category: CategoryColumn | None = None
    groups: Mapping[str, Int64] = field(default_factory=dict)
    pairing: Pairing = ALL
    gaps: tuple[BadRecord, ...] = ()

    def __repr__(self) -> str:
        known = f"{number_of(len(self.identity_names), 'identity')}, {self.n_bad:,} refused"
        notes = f"; .notes: {'; '.join(self.notes)}" if self.notes else ""
        what = number_of(len(self), f"{self.modality} record")
        return f"Dataset({what} of {self.source}, {known}{notes})"

    def _repr_html_(self) -> str:
        fields = ", ".join(f"{f.name} ({f.called})" for f in self.fields)
        rows: list[tuple[str, Any]] = [("modality", self.modality), ("fields", fields)]
        rows += [("identities", f"{len(self.identity_names):,}"), ("refused", self.n_bad)]
        rows += [("note", note) for note in (*self.notes, *map(str, self.gaps))]
        return html_table(f"{number_of(len(self), 'record')} of {self.source}", rows)

    def __len__(self) -> int:
        """Number of records."""
        return len(self.ids)

    @property
    def n_bad(self) -> int:
        """Number of input rows (or image files) that were refused."""
        return len({(b.file, b.row) for b in self.bad})

    @property
    def has_identities(self) -> bool:
        """Whether the identity of any record is known."""
        return bool((self.identities != UNKNOWN).any())

    @cached_property
    def digest(self) -> str:
        """Digest of the content as 64 hex digits: fields, ids, identities and values.

        It does not depend on the file format that the records came in, nor on categories, since no
        training does. Their order counts, since splits are positions; groups count where given, and
        so does which pairs are compared.
        """
        content = self.contents.digest(self)
        if self.pairing.is_all:
            return content
        return digest(content.encode(), self.pairing.digest.encode())

    @property
    def frame(self) -> pl.DataFrame | None:
        """Typed columns named as `fields`; None where payloads have no fields."""
        return self.contents.frame

    @property
    def written(self) -> pl.DataFrame | None:
        """All columns of the table as they stand there, a row per record; None without a table."""
        return getattr(self.contents, "written", None)

    @property
    def unused(self) -> tuple[str, ...]:
        """Columns of that table that are not compared, and neither id nor identity."""
        return getattr(self.contents, "unused", ())

    def payloads(self, idx: NDArray[np.integer[Any]] | Sequence[int] | None = None) -> list[Any]:
        """What an encoder takes, one for each record.

        Args:
            idx: (m,) positions; None for all. Files are read now, not before.
        Raises:
            DataError: a file is gone or unreadable.
        """
        chosen = np.arange(len(self)) if idx is None else np.asarray(idx, dtype=np.int64)
        return self.contents.payloads(chosen)

    def take(self, idx: NDArray[np.integer[Any]] | Sequence[int]) -> Dataset:
        """The records at these positions, in this order; identity codes and names stay."""
        chosen = np.asarray(idx, dtype=np.int64)
        return replace(
            self,
            ids=self.ids[chosen],
            identities=self.identities[chosen],
            bad=(),
            n_read=len(chosen),
            contents=self.contents.take(chosen),
            category=None if self.category is None else self.category.take(chosen),
            groups={name: codes[chosen] for name, codes in self.groups.items()},
            pairing=self.pairing.take(chosen),
        )

    def identity_of(self, i: int) -> str | None:
        """Name of the identity of record i, or None where it is unknown."""
        code = int(self.identities[i])
        return None if code == UNKNOWN else self.identity_names[code]


def fault_of_id(name: str) -> str:
    r"""Why a text cannot name a record, such as `has unprintable characters`; empty if it can.

    Example:
        >>> fault_of_id("r1"), fault_of_id("a\nb")
        ('', 'has unprintable characters')
    """
    if not 0 < len(name) <= MAX_ID_LENGTH:
        return f"is not 1 to {MAX_ID_LENGTH} characters long"
    if any("\udc80" <= c <= "\udcff" for c in name):
        return "is not UTF-8"
    return "" if name.isprintable() else "has unprintable characters"


def printable(text: str) -> str:
    r"""A text for messages and files: what cannot be printed is escaped.

    Example:
        >>> printable("a\nb")
        'a\\nb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def digest_of(dataset: Dataset, hashes: Sequence[str]) -> str:
    """Digest of the ids with the identity and the hash of each record, in their order."""
    names = [dataset.identity_of(i) for i in range(len(dataset))]
    lines = list(zip(dataset.ids.tolist(), names, hashes, strict=True))
    return digest(dataset.modality.encode(), msgspec.json.encode(lines))


def codes(names: Sequence[str | None]) -> tuple[Int64, tuple[str, ...]]:
    """Dense codes in order of first appearance, and the name of each; None becomes -1.

    Example:
        >>> codes(["b", None, "a", "b"])[0].tolist()
        [0, -1, 1, 0]
    """
    seen: dict[str, int] = {}
    out = np.fromiter(
        (UNKNOWN if n is None else seen.setdefault(n, len(seen)) for n in names),
        dtype=np.int64,
        count=len(names),
    )
    return out, tuple(seen)


def require_dataset(value: object, purpose: str) -> None:
    """Raise if an argument is no dataset.

    Raises:
        ConfigError: it is something else, such as a frame.
    """
    require(value, Dataset, f"a Dataset {purpose}", "gemel.read makes one of a path or a frame")
