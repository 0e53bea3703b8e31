"""Leakage: whether an identity or a near-copy on one side of a split stands on another.

Three findings: an identity on two sides, the same record on two sides, a nearly same record on two
sides. Any of them can make a measured error rate too good. An identity on two sides always fails.
Records that are the same are one thing under two names, or two things that look alike, such as
people of one name: whether that is told or refused is a setting (`accepted`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.data.identities import folded
from gemel.data.splits import SIDES, Splits
from gemel.errors import DataError, LeakageError
from gemel.figures import number_of
from gemel.settings import SameRecord

Kind = Literal["same_identity", "same_record", "near_record"]
KINDS: tuple[Kind, ...] = ("same_identity", "same_record", "near_record")
SHOWN = 3
"""Examples in a message."""
_WHAT: dict[Kind, tuple[str, ...]] = {
    "same_identity": ("record of", "records of", "an identity of"),
    "same_record": ("record that is", "records that are", "the same as one of"),
    "near_record": ("record that is", "records that are", "nearly the same as one of"),
}


@dataclass(frozen=True)
class Example:
    """Two records that should not be on different sides: ids, sides, and what they share."""

    left: str
    left_side: str
    right: str
    right_side: str
    detail: str

    def __str__(self) -> str:
        """`17 (eval) and 4 (train): identity p3`."""
        both = f"{self.left} ({self.left_side}) and {self.right} ({self.right_side})"
        return f"{both}: {self.detail}" if self.detail else both


@dataclass(frozen=True)
class Finding:
    """How many records of dev and eval have a counterpart on an earlier side, and some of them."""

    n_records: int = 0
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Leakage:
    """What was found on two sides of a split."""

    same_identity: Finding = Finding()
    same_record: Finding = Finding()
    near_record: Finding = Finding()

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not any(self._of(kind).n_records for kind in KINDS)

    def check(self, allow: Collection[Kind] = ()) -> None:
        """Raise unless nothing was found that is not allowed.

        Args:
            allow: findings that are accepted, such as `near_record`.
        Raises:
            LeakageError: with the counts and an example of each kind.
        """
        unknown = set(allow) - set(KINDS)
        if unknown:
            raise DataError(f"no such finding: {sorted(unknown)[0]}", hint=f"one of {KINDS}")
        found = [k for k in KINDS if k not in allow and self._of(k).n_records]
        if not found:
            return
        hint = "give such records one identity or remove one of them"
        if "same_identity" not in found:
            hint += "; if they are two that look alike: --set data.same_record=note"
        raise LeakageError("the splits leak: " + "; ".join(map(self._said, found)), hint=hint)

    def notes(self, allow: Collection[Kind]) -> list[str]:
        """What a user should know of the findings that are accepted, one sentence each."""
        return [
            f"{self._said(kind)}. Strangers that look alike, or one under two identities? Then "
            "rates are too good; --set data.same_record=refuse stops here"
            for kind in KINDS
            if kind in allow and self._of(kind).n_records
        ]

    def _said(self, kind: Kind) -> str:
        found = self._of(kind)
        shown = "; ".join(map(str, found.examples[:SHOWN]))
        *what, stands = _WHAT[kind]
        return f"{number_of(found.n_records, *what)} {stands} an earlier side, such as {shown}"

    def _of(self, kind: Kind) -> Finding:
        return {
            "same_identity": self.same_identity,
            "same_record": self.same_record,
            "near_record": self.near_record,
        }[kind]


def accepted(dataset: Dataset, same_record: SameRecord | None) -> tuple[Kind, ...]:
    """The findings that are told and no fault.

    Args:
        dataset: the records.
        same_record: as set; None: told of rows, since people share names, and else refused.
    """
    said = same_record or ("note" if dataset.fields else "refuse")
    return ("same_record", "near_record") if said == "note" else ()


def find(dataset: Dataset, splits: Splits, *, near: bool = True, n_examples: int = 5) -> Leakage:
    """What stands on two sides of a split.

    The same identity: by its name, ignoring case, width and spacing. The same record: all values
    equal after the same normalisation, or equal pixels. A near record: see `wordbags.near` for rows
    (all but one word agree, and chance does not explain it) and `thumbnails.near` for images
    (re-encoded, resized or evenly brightened copies). Time grows as n log n for rows; images are
    decoded once.

    Args:
        dataset: all records.
        splits: positions in it.
        near: also look for near records.
        n_examples: examples of each kind.
    Raises:
        DataError: a position is not in the dataset or on two sides, or an image cannot be read.
    """
    side = _sides(len(dataset), splits)
    names = [folded(n) for n in dataset.identity_names]
    codes = np.append(np.unique(names, return_inverse=True)[1], UNKNOWN)[dataset.identities]
    shared = _shared(codes, np.where(codes == UNKNOWN, UNKNOWN, side))
    keys, close = dataset.contents.alike(side, near=near)
    same = _shared(keys, side)
    close = close[~np.isin(close[:, 0], same[:, 0])]
    findings = [
        Finding(len(pairs), tuple(_example(dataset, side, *p) for p in pairs[:n_examples].tolist()))
        for pairs in (shared, same, close)
    ]
    return Leakage(*findings)


_NONE = np.zeros((0, 2), np.int64)


def _sides(n: int, splits: Splits) -> Int64:
    """Side of each record: 0 train, 1 dev, 2 eval, -1 none."""
    side = np.full(n, UNKNOWN, dtype=np.int64)
    for number, (name, idx) in enumerate(splits.sides().items()):
        if len(idx) and (idx.min() < 0 or idx.max() >= n):
            raise DataError(f"{name} has positions outside the {n:,} records")
        twice = idx[side[idx] != UNKNOWN]
        if len(twice):
            other = SIDES[int(side[twice[0]])]
            raise DataError(f"record at position {twice[0]} is in {other} and in {name}")
        side[idx] = number
    return side


def _shared(keys: NDArray[np.integer[Any]], side: Int64) -> Int64:
    """(m, 2) positions: each record whose key stands on an earlier side too, and where."""
    idx = np.flatnonzero(side >= 0)
    order = idx[np.lexsort((idx, side[idx], keys[idx]))]
    if not len(order):
        return _NONE
    first = np.r_[True, keys[order][1:] != keys[order][:-1]]
    anchor = order[np.flatnonzero(first)][np.cumsum(first) - 1]
    later = side[order] > side[anchor]
    pairs = np.stack([order[later], anchor[later]], axis=1)
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def _example(dataset: Dataset, side: Int64, left: int, right: int) -> Example:
    ends = []
    for i in (left, right):
        values = dataset.contents.shown(i)
        name = dataset.identity_of(i)
        ends.append(" ".join(p for p in (values, f"identity {name}" if name else "") if p))
    same = ends[0] if ends[0] == ends[1] else f"{ends[0]} / {ends[1]}"
    left_id, right_id = str(dataset.ids[left]), str(dataset.ids[right])
    return Example(left_id, SIDES[side[left]], right_id, SIDES[side[right]], same)
