"""The records that are compared: one data set with itself, or the first with a second one.

They stand in one sequence, each data set in the order of its ids, so that the order of the input
changes nothing. Positions in this sequence are what pairs and clusters speak of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
from gemel.data.dataset import UNKNOWN, Dataset, require_dataset
from gemel.data.identities import folded
from gemel.errors import DataError
from gemel.release.release import Release

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Compared:
    """Records in one sequence.

    Attributes:
        left: the first data set, by id.
        right: the second, by id; None to compare the first with itself.
    """

    left: Dataset
    right: Dataset | None = None

    @classmethod
    def of(cls, release: Release, dataset: Dataset, other: Dataset | None) -> Compared:
        """The records, after checking that a release can encode them.

        Raises:
            DataError: another modality, a field of the release is missing or of another kind, or
                there is nothing to compare.
        """
        for one in (dataset, other):
            if one is not None:
                require_dataset(one, "to compare")
                _check(release, one)
        if other is None and len(dataset) < 2:
            raise DataError(
                "one record has no duplicates",
                where=dataset.source,
                hint="give two records or more, or a second file to compare it with",
            )
        made = cls(_by_id(dataset), None if other is None else _by_id(other))
        if len(set(made.digests)) < len(made.digests):
            raise DataError(
                "the same records on both sides: each would count as its own duplicate",
                where=dataset.source,
                hint="give them once; then all pairs among them are compared",
            )
        return made

    def __len__(self) -> int:
        return self.n_left + self.n_right

    @property
    def n_left(self) -> int:
        """Records of the first data set."""
        return len(self.left)

    @property
    def n_right(self) -> int:
        """Records of the second data set, 0 without one."""
        return 0 if self.right is None else len(self.right)

    @property
    def n_pairs(self) -> int:
        """Pairs that could match."""
        if self.right is None:
            return self.n_left * (self.n_left - 1) // 2
        return self.n_left * self.n_right

    @property
    def first_right(self) -> int:
        """Position of the first record that may stand at the right of a pair."""
        return 0 if self.right is None else self.n_left

    @cached_property
    def digests(self) -> list[str]:
        """Of each data set, without identities: they decide nothing that is compared."""
        return [
            replace(d, identities=np.full(len(d), UNKNOWN, np.int64)).digest for d in self._each()
        ]

    def payloads(self, idx: Int64) -> list[Any]:
        """What an encoder takes, of these positions, which ascend."""
        found: list[Any] = []
        start = 0
        for one in self._each():
            inside = idx[(idx >= start) & (idx < start + len(one))] - start
            if len(inside):
                found += one.payloads(inside)
            start += len(one)
        return found

    def ids(self) -> NDArray[np.str_]:
        """Id of each record, unique within its data set."""
        return np.concatenate([one.ids for one in self._each()])

    def identities(self) -> Int64:
        """Code of each record's identity, over both data sets; -1 where it is not known."""
        seen: dict[str, int] = {}
        found = []
        for one in self._each():
            code = [seen.setdefault(folded(name), len(seen)) for name in one.identity_names]
            found.append(np.array([*code, UNKNOWN], np.int64)[one.identities])
        return np.concatenate(found)

    def categories(self, idx: Int64) -> list[str | None]:
        """Category of records, None where it is not known."""
        if all(one.category is None for one in self._each()):
            return [None] * len(idx)
        names: list[str | None] = []
        for one in self._each():
            column = one.category
            names += [None if column is None else column.of(i) for i in range(len(one))]
        return [names[i] for i in idx]

    def rows(self, fields: Sequence[str], idx: Int64) -> list[dict[str, Any]]:
        """Values of some fields of records, for rules; empty rows without fields."""
        frame = self.frame() if fields else None
        if frame is None:
            return [{}] * len(idx)
        return frame.select(list(dict.fromkeys(fields)))[idx].to_dicts()

    def frame(self) -> pl.DataFrame | None:
        """Values of the rows; None for images."""
        import polars as pl

        frames = [one.frame for one in self._each() if one.frame is not None]
        return pl.concat(frames, how="diagonal_relaxed") if frames else None

    def _each(self) -> list[Dataset]:
        return [self.left] if self.right is None else [self.left, self.right]


def _by_id(dataset: Dataset) -> Dataset:
    return dataset.take(np.argsort(dataset.ids, kind="stable"))


def _check(release: Release, dataset: Dataset) -> None:
    if dataset.modality != release.modality:
        raise DataError(
            f"records of kind {dataset.modality}, the release takes {release.modality}",
            where=dataset.source,
        )
    kinds = {f.name: f.kind for f in dataset.fields}
    for field in release.encoder.prepare.fields:
        if kinds.get(field.name) != field.kind:
            has = kinds.get(field.name, "nothing")
            raise DataError(
                f"the release needs {field.name} as {field.kind}, the records have {has}",
                where=dataset.source,
                hint="read them with fields=release.encoder.prepare.fields",
            )
    if not len(dataset):
        raise DataError("no records", where=dataset.source)
