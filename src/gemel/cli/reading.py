"""Reading the records that settings name, in one file or in two that are to be linked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gemel.errors import ConfigError

if TYPE_CHECKING:
    from gemel.config import Config
    from gemel.data.records import Dataset
    from gemel.release.release import Release


def read(config: Config, release: Release | None = None) -> Dataset:
    """The records that `[data]`, and `[other]` if it names a file, say.

    Args:
        config: the settings.
        release: whose fields are read, as they are written to it; None to look at the columns.
    Raises:
        ConfigError: no file is named.
        DataError: they cannot be read, or too many are bad.
    """
    from gemel.data import records
    from gemel.data.sources.pairs import PairColumns

    data, pairs = config.data, _pairs(config)
    pair_columns = PairColumns(data.left, data.right, data.same, data.same_from)
    if config.other.path:
        return records.to_link(
            *read_two(config, release),
            pairs,
            pair_columns=pair_columns,
            max_bad_ratio=data.max_bad_ratio,
        )
    return records.read(
        _first(config),
        kind=data.kind,
        identity=data.identity,
        id=data.id,
        category=data.category,
        columns=dict(data.columns),
        ignore=data.ignore,
        groups=data.groups,
        missing=data.missing,
        fields=None if release is None else release.encoder.prepare.fields or None,
        pairs=pairs,
        max_bad_ratio=data.max_bad_ratio,
        depth=data.depth,
        pair_columns=pair_columns,
    )


def read_two(
    config: Config, release: Release | None = None, paths: tuple[Path, Path] | None = None
) -> tuple[Dataset, Dataset]:
    """The records of both files, under the names of the first.

    Args:
        config: says what columns are what.
        release: whose fields are read; None to look at the columns.
        paths: other files of the same columns; None: those of the settings.
    Raises:
        ConfigError: no second file is named.
        DataError: they cannot be read, or too many are bad.
    """
    from gemel.data import records
    from gemel.data.sources.linked import Other
    from gemel.data.sources.rows import Columns

    data, other = config.data, config.other
    if paths is None:
        if not other.path:
            raise ConfigError(
                "no second file is named",
                where="other.path",
                hint="write settings for two files with: gemel init FILE OTHER",
            )
        paths = _first(config), config.at(other.path)
    has_pairs = data.pairs is not None
    said = Columns(
        identity=data.identity,
        id=data.id,
        kinds=dict(data.columns),
        ignore=data.ignore,
        missing=data.missing,
        fields=None if release is None else release.encoder.prepare.fields or None,
        category=data.category,
        groups=data.groups,
    )
    identity = other.identity or (None if has_pairs else data.identity)
    second = Other(paths[1], other.id, identity, dict(other.names), dict(other.columns))
    return records.read_two(paths[0], said, second, max_bad_ratio=data.max_bad_ratio)


def _first(config: Config) -> Path:
    if not config.data.path:
        raise ConfigError(
            "no records are named",
            where="data.path",
            hint="write settings with: gemel init FILE",
        )
    return config.at(config.data.path)


def _pairs(config: Config) -> Path | None:
    return config.at(config.data.pairs) if config.data.pairs else None
