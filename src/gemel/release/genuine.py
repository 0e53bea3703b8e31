"""Which keys the genuine pairs of train and eval share: how a release knows what to propose.

A file of a release of rows, `genuine.json`. It holds no values: for each way to take a key, a bit
for each pair. Without labels, the pairs are those that the run takes to belong together. Releases
from before have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from gemel.arrays import Int64
from gemel.data.blocking import collisions
from gemel.data.blocking.keys import HOWS, Keys, Part, Rows, parts
from gemel.data.blocking.passes import Hits, hits
from gemel.data.dataset import Dataset
from gemel.data.schema import Field
from gemel.data.splits import Splits
from gemel.encode.modality import Prepare
from gemel.encode.row.prepare import RowPrepare
from gemel.errors import DataError
from gemel.release import folder as folders
from gemel.release.release import Release

if TYPE_CHECKING:
    import polars as pl

FILE = "genuine.json"
FORMAT = 1
MOST = 4_000
"""Pairs that are looked at of a side."""


class Side(msgspec.Struct, frozen=True):
    """Pairs of a side: how many, and for each part a bit a pair, packed."""

    n: int
    shared: tuple[bytes, ...]


class File(msgspec.Struct, frozen=True, kw_only=True):
    """What `genuine.json` says."""

    format: int
    parts: tuple[tuple[str, str], ...]
    train: Side
    eval: Side
    guessed: bool = False


@dataclass(frozen=True)
class Genuine:
    """Genuine pairs of train, to choose by, and of eval, to tell by.

    Attributes:
        train: which keys they share.
        eval: the same.
        guessed: nobody has labelled them: two halves of what is taken to belong together.
    """

    train: Hits
    eval: Hits
    guessed: bool = False


def has_keys(prepare: Prepare) -> bool:
    """Whether records so prepared have keys: rows of values, not of measurements."""
    return isinstance(prepare, RowPrepare)


def read(release: Release) -> Genuine | None:
    """What a release knows of genuine pairs; None if it has no such file.

    Raises:
        DigestMismatch: the file was changed.
    """
    if FILE not in release.manifest.files:
        return None
    found = msgspec.json.decode(
        folders.read_checked(release.folder, release.manifest, FILE), type=File
    )
    each = tuple(Part(*part) for part in found.parts)
    return Genuine(_unpacked(found.train, each), _unpacked(found.eval, each), found.guessed)


def measured(dataset: Dataset, splits: Splits) -> bytes:
    """The content of the file, for rows that were split."""
    train, held_out = (pairs_of(dataset.identities, idx) for idx in (splits.train, splits.eval))
    return _content(dataset, train, held_out)


def guessed(dataset: Dataset, likely: Int64) -> bytes:
    """The content of the file, for rows without labels.

    Args:
        dataset: the rows.
        likely: (2, m) positions of those that are taken to belong together.
    """
    mixed = likely[:, np.random.default_rng(0).permutation(likely.shape[1])]
    train, held_out = mixed[:, ::2], mixed[:, 1::2]
    sides = ((side[0, :MOST], side[1, :MOST]) for side in (train, held_out))
    return _content(dataset, *sides, guessed=True)


def _content(dataset: Dataset, *sides: tuple[Int64, Int64], guessed: bool = False) -> bytes:
    rows, each = Rows(values(dataset.frame, dataset.fields)), parts(dataset.fields)
    train, held_out = (_packed(hits(rows, each, *side)) for side in sides)
    names = tuple((p.field, p.how) for p in each)
    said = File(format=FORMAT, parts=names, train=train, eval=held_out, guessed=guessed)
    return msgspec.json.encode(said)


def values(frame: pl.DataFrame | None, fields: Sequence[Field]) -> pl.DataFrame:
    """The columns of rows that keys are taken of.

    Raises:
        DataError: these are no rows.
    """
    if frame is None:
        raise DataError("only rows have keys", hint="name another engine")
    return frame.select([f.name for f in fields])


def pairs_of(identities: Int64, idx: Int64) -> tuple[Int64, Int64]:
    """Pairs of one identity among some records, at most 4,000: two arrays of positions."""
    known = idx[identities[idx] >= 0]
    keys = Keys(np.arange(len(known)), identities[known].astype(np.uint64), True)
    left, right = collisions.pairs(keys)
    picked = np.sort(np.random.default_rng(0).permutation(len(left))[:MOST])
    return known[left[picked]], known[right[picked]]


def _packed(found: Hits) -> Side:
    return Side(found.shared.shape[1], tuple(np.packbits(row).tobytes() for row in found.shared))


def _unpacked(side: Side, names: tuple[tuple[str, str], ...]) -> Hits:
    """The bits, of those ways to take a key that this version knows."""
    known = {Part(*name): bits for name, bits in zip(names, side.shared, strict=True)}
    known = {part: bits for part, bits in known.items() if part.how in HOWS}
    rows = [np.unpackbits(np.frombuffer(b, np.uint8), count=side.n) for b in known.values()]
    return Hits(tuple(known), np.array(rows, np.bool_).reshape(len(known), side.n))
