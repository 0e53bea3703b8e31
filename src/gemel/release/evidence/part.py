"""One side of a split, encoded and compared: what every measure of a release looks at.

Everything runs on the exported encoder, since that is what will serve. Embeddings of a run are kept
beside it, so that another goal encodes nothing.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import Float32, Int64, digest
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import OperatingPoint, measure
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.categories import level_scores
from gemel.calibrate.scores.scores import Scores, as_the_worst, joined
from gemel.data import crossed
from gemel.data.dataset import UNKNOWN, CategoryColumn, Dataset
from gemel.data.pairing import ALL, Pairing
from gemel.data.schema import Field
from gemel.data.units import units
from gemel.decide.bands import Band
from gemel.decide.categories import Categories
from gemel.encode import comparators
from gemel.encode.comparators import Scorer
from gemel.encode.encoder import Encoder
from gemel.files import whole
from gemel.release.evidence.schema import DEFAULT_SAMPLING, Sampling
from gemel.release.run import Run

BATCH = 256
KEPT = "embeddings.npz"

Level = Callable[[Float32, Any, Any], Float32]
"""Levelled scores of scores and the positions of both records."""


@dataclass(frozen=True)
class Origin:
    """What a release is made from.

    Attributes:
        run: finished.
        dataset: that it was trained on.
        encoder: that it exported.
    """

    run: Run
    dataset: Dataset
    encoder: Encoder

    def unseen(self, side: str) -> Origin:
        """The same with the encoder that has not seen a side: itself, unless the run is crossed."""
        run = self.run.unseen(side, self.dataset)
        return self if run is self.run else Origin(run, self.dataset, Encoder.open(run.encoder))

    @property
    def fields(self) -> tuple[Field, ...]:
        """Of the rows that the encoder takes; empty for other payloads."""
        return self.encoder.prepare.fields


@dataclass(frozen=True)
class Part:
    """One side of a split, encoded.

    Attributes:
        embeddings: (n, d) float32.
        identities: (n,) int64.
        comparator: what scores a pair of them.
        scores: all comparisons; levelled if `levelled` says how. Of a joined part those within
            each of its sides, which are not those of `embeddings`.
        units: of identities that depend on each other; None: each is one.
        category: of the records, if they have one.
        levelled: how the scores of each category were levelled; None = they were not.
        sampling: of the comparisons.
        pairing: which pairs of the records are comparisons.
        unseen: the sides that this one joins, each by an encoder that had not seen it;
            `embeddings` are of the encoder that is served, which has.
    """

    embeddings: Float32
    identities: Int64
    comparator: Scorer
    scores: Scores
    units: Int64 | None = None
    category: CategoryColumn | None = None
    levelled: Categories | None = None
    sampling: Sampling = DEFAULT_SAMPLING
    pairing: Pairing = ALL
    unseen: tuple[Part, ...] = ()

    @classmethod
    def of(
        cls,
        embeddings: Float32,
        identities: Int64,
        comparator: Scorer,
        *,
        category: CategoryColumn | None = None,
        units: Int64 | None = None,
        sampling: Sampling = DEFAULT_SAMPLING,
        pairing: Pairing = ALL,
    ) -> Part:
        """Embeddings of one side with all their comparisons; arguments as the attributes."""
        scores = all_pairs(
            embeddings,
            identities,
            comparator,
            categories=category,
            max_comparisons=sampling.max_comparisons,
            seed=sampling.seed,
            units=units,
            pairing=pairing,
        )
        return cls(
            embeddings,
            identities,
            comparator,
            scores,
            units,
            category,
            sampling=sampling,
            pairing=pairing,
        )

    @classmethod
    def of_records(
        cls, embeddings: Float32, records: Dataset, comparator: Scorer, sampling: Sampling
    ) -> Part:
        """Records with all their comparisons; `embeddings` are theirs, in their order."""
        return cls.of(
            embeddings,
            records.identities,
            comparator,
            category=records.category,
            units=units(records),
            sampling=sampling,
            pairing=records.pairing,
        )

    def point(self, band: Band, target: Target) -> OperatingPoint:
        """What threshold and review band do here; `target` says prior, confidence and intervals."""
        return measure(
            self.scores,
            band.threshold,
            prior=target.prior,
            confidence=target.confidence,
            review=(band.review_low, band.review_high),
        )

    def level(self, categories: Categories | None) -> Part:
        """The same part with levelled scores; itself if there is nothing to level by.

        Args:
            categories: learned from other records.
        """
        if categories is None:
            return self
        return replace(self, scores=level_scores(self.scores, categories), levelled=categories)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the two kinds of records, where one kind is compared with the other; or none."""
        files, category = self.pairing.files, self.category
        if files is None or category is None or not np.array_equal(files, category.codes):
            return ()
        return category.names

    def of_all_kinds(self) -> Scores:
        """All comparisons, those of two records of one kind as well."""
        return all_pairs(
            self.embeddings,
            self.identities,
            self.comparator,
            categories=self.category,
            max_comparisons=self.sampling.max_comparisons,
            seed=self.sampling.seed,
            units=self.units,
        )

    def leveller(self) -> Level | None:
        """What levels scores of records, given by their positions; None if there is nothing to."""
        categories, column = self.levelled, self.category
        if categories is None or column is None:
            return None
        code = categories.codes(column.names)[column.codes]
        return lambda score, left, right: categories.level_block(score, code[left], code[right])

    def some(self, limit: int) -> Int64:
        """Positions of about `limit` records at most, as `whole_identities` draws them."""
        return whole_identities(self.identities, limit, self.sampling.seed)


