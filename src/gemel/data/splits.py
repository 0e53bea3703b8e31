"""Train, dev and eval: no identity stands in two of them.

Train fits the encoder, dev chooses thresholds, eval is reported. An identity goes where the hash of
its name and the seed sends it, so a split does not depend on the order of the file. Identities that
depend on each other (`units`) go together. Records of unknown identity are in none of the three.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arguments import listed, require_numbers, require_several
from gemel.arrays import Int64
from gemel.data.dataset import UNKNOWN, Dataset, require_dataset
from gemel.data.identities import folded
from gemel.data.sources.folders import Files
from gemel.data.units import units
from gemel.errors import DataError
from gemel.figures import number_of

SIDES = ("train", "dev", "eval")
SHARE = 0.2
"""Of the identities, for dev and for eval, where none is stated."""
LARGEST, MOST_JOINED = 0.02, 10
"""Share of the identities, and number of them, that given pairs may join to one unit."""
FEW = 30
"""With fewer identities of two records on a side, intervals of missed pairs say little."""
LEAST = 20
"""With fewer identities of two records in all, no error rate worth the name can be proven."""


@dataclass(frozen=True, eq=False)
class Splits:
    """Positions of the records of each side, ascending.

    Attributes:
        train, dev, eval: int64 positions in the dataset, disjoint where there are labels.
        seed: what they were drawn with.
        crossed: each side is judged by an encoder that has learned from the other two, see
            `crossed.py`.
    """

    train: Int64
    dev: Int64
    eval: Int64
    seed: int = 0
    crossed: bool = False

    def sides(self) -> dict[str, Int64]:
        """The three sides by name."""
        return {"train": self.train, "dev": self.dev, "eval": self.eval}

    def as_dict(self) -> dict[str, Any]:
        """JSON values; they belong to the dataset (its `digest`) that was split."""
        said: dict[str, Any] = {"seed": self.seed}
        if self.crossed:
            said["crossed"] = True
        return {**said, **{k: v.tolist() for k, v in self.sides().items()}}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Splits:
        """The splits that `as_dict` wrote.

        Raises:
            DataError: something else.
        """
        try:
            sides = {k: np.array(value[k], dtype=np.int64).reshape(-1) for k in SIDES}
            return cls(**sides, seed=int(value["seed"]), crossed=bool(value.get("crossed", False)))
        except (KeyError, TypeError, ValueError) as e:
            raise DataError(f"no splits: {e!r}") from e


def too_few(dataset: Dataset, splits: Splits | None = None) -> str:
    """What little can be said of so few identities, in words; empty where there are enough.

    Args:
        dataset: with identities.
        splits: of it; None: none yet, and dev and eval will get `SHARE` of the identities each.
    Example:
        >>> from gemel.data import records
        >>> two = records.from_rows([{"a": "x"}] * 4, identities=["p", "p", "q", "q"])
        >>> too_few(two).partition(":")[0]
        '2 identities have two records or more'
    """
    if not dataset.has_identities:
        return ""
    n = n_multiple(dataset.identities)
    if not n:  # which `by_identity` refuses
        return ""
    if n < LEAST:
        return (
            f"{_several(n)}: enough to train and to search, not to prove an error "
            f"rate; with {LEAST - n} more, split.crossed proves a first one, and about "
            f"{round(FEW / SHARE)} do without"
        )
    crossed = splits is not None and splits.crossed
    text, few = _several(n), n * SHARE < FEW
    if splits is not None:
        counts = {name: n_multiple(dataset.identities[splits.sides()[name]]) for name in SIDES[1:]}
        name, n = min(counts.items(), key=lambda item: item[1])
        text, few = f"{_several(n)} in {name}", n < FEW
    advice = (
        f"below about {FEW} in dev and in eval ({round(FEW * 3 if crossed else FEW / SHARE)} in "
        "all) the intervals of what is missed say little, and little can be proven"
    )
    more = "" if crossed else "; split.crossed = true makes more of them"
    return f"{text}: {advice}{more}" if few else ""


def _several(n: int) -> str:
    return number_of(n, "identity has two records or more", "identities have two records or more")


def n_multiple(identities: Int64) -> int:
    """How many identities have two records or more."""
    sizes = np.unique(identities[identities != UNKNOWN], return_counts=True)[1]
    return int(np.count_nonzero(sizes > 1))


def by_identity(
    dataset: Dataset,
    *,
    dev: float = SHARE,
    eval: float = SHARE,
    seed: int = 0,
    dev_identities: Sequence[str] = (),
    eval_identities: Sequence[str] = (),
) -> Splits:
    """Identity-disjoint splits, balanced over identities with one and with several records.

    Args:
        dataset: records with identities; those that its groups join stay on one side.
        dev: share of the identities (or of their units) that choose the threshold.
        eval: share of the identities (or of their units) that are only reported.
        seed: other seeds, other splits.
        dev_identities: names that must be in dev, with what groups join them to; replaces the
            share.
        eval_identities: names that must be in eval; replaces the share.
    Raises:
        ConfigError: no dataset, a share that is no number, or one name for several.
        DataError: an unknown name or one on two sides, shares that leave no training data, or a
            side that would have fewer than two identities or no genuine pair.
    """
    require_dataset(dataset, "to split")
    require_several(dev_identities=dev_identities, eval_identities=eval_identities)
    require_numbers(dev=dev, eval=eval)
    in_dev, in_eval = listed(dev_identities), listed(eval_identities)
    known = dataset.identities != UNKNOWN
    sizes = np.bincount(dataset.identities[known], minlength=len(dataset.identity_names))
    if not known.any():
        raise unlabelled(dataset, "; to learn without, in Python: gemel.without_labels(records)")
    if sizes.max() < 2:
        raise _all_different(dataset, int(known.sum()))
    if not (dev >= 0 and eval >= 0 and dev + eval < 1):
        raise DataError(f"shares dev = {dev} and eval = {eval} leave nothing to train on")
    first, unit = _units(dataset)
    largest = np.zeros(len(first), np.int64)
    np.maximum.at(largest, unit, sizes)
    side = _named(dataset, unit, in_dev, in_eval)
    order = _order([dataset.identity_names[i] for i in first], seed)
    for stratum in (largest == 1, largest > 1):
        least = _least(largest[stratum])
        for name, share, named in (("eval", eval, in_eval), ("dev", dev, in_dev)):
            if named:
                continue
            free = order[stratum[order] & (side[order] == 0)]
            n = max(round(share * int(stratum.sum())), least)
            side[free[: min(n, max(len(free) - least, 0))]] = SIDES.index(name)
    of_record = np.where(known, side[unit][dataset.identities], UNKNOWN)
    train_idx, dev_idx, eval_idx = (np.flatnonzero(of_record == i) for i in range(3))
    splits = Splits(train_idx, dev_idx, eval_idx, seed)
    _check_sides(dataset, splits)
    return splits


def unlabelled(dataset: Dataset, more: str = "") -> DataError:
    """What to raise where labels are needed and there are none; `more` ends its hint."""
    return DataError(
        "nothing says which records belong together",
        where=dataset.source,
        hint=f"name the column in data.identity{_choices(dataset)}, or a file of labelled pairs in "
        f"data.pairs{more}",
    )


def _all_different(dataset: Dataset, n: int) -> DataError:
    """What to raise where no two records are of one identity."""
    if dataset.pairing.given is not None:
        what, hint = "no given pair says that two are the same", "name another column in data.same"
    elif isinstance(dataset.contents, Files):
        what = f"each of {number_of(n, 'file')} is alone in its class"
        hint = (
            "two files a class are needed to learn from; one is enough to enroll where a release "
            "of such files is live (gemel gallery enroll), and a folder without sub-folders is "
            "learned from without classes"
        )
    else:
        what = (
            f"each of {number_of(n, 'record')} has an identity of its own: an id, and no identity"
        )
        hint = (
            "data.id names such a column (--id), and data.identity one whose values come back, or "
            "none where nothing says which records belong together"
        )
    return DataError(what, where=dataset.source, hint=hint)


def without_labels(dataset: Dataset, *, dev: float = SHARE, seed: int = 0) -> Splits:
    """All records for train, some of them for dev as well, and none for eval.

    Without labels nothing is measured, so that nothing need be held back; dev only tells when the
    network knows a record from its variants.

    Args:
        dataset: no identity is known.
        dev: share of the records.
        seed: other seeds, other records.
    Raises:
        ConfigError, DataError: no dataset; or records that are too few or all say the same.
    """
    require_dataset(dataset, "to learn from")
    require_numbers(dev=dev, seed=seed)
    n = len(dataset)
    if n < FEW:
        raise DataError(
            f"{number_of(n, 'record is', 'records are')} too few to tell from how they agree "
            "which belong together",
            where=dataset.source,
            hint=f"give {FEW} or more, or say it: {_said(dataset)}",
        )
    keys = dataset.contents.alike(np.full(n, UNKNOWN, np.int64), near=False)[0]
    if (keys == keys[0]).all():
        raise DataError(
            f"all {n:,} records say the same: nothing tells them apart",
            where=dataset.source,
            hint="is it the right file, and are the columns read that differ?",
        )
    order = np.random.default_rng(seed).permutation(n)
    some = np.sort(order[: max(2, round(n * dev))])
    return Splits(np.arange(n, dtype=np.int64), some.astype(np.int64), np.zeros(0, np.int64), seed)


def _least(sizes: Int64) -> int:
    """Identities with several records that each side should get, if there are enough."""
    if sizes.max(initial=0) < 2:
        return 0
    return 2 if len(sizes) >= 6 else 1


def _said(dataset: Dataset) -> str:
    """How records say which belong together: files by their folders, others by a column."""
    if Path(dataset.source).is_dir():
        return "put what belongs together into a folder of its own"
    return f"name the column that does in data.identity{_choices(dataset)}"


def _choices(dataset: Dataset) -> str:
    names = ", ".join(f.name for f in dataset.fields)
    return f" ({names})" if names else ""


def _units(dataset: Dataset) -> tuple[Int64, Int64]:
    """The first identity of each unit, and the unit of each identity."""
    joined = units(dataset)
    if joined is None:
        joined = np.arange(len(dataset.identity_names))
    joined = _with_given(dataset, joined)
    _, first, unit = np.unique(joined, return_index=True, return_inverse=True)
    return first.astype(np.int64), unit.reshape(-1).astype(np.int64)


def _with_given(dataset: Dataset, unit: Int64) -> Int64:
    """Units that given pairs join, so that few pairs are lost between two sides.

    A pair that would join more than `LARGEST` of the identities joins nothing.
    """
    given = dataset.pairing.given
    if given is None:
        return unit
    sizes = np.bincount(unit).tolist()
    root = list(range(len(sizes)))
    # Of few identities, each side still has to get some.
    most = max(2, min(MOST_JOINED, len(unit) // 10), int(LARGEST * len(unit)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = i = root[root[i]]
        return i

    for left, right in unit[dataset.identities[given]].tolist():
        one, two = find(left), find(right)
        if one != two and sizes[one] + sizes[two] <= most:
            root[two] = one
            sizes[one] += sizes[two]
    joined = np.array([find(i) for i in range(len(root))], np.int64)
    return joined[unit]


def lost_pairs(dataset: Dataset, splits: Splits) -> str:
    """How many given pairs stand on two sides, in words; empty where none does."""
    given = dataset.pairing.given
    if given is None:
        return ""
    taken = (dataset.pairing.take(idx).given for idx in splits.sides().values())
    n = len(given) - sum(len(pairs) for pairs in taken if pairs is not None)
    return (
        f"{n:,} of {len(given):,} given pairs stand on two sides of the split, as chains of pairs "
        "join what they are of: they are not compared"
        if n
        else ""
    )


def _named(dataset: Dataset, unit: Int64, dev: Sequence[str], eval: Sequence[str]) -> Int64:
    """Side of each unit by the names of its identities: 0 where none was asked for."""
    place = {folded(name): i for i, name in enumerate(dataset.identity_names)}
    place |= {name: i for i, name in enumerate(dataset.identity_names)}
    side = np.zeros(unit.max(initial=-1) + 1, dtype=np.int64)
    for number, names in ((1, dev), (2, eval)):
        for name in names:
            at = place.get(str(name), place.get(folded(str(name))))
            if at is None:
                hint = f"such as {', '.join(dataset.identity_names[:5])}"
                raise DataError(f"no identity {name!r}", where=dataset.source, hint=hint)
            if side[unit[at]] not in (0, number):
                raise DataError(
                    f"identity {name!r}, or one that groups join it to, is asked for in dev and in "
                    "eval"
                )
            side[unit[at]] = number
    return side


def _order(names: Sequence[str], seed: int) -> Int64:
    """Identities in the order of a hash of seed and name."""
    keys = [hashlib.sha256(f"{seed}\0{name}".encode()).digest() for name in names]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def _check_sides(dataset: Dataset, splits: Splits) -> None:
    for name, idx in splits.sides().items():
        counts = np.unique(dataset.identities[idx], return_counts=True)[1]
        hint = "more identities with several records are needed, or other shares"
        if dataset.groups:
            hint += f"; {', '.join(dataset.groups)} may join too many of them"
        if len(counts) < 2:
            what = f"{name} would have {number_of(len(counts), 'identity')}, at least 2 are needed"
            raise DataError(what, where=dataset.source, hint=hint)
        if counts.max() < 2:
            what = f"{name} would have no genuine pair: each identity has one record there"
            raise DataError(what, where=dataset.source, hint=hint)
