"""Reading the records that settings name, in one file or in two that are to be linked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemel.errors import ConfigError, InvalidInput, quoted

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
    pair_columns = PairColumns(
        data.left, data.right, data.same, data.same_from, data.negative or None, data.same_is
    )
    if data.separator and (not data.identity or pairs is not None or config.other.path):
        what = "data.identity names no column" if not data.identity else "pairs give identities"
        raise ConfigError(
            "two files have one label a record" if config.other.path else f"labels: {what}",
            where="data.separator",
            hint="name the column of labels as data.identity, or leave data.separator out",
        )
    if config.other.path:
        return records.to_link(
            *read_two(config, release),
            pairs,
            pair_columns=pair_columns,
            max_bad_ratio=data.max_bad_ratio,
            encoding=data.encoding,
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
        separator=data.separator,
        sheet=data.sheet,
        encoding=data.encoding,
    )


def said_of(
    config: Config, path: Path, labels: Sequence[str | None], sheet: str | None = None
) -> dict[str, Any]:
    """What `[data]` says of the columns that another file of texts has too, for `records.read`.

    A release of texts keeps no names of columns, and what is no text there is none here.

    Args:
        config: the settings.
        path: of the file.
        labels: columns of it that are named apart.
        sheet: of a spreadsheet that is read.
    """
    from gemel.data.sources import tables

    if not (path.is_file() and tables.is_table(path)):
        return {}
    data = config.data
    there = tables.read(path, sheet, data.encoding).frame.columns
    others = dict.fromkeys([*data.ignore, *data.groups, data.identity, data.id, data.category])
    return {
        "columns": {name: kind for name, kind in data.columns.items() if name in there},
        "ignore": [name for name in others if name in there and name not in labels],
        "missing": data.missing,
    }


def may_be_text(word: str, *, takes_words: bool) -> bool:
    """Whether a word that a folder is called may be a text, as it is not written as a path."""
    return takes_words and not {"/", "\\"} & set(word)


def refuse_many(word: str, where: str, *, takes_words: bool) -> None:
    """Raise where a word that should be one record is a table or folder of them.

    Args:
        word: of a command line.
        where: it is asked for.
        takes_words: a word may be a text; a folder is then one that is named as a path.

    Raises:
        InvalidInput: it is.
    """
    from gemel.encode import modality

    path, is_text = modality.path_at(word), may_be_text(word, takes_words=takes_words)
    is_table = modality.is_table(word)
    if is_table or (path is not None and path.is_dir() and not is_text):
        what = "table" if is_table else "folder"
        raise InvalidInput(
            f"{quoted(word, 80)} is a {what} of records, expected one record",
            where=where,
            hint="about all of its records: gemel gallery identify FILE, gemel gallery "
            "classify FILE, or gemel duplicates FILE",
        )


def paths_of_two(config: Config, left: Path | None, right: Path | None) -> tuple[Path, Path]:
    """The two files: as named, or as the settings name them.

    Raises:
        ConfigError: no second file is named.
    """
    if left is not None and right is None:
        raise ConfigError(
            "one file is named, two are linked",
            where=str(left),
            hint="name both, or none where gemel.toml names them",
        )
    if left is not None and right is not None:
        return left, right
    if not config.other.path:
        raise ConfigError(
            "no second file is named",
            where="other.path",
            hint="gemel link FILE OTHER, or write settings for both with: gemel init FILE OTHER",
        )
    return _first(config), config.at(config.other.path)


def read_two(
    config: Config, release: Release | None = None, paths: tuple[Path, Path] | None = None
) -> tuple[Dataset, Dataset]:
    """The records of both files, under the names of the first.

    Args:
        config: says what columns are what.
        release: whose fields are read; None to look at the columns.
        paths: other files with these columns; None: those of the settings. Without the columns of
            identities, these are not known.
    Raises:
        ConfigError: no second file is named.
        DataError: they cannot be read, or too many are bad.
    """
    from gemel.data import records
    from gemel.data.sources.columns import Columns
    from gemel.data.sources.linked import Other

    data, other = config.data, config.other
    own = paths_of_two(config, None, None) if other.path else None
    paths = paths or paths_of_two(config, None, None)
    identity = other.identity or (None if data.pairs is not None else data.identity)
    is_own = paths == own
    said = Columns(
        identity=data.identity if is_own else None,
        id=data.id,
        kinds=dict(data.columns),
        ignore=data.ignore if release is None else (),
        missing=data.missing,
        fields=None if release is None else release.encoder.prepare.fields or None,
        category=data.category,
        groups=data.groups,
        sheet=data.sheet if is_own else None,
        encoding=data.encoding,
    )
    of_other = identity if is_own else None
    second = Other(
        paths[1],
        other.id,
        of_other,
        dict(other.names),
        dict(other.columns),
        other.sheet if is_own else None,
    )
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