@dataclass(frozen=True)
class Sides:
    """Dev, on which all is chosen, and eval, on which all is reported; neither levelled."""

    dev: Part
    eval: Part


def compared(
    origin: Origin, comparator: Scorer, sampling: Sampling, tick: Callable[[], None]
) -> Sides:
    """Dev and eval of a run, encoded and compared.

    Args:
        origin: run, dataset and encoder.
        comparator: what scores a pair; parts of a crossed run have their own.
        sampling: of the comparisons.
        tick: called after each side.
    """
    if origin.run.splits.crossed:
        return _crossed(origin, comparator, sampling, tick)
    splits, sides = origin.run.splits, []
    rows = embeddings(origin, {"dev": splits.dev, "eval": splits.eval})
    for name, idx in (("dev", splits.dev), ("eval", splits.eval)):
        sides.append(_side(origin.dataset, idx, rows[name], comparator, sampling))
        tick()
    return Sides(*sides)


def _side(
    dataset: Dataset, idx: Int64, rows: Float32, comparator: Scorer, sampling: Sampling
) -> Part:
    """The records at these positions, whose embeddings these are; the scores know their share."""
    records = dataset.take(idx)
    part = Part.of_records(rows, records, comparator, sampling)
    share = _n_identities(records) / max(_n_identities(dataset), 1)
    return replace(part, scores=replace(part.scores, share=share))


def _crossed(
    origin: Origin, comparator: Scorer, sampling: Sampling, tick: Callable[[], None]
) -> Sides:
    """Two thirds as dev and one as eval, each scored by the encoder that has not seen it."""
    parts = {}
    for side, idx in origin.run.splits.sides().items():
        of = origin.unseen(side)
        rows = embeddings(of, {side: idx})[side]
        own = comparators.load(of.run.encoder)
        parts[side] = _side(origin.dataset, idx, rows, own, sampling)
    tick()
    at = crossed.positions(origin.run.splits)["dev"]
    records = origin.dataset.take(at)
    of_units = units(records)
    scores = joined(
        as_the_worst([parts[side].scores for side in crossed.DEV]),
        unit_of=None if of_units is None else of_units.astype(np.int32),
        share=_n_identities(records) / max(_n_identities(origin.dataset), 1),
    )
    dev = Part(
        embeddings=embeddings(origin, {"dev": at})["dev"],
        identities=records.identities,
        comparator=comparator,
        scores=scores,
        units=of_units,
        category=records.category,
        sampling=sampling,
        pairing=records.pairing,
        unseen=tuple(parts[side] for side in crossed.DEV),
    )
    tick()
    return Sides(dev, parts[crossed.EVAL])


def _n_identities(records: Dataset) -> int:
    return len(np.unique(records.identities[records.identities != UNKNOWN]))


def encode(encoder: Encoder, dataset: Dataset, idx: Int64) -> Float32:
    """Embeddings of these records, (m, d) float32; payloads are read a batch at a time."""
    parts = [
        encoder.encode(dataset.payloads(idx[start : start + BATCH]), batch=BATCH)
        for start in range(0, len(idx), BATCH)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, encoder.dim), np.float32)


def whole_identities(identities: Int64, limit: int, seed: int = 0) -> Int64:
    """Positions of the records of randomly chosen identities, ascending, about `limit` at most.

    Args:
        identities: (n,) int64; -1 = unknown, never chosen.
        limit: all known records are kept if there are no more than this.
        seed: of the choice.
    """
    known = np.flatnonzero(identities >= 0)
    if len(known) > limit:
        codes, size = np.unique(identities[known], return_counts=True)
        order = np.random.default_rng(seed).permutation(len(codes))
        fits = np.cumsum(size[order]) <= limit
        fits[:2] = True
        known = known[np.isin(identities[known], codes[order][fits])]
    return known.astype(np.int64)


def embeddings(origin: Origin, sides: Mapping[str, Int64]) -> dict[str, Float32]:
    """Embeddings of the records of each side: (n, d) float32, read if they are kept, else made.

    What is kept may be deleted at any time and is never trusted: its key is the space, the records
    and the rows of each side. What cannot be written costs time and nothing else.

    Args:
        origin: run, dataset and encoder.
        sides: name to positions of records.
    """
    kept = _read(origin.run.folder / KEPT, _key(origin, sides))
    if kept is not None:
        return kept
    rows = {name: encode(origin.encoder, origin.dataset, idx) for name, idx in sides.items()}
    keep(origin, sides, rows)
    return rows


def keep(origin: Origin, sides: Mapping[str, Int64], rows: Mapping[str, Float32]) -> None:
    """Keep the embeddings of the records of each side, for `embeddings`."""
    _write(origin.run.folder / KEPT, _key(origin, sides), rows)


def _key(origin: Origin, sides: Mapping[str, Int64]) -> str:
    return digest(
        origin.encoder.space_id.encode(),
        origin.dataset.digest.encode(),
        *(part for name, idx in sides.items() for part in (name.encode(), idx.tobytes())),
    )


def _read(path: Path, key: str) -> dict[str, Float32] | None:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            if str(file["key"]) == key:
                return {name: file[name] for name in file.files if name != "key"}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        pass  # none yet, or damaged
    return None


def _write(path: Path, key: str, rows: Mapping[str, Float32]) -> None:
    with contextlib.suppress(OSError), whole(path) as file:
        np.savez(file, allow_pickle=False, key=np.array(key), **rows)
