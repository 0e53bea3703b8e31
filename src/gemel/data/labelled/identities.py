"""Identities and comparisons by labelled pairs: of records, or of what the pairs name themselves.

A file of pairs says which records belong together. Where it says so of images or texts that it
names, and of some that they do not, its pairs are the comparisons that are meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gemel.data.dataset import UNKNOWN, Dataset, codes
from gemel.data.labelled import chains, repeats
from gemel.data.pairing import Pairing
from gemel.data.sources import images, tables, texts
from gemel.data.sources import pairs as labelled
from gemel.data.sources.formats.absent import no_file
from gemel.data.sources.formats.table import Table
from gemel.data.sources.refusals import check_ratio, checked
from gemel.data.wordbags import normalised
from gemel.errors import DataError


def read(
    path: Path, columns: labelled.PairColumns | None, encoding: str | None = None
) -> labelled.Pairs:
    """The pairs of a file.

    Args:
        path: of the file.
        columns: of it; None: left, right and same.
        encoding: of text that is not UTF-8.
    Raises:
        DataError: there is no such file, or it holds none.
    """
    if not path.exists():
        raise no_file(path)
    return labelled.parse(tables.read(path, encoding=encoding), columns)


def check_unlabelled(dataset: Dataset) -> None:
    """Raise where identities are known already, and pairs are to give them.

    Raises:
        DataError: they are.
    """
    if (dataset.identities != UNKNOWN).any():
        hint = "name an identity column or give pairs, not both"
        raise DataError("the records have identities already", where=dataset.source, hint=hint)


def with_pairs(dataset: Dataset, found: labelled.Pairs, max_bad_ratio: float) -> Dataset:
    """The records with the identities that pairs of their ids make.

    Args:
        dataset: the records.
        found: pairs of their ids.
        max_bad_ratio: share of refused pairs above which reading stops.
    Raises:
        DataError: too many pairs are refused.
    """
    return _with_identities(dataset, dataset.ids.tolist(), found, max_bad_ratio)


def of_pairs(
    table: Table, path: Path, max_bad_ratio: float, columns: labelled.PairColumns | None
) -> Dataset:
    """The things that a pair file itself names: images relative to it, or texts.

    Args:
        table: of pairs.
        path: of its file.
        max_bad_ratio: share of refused pairs, and of refused things, above which reading stops.
        columns: of the table; None: left, right and same.
    Raises:
        DataError: a column is missing, or too much is refused.
    """
    found = labelled.parse(table, columns)
    check_ratio(found.bad, found.n_read, found.file, max_bad_ratio)
    named = found.names()
    are_images = bool(named) and all(n.lower().endswith(images.SUFFIXES) for n in named)
    if are_images:
        dataset = images.read_files(path.parent, named)
    else:
        # The same text in other capitals is no second thing.
        first: dict[str, str] = {}
        found = found.renamed(lambda text: first.setdefault(normalised(text), text))
        named = found.names()
        dataset = texts.held(named, str(path))
    dataset = checked(dataset, max_bad_ratio)
    handles = dataset.ids.tolist() if are_images else named
    # Somebody said of both kinds what they are: these are the comparisons that are meant.
    as_given = not found.same.all()
    dataset = _with_identities(dataset, handles, found, max_bad_ratio, as_given=as_given)
    return replace(dataset, pairing=_given(dataset, handles, found)) if as_given else dataset


def _given(dataset: Dataset, handles: Sequence[str], found: labelled.Pairs) -> Pairing:
    """The given pairs that were not refused, with what was said of each."""
    place = {name: i for i, name in enumerate(handles)}
    refused = {(b.file, b.row) for b in dataset.bad}
    fine = np.array([(found.file, row) not in refused for row in found.rows.tolist()], np.bool_)
    ends = [(place[found.left[i]], place[found.right[i]]) for i in np.flatnonzero(fine)]
    return Pairing(
        given=np.array(ends, np.int64).reshape(-1, 2),
        same=found.same[fine],
        grade=None if found.grade is None else found.grade[fine],
        same_from=found.same_from,
    )


def _with_identities(
    dataset: Dataset,
    handles: Sequence[str],
    found: labelled.Pairs,
    max_bad_ratio: float,
    *,
    as_given: bool = False,
) -> Dataset:
    names, unusable = chains.identities(handles, found, as_given=as_given)
    bad = (*found.bad, *unusable)
    check_ratio(bad, found.n_read, found.file, max_bad_ratio)
    code, identity_names = codes(names)
    return replace(
        dataset,
        identities=code,
        identity_names=identity_names,
        bad=(*dataset.bad, *bad),
        notes=(*dataset.notes, *found.counts(), *repeats.notes(found)),
    )
