"""Records with several labels each: the more of them two share, the more they are alike.

A may share one label with B and B another with C, so that no chain of such pairs may be closed.
Records are therefore put into small groups that share one label, once and by chance: a group is an
identity, so that intervals know what is independent, and what two groups share is left unsaid. The
pairs of a group are graded by what they share (Jaccard 1901); pairs of groups that share nothing
are graded 0; all others are no comparisons.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from gemel.arrays import Int64
from gemel.data.dataset import UNKNOWN, Dataset, codes
from gemel.data.pairing import Pairing
from gemel.errors import DataError

GROUP = 4
"""Records of a group at most."""
STRANGERS = 12
"""Records that are drawn for each, of which those that share no label with it are compared."""
SEED = 0
Labels = frozenset[str]


def separated(dataset: Dataset, separator: str) -> Dataset:
    """The records with the groups and pairs that their labels make.

    Args:
        dataset: its identities are labels, with the separator between them.
        separator: such as `;`.
    Raises:
        DataError: no two records share a label, or all do.
    """
    of_name = [_labels(name, separator) for name in dataset.identity_names]
    of = [of_name[c] if c != UNKNOWN else frozenset() for c in dataset.identities.tolist()]
    rng = np.random.default_rng(SEED)
    names = _grouped(of, rng)
    identities, identity_names = codes(names)
    given = _pairs(of, identities, rng)
    grade = np.array([len(of[a] & of[b]) / len(of[a] | of[b]) for a, b in given.tolist()])
    if not (grade > 0).any() or (grade > 0).all():
        what = "no two share a label" if not (grade > 0).any() else "all share a label"
        raise DataError(
            f"of the records, {what}",
            where=dataset.source,
            hint="data.identity names the column of labels, data.separator what stands between two",
        )
    same_from = float(grade[grade > 0].min())
    pairing = Pairing(given=given, same=grade > 0, grade=grade, same_from=same_from)
    return replace(dataset, identities=identities, identity_names=identity_names, pairing=pairing)


def _labels(text: str, separator: str) -> Labels:
    """The labels of a record; what JSON writes around a list is no part of them."""
    parts = text.strip().strip("[]").split(separator)
    return frozenset(label for part in parts if (label := part.strip().strip("\"'").strip()))


def _grouped(of: Sequence[Labels], rng: np.random.Generator) -> list[str | None]:
    """The group of each record by name, such as `red 3`; None without a label."""
    free: dict[str, dict[int, None]] = defaultdict(dict)
    for i in rng.permutation(len(of)).tolist():
        for label in sorted(of[i]):
            free[label][i] = None
    names: list[str | None] = [None] * len(of)
    seen: dict[str, int] = defaultdict(int)
    for i in rng.permutation(len(of)).tolist():
        if names[i] is not None or not of[i]:
            continue
        label = max(sorted(of[i]), key=lambda label: min(len(free[label]), GROUP))
        mates = [i, *(j for j in free[label] if j != i)][:GROUP]
        seen[label] += 1
        for j in mates:
            names[j] = f"{label} {seen[label]}"
            for other in of[j]:
                free[other].pop(j, None)
    return names


def _pairs(of: Sequence[Labels], identities: Int64, rng: np.random.Generator) -> Int64:
    """(p, 2) positions: all pairs of a group, and for each record some that share nothing."""
    members: dict[int, list[int]] = defaultdict(list)
    for i, code in enumerate(identities.tolist()):
        if code != UNKNOWN:
            members[code].append(i)
    known = np.flatnonzero(identities != UNKNOWN)
    pairs = {pair for group in members.values() for pair in combinations(group, 2)}
    for i in known.tolist():
        for j in rng.choice(known, min(STRANGERS, len(known)), replace=False).tolist():
            if not of[i] & of[j]:
                pairs.add((min(i, j), max(i, j)))
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)
