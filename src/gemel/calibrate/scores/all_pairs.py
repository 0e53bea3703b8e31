"""All comparisons that a set of embeddings allows, scored in blocks.

Every genuine and every impostor comparison is made, each once. Above a limit whole identities (or
records within identities) are left out at random, never single comparisons: what remains is again
"all comparisons of some records", so that intervals by identity stay right. Which pairs are
comparisons at all, the records say: all, those across two files, or those that were given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float32, Int64
from gemel.calibrate.scores.scores import Scores
from gemel.data.dataset import CategoryColumn
from gemel.data.pairing import ALL, Pairing
from gemel.encode.comparators import Scorer
from gemel.errors import DataError
from gemel.figures import number_of

Labels = list[NDArray[np.signedinteger[Any]]]

CELLS = 1 << 22
"""Scores computed at once: 16 MiB of float32."""

FEW_RECORDS = 4
"""Records of an identity that are kept before whole identities are left out."""


def all_pairs(
    embeddings: Float32,
    identities: Int64,
    comparator: Scorer,
    *,
    categories: CategoryColumn | None = None,
    max_comparisons: int = 20_000_000,
    seed: int = 0,
    units: Int64 | None = None,
    pairing: Pairing = ALL,
) -> Scores:
    """Scores of all genuine and all impostor comparisons.

    Args:
        embeddings: (n, d) float32, unit rows.
        identities: (n,) int64 codes; -1 = unknown, takes part in nothing.
        comparator: what scores a pair.
        categories: of the records, kept with each comparison.
        max_comparisons: above it, the records of an identity are thinned down to not fewer than
            four, then identities are left out, both at random; genuine comparisons have
            precedence up to half of it.
        seed: of that random choice.
        units: (n_codes,) unit of chance of each identity code, where identities depend on each
            other; None: each identity is one.
        pairing: of the records: which pairs of them are comparisons.
    Returns:
        The scores; `note` says what was left out, `prior` is that of all comparisons.
    Raises:
        DataError: lengths differ, or fewer than two records have an identity.
    """
    if embeddings.ndim != 2 or identities.shape != embeddings.shape[:1]:
        raise DataError(f"{embeddings.shape} embeddings do not fit {identities.shape} identities")
    if categories is not None and categories.codes.shape != identities.shape:
        raise DataError(f"{len(categories.codes)} categories for {len(identities)} records")
    known = np.flatnonzero(identities >= 0)
    if known.size < 2:
        raise DataError(
            "fewer than two records have an identity", hint="name the identity column or folder"
        )
    labels: Labels = [identities.astype(np.int32)]
    if categories is not None:
        labels.append(categories.codes.astype(np.int16))
    described: dict[str, Any] = {
        "unit_of": None if units is None else units.astype(np.int32),
        "category_names": categories.names if categories else (),
    }
    if pairing.given is not None:
        return _of_given(embeddings, labels, comparator, pairing, described)
    known = known[np.argsort(identities[known], kind="stable")]
    rng = np.random.default_rng(seed)
    size = np.bincount(identities[known])
    genuine = _within_limit(identities[known], max_comparisons // 2, rng, _n_genuine)
    left = _n_genuine(np.bincount(identities[known[genuine]]))
    impostor = _within_limit(identities[known], max_comparisons - left, rng, _n_impostor)
    kept = known[genuine], known[impostor]
    if pairing.files is not None:
        labels.append(pairing.files.astype(np.int16))
    score, is_genuine, sides = _score(embeddings, labels, comparator, *kept)
    if pairing.files is None:
        prior = _n_genuine(size) / (_n_genuine(size) + _n_impostor(size))
    else:
        of_left, of_right = sides.pop()
        is_across = of_left != of_right
        score, is_genuine = score[is_across], is_genuine[is_across]
        sides = [(left[is_across], right[is_across]) for left, right in sides]
        prior = _share_across(identities[known], pairing.files[known])
    return _scores(
        score,
        is_genuine,
        sides,
        population_prior=prior,
        note=_note(identities, known, kept, seed, units),
        **described,
    )


def _scores(
    score: Float32, genuine: Bool, sides: list[tuple[Any, Any]], **described: Any
) -> Scores:
    """Scores with what is known of both sides: identities and, if there are, categories."""
    left_category, right_category = sides[1] if len(sides) > 1 else (None, None)
    return Scores(
        score,
        genuine,
        *sides[0],
        left_category=left_category,
        right_category=right_category,
        **described,
    )


def _of_given(
    embeddings: Float32,
    labels: Labels,
    comparator: Scorer,
    pairing: Pairing,
    described: dict[str, Any],
) -> Scores:
    """Scores of pairs that were given; arguments otherwise as those of `_score`.

    Two that are said to differ and that chains of others join teach, and are no comparison: of
    which identities it would be, nobody knows.
    """
    ids = labels[0]
    given = np.zeros((0, 2), np.int64) if pairing.given is None else pairing.given
    said = pairing.is_genuine(ids.astype(np.int64))
    known = (ids[given] >= 0).all(axis=1)
    joined = known & ~said & (ids[given[:, 0]] == ids[given[:, 1]])
    pairs, genuine = given[known & ~joined], said[known & ~joined]
    left, right = pairs[:, 0], pairs[:, 1]
    rows = max(1, CELLS // max(embeddings.shape[1], 1))
    score = np.concatenate(
        [np.zeros(0, np.float32)]
        + [
            comparator.score(embeddings[left[i : i + rows]], embeddings[right[i : i + rows]])
            for i in range(0, len(pairs), rows)
        ]
    )
    sides = [(label[left], label[right]) for label in labels]
    note = f"the {number_of(len(pairs), 'given pair')} and no others"
    if joined.any():
        note += f", without {int(joined.sum()):,} said to differ that others join"
    return _scores(score, genuine, sides, note=note, **described)


def genuine_blocks(
    embeddings: Float32, identities: Int64, comparator: Scorer
) -> Iterator[tuple[Float32, Int64, Int64]]:
    """Scores and both record positions of all genuine comparisons, a block at a time.

    Args:
        embeddings: (n, d) float32, unit rows, ordered by identity.
        identities: (n,) int64, ascending.
        comparator: what scores a pair.
    """
    rows = max(1, CELLS // max(embeddings.shape[1], 1))
    for step in range(1, len(identities)):
        first = np.flatnonzero(identities[step:] == identities[:-step])
        if not first.size:
            return
        for start in range(0, len(first), rows):
            i = first[start : start + rows]
            yield comparator.score(embeddings[i], embeddings[i + step]), i, i + step


def impostor_blocks(
    embeddings: Float32, identities: Int64, comparator: Scorer
) -> Iterator[tuple[Float32, int, slice]]:
    """Scores, left position and right positions of all impostor comparisons, a row at a time.

    Args:
        embeddings: (n, d) float32, unit rows, ordered by identity.
        identities: (n,) int64, ascending; all records behind those of one identity are another's.
        comparator: what scores a pair.
    """
    n = len(identities)
    end = np.searchsorted(identities, identities, side="right")
    start = 0
    while start < n and end[start] < n:
        stop = min(n, start + max(1, CELLS // int(n - end[start])))
        block = comparator.matrix(embeddings[start:stop], embeddings[end[start] :])
        for i in range(start, stop):
            yield block[i - start, end[i] - end[start] :], i, slice(int(end[i]), n)
        start = stop


def _n_genuine(size: Int64) -> int:
    """Genuine comparisons among identities with `size` records each."""
    return int((size * (size - 1)).sum()) // 2


def _n_impostor(size: Int64) -> int:
    """Impostor comparisons among identities with `size` records each."""
    return (int(size.sum()) ** 2 - int((size * size).sum())) // 2


def _share_across(ids: Int64, files: Int64) -> float:
    """Share of genuine comparisons among all across two files."""
    of_each = [np.bincount(ids[files == file], minlength=int(ids.max()) + 1) for file in (0, 1)]
    n = int(of_each[0].sum()) * int(of_each[1].sum())
    return int((of_each[0] * of_each[1]).sum()) / max(n, 1)


def _within_limit(
    ids: Int64, limit: int, rng: np.random.Generator, count: Callable[[Int64], int]
) -> Int64:
    """Ascending positions of records whose comparisons, by `count`, do not pass the limit."""
    size = np.bincount(ids)
    if count(size) <= limit:
        return np.arange(len(ids))
    largest = int(size.max())
    cap = _largest(FEW_RECORDS, largest, lambda c: count(np.minimum(size, c)) <= limit)
    order = rng.permutation(np.flatnonzero(size))
    capped = np.minimum(size, cap)
    n_kept = _largest(2, len(order), lambda m: count(capped[order[:m]]) <= limit)
    shuffled = rng.permutation(len(ids))
    shuffled = shuffled[np.argsort(ids[shuffled], kind="stable")]
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    within_cap = np.arange(len(ids)) - start[ids[shuffled]] < cap
    kept = np.zeros(len(size), bool)
    kept[order[:n_kept]] = True
    return np.sort(shuffled[within_cap & kept[ids[shuffled]]])


def _largest(low: int, high: int, fits: Callable[[int], bool]) -> int:
    """Largest number in [low, high] that fits; low if none does. What fits is a prefix."""
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _note(
    ids: Int64, known: Int64, kept: tuple[Int64, Int64], seed: int, units: Int64 | None
) -> str:
    """What was left out and what was joined, for the report; empty if nothing was."""
    parts = []
    if len(known) < len(ids):
        parts.append(f"{number_of(len(ids) - len(known), 'record')} of unknown identity left out")
    of_all = np.unique(ids[known])
    for chosen, name in zip(kept, ("genuine", "impostor"), strict=True):
        if len(chosen) < len(known):
            parts.append(
                f"{name} comparisons of {len(chosen):,} of {len(known):,} records "
                f"({len(np.unique(ids[chosen])):,} of {len(of_all):,} identities, "
                f"drawn with seed {seed})"
            )
    if units is not None:
        n_units = len(np.unique(units[of_all]))
        parts.append(f"{len(of_all):,} identities are {number_of(n_units, 'independent unit')}")
    return "; ".join(parts)


def _score(
    embeddings: Float32,
    labels: Labels,
    comparator: Scorer,
    genuine: Int64,
    impostor: Int64,
) -> tuple[Float32, Bool, list[tuple[Any, Any]]]:
    """Score and label of the comparisons among the chosen records, and what is known of both.

    Args:
        embeddings: (n, d) float32, unit rows.
        labels: (n,) vectors of what is known of each record, its identity first.
        comparator: what scores a pair.
        genuine: positions whose genuine comparisons are made, ordered by identity.
        impostor: positions whose impostor comparisons are made, ordered by identity.
    """
    ids = labels[0]
    n_genuine = _n_genuine(np.bincount(ids[genuine]))
    n = n_genuine + _n_impostor(np.bincount(ids[impostor]))
    score = np.empty(n, np.float32)
    sides = [(np.empty(n, label.dtype), np.empty(n, label.dtype)) for label in labels]
    at = 0
    for chosen, blocks in ((genuine, genuine_blocks), (impostor, impostor_blocks)):
        known = [label[chosen] for label in labels]
        for values, i, j in blocks(embeddings[chosen], known[0], comparator):
            to = slice(at, at + len(values))
            score[to] = values
            for label, (left, right) in zip(known, sides, strict=True):
                left[to], right[to] = label[i], label[j]
            at = to.stop
    return score, np.arange(n) < n_genuine, sides
