"""The validated, immutable set of records that every later stage starts from.

A dataset knows its records, who they belong to and which input rows were refused, and why. It does
not know how they were split or encoded. Nothing is dropped silently: for one table or image folder
`len(dataset) + n_bad == n_read`; a file of pairs adds its own refused pairs to `bad`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64, canonical_json, digest
from gemel.data.schema import Field
from gemel.errors import DataError

if TYPE_CHECKING:
    import polars as pl

Modality = Literal["row", "image"]
UNKNOWN = -1
MAX_CATEGORIES = 1000


@dataclass(frozen=True)
class BadRecord:
    """An input row or file that was refused, with the reason.

    `row` is the line of a text file (the header is line 1), the row of a Parquet file (from 1), or
    None for an image.
    """

    file: str
    row: int | None
    column: str | None
    reason: str

    def __str__(self) -> str:
        """`file, row 7, column by: not a number: 'x'`."""
        row = "" if self.row is None else f", row {self.row}"
        column = "" if self.column is None else f", column {self.column}"
        return f"{self.file}{row}{column}: {self.reason}"


@dataclass(frozen=True)
class ImageFile:
    """An image on disk and the SHA-256 of its bytes when it was read and checked."""

    path: Path
    sha256: str


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
        modality: `row` (values in `frame`) or `image` (bytes in `files`).
        fields: the columns of a row; empty for images.
        ids: (n,) str, unique.
        identities: (n,) int64 codes into `identity_names`; -1 where the identity is unknown.
            `take` keeps the codes, so they mean the same in every part of one dataset.
        identity_names: name of each code.
        bad: the refused input, first to last.
        source: where the records came from, for messages and reports.
        n_read: input rows (or image files) looked at, refused ones included.
        notes: what a user should know about columns, one sentence each.
        frame: typed columns named as `fields`, for rows.
        files: one per record, for images.
        category: of each record, if a column says so; no encoder sees it unless it is a field too.
        groups: per column that joins identities (see `units`), (n,) int64 codes; -1 where unknown.
    """

    modality: Modality
    fields: tuple[Field, ...]
    ids: NDArray[np.str_]
    identities: Int64
    identity_names: tuple[str, ...]
    bad: tuple[BadRecord, ...] = ()
    source: str = ""
    n_read: int = 0
    notes: tuple[str, ...] = ()
    frame: pl.DataFrame | None = None
    files: tuple[ImageFile, ...] = ()
    category: CategoryColumn | None = None
    groups: Mapping[str, Int64] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of records."""
        return len(self.ids)

    @property
    def n_bad(self) -> int:
        """Number of input rows (or image files) that were refused."""
        return len({(b.file, b.row) for b in self.bad})

    @cached_property
    def digest(self) -> str:
        """Digest of the content as 64 hex digits: fields, ids, identities and values, in order.

        It does not depend on the file format that the records came in, nor on categories, since no
        training does. Groups count where given. For images it covers the sorted ids with the
        SHA-256 of each file.
        """
        names = [self.identity_of(i) for i in range(len(self))]
        if self.modality == "image":
            hashes = [f.sha256 for f in self.files]
            lines = sorted(zip(self.ids.tolist(), names, hashes, strict=True))
            return digest(b"image", msgspec.json.encode(lines))
        head = canonical_json([[f.name, f.kind] for f in self.fields])
        values = [msgspec.json.encode(self._rows()[f.name].to_list()) for f in self.fields]
        labels = (msgspec.json.encode(self.ids.tolist()), msgspec.json.encode(names))
        joined = [msgspec.json.encode([n, c.tolist()]) for n, c in self.groups.items()]
        return digest(b"row", head, *labels, *values, *joined)

    def payloads(self, idx: NDArray[np.integer[Any]] | Sequence[int] | None = None) -> list[Any]:
        """What an encoder takes: a dict per row, or the bytes of each image file.

        Args:
            idx: (m,) positions; None for all. Image files are read now, not before.
        Raises:
            DataError: an image file is gone or unreadable.
        """
        chosen = np.arange(len(self)) if idx is None else np.asarray(idx, dtype=np.int64)
        if self.modality == "image":
            return [_bytes_of(self.files[i].path) for i in chosen]
        frame = self._rows()
        return (frame if idx is None else frame[chosen]).to_dicts()

    def take(self, idx: NDArray[np.integer[Any]] | Sequence[int]) -> Dataset:
        """The records at these positions, in this order; identity codes and names stay."""
        chosen = np.asarray(idx, dtype=np.int64)
        return replace(
            self,
            ids=self.ids[chosen],
            identities=self.identities[chosen],
            bad=(),
            n_read=len(chosen),
            frame=None if self.frame is None else self.frame[chosen],
            files=tuple(self.files[i] for i in chosen) if self.files else (),
            category=None if self.category is None else self.category.take(chosen),
            groups={name: codes[chosen] for name, codes in self.groups.items()},
        )

    def identity_of(self, i: int) -> str | None:
        """Name of the identity of record i, or None where it is unknown."""
        code = int(self.identities[i])
        return None if code == UNKNOWN else self.identity_names[code]

    def _rows(self) -> pl.DataFrame:
        if self.frame is None:
            raise DataError("these records are not rows", where=self.source)
        return self.frame


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


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise DataError(f"cannot read the image: {e.strerror}", where=str(path)) from e
