"""A release beside what one would have without learning anything: both measured alike on eval.

Each is at the threshold that is best for F1 on its own dev scores, whatever the goal of the release
is. What the baseline is, each modality says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates import difference
from gemel.calibrate.rates.difference import Difference
from gemel.calibrate.rates.equal_error import equal_error
from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores import curve_measures
from gemel.data import crossed
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.data.pairing import Pairing
from gemel.decide.bands import Band
from gemel.encode import comparators, modality
from gemel.encode.comparators import Scorer
from gemel.encode.encoder import Encoder
from gemel.encode.modality import Payload
from gemel.release.evidence import differences
from gemel.release.evidence.differences import Contender, Stakes
from gemel.release.evidence.part import Origin, Part, Sides, encode, whole_identities
from gemel.release.evidence.schema import Candidate, Sampling
from gemel.release.run import Run
from gemel.tasks import given
from gemel.tasks.retrieval import average_precision_at_r, mate_ranks, queries, retrieve

COMPARED_RECORDS = 20_000
TOLD_RECORDS = 2000
"""Of dev, that `on_dev` looks at."""
CONFIDENCE = 0.95
N_DRAWS = 200
BATCH = 256
"""Payloads that are in memory at a time."""


def candidates(
    origin: Origin, sides: Sides, target: Target
) -> tuple[tuple[Candidate, ...], tuple[Difference, ...]]:
    """The release and its baseline, on the same records, and the first minus the second.

    Args:
        origin: run, dataset, encoder.
        sides: dev and eval.
        target: its prior, costs and confidence hold here too.
    """
    splits, parts = origin.run.splits, (sides.dev, sides.eval)
    kept = [p.some(COMPARED_RECORDS) for p in parts]
    of_both = crossed.positions(splits).values()
    positions = [idx[k] for idx, k in zip(of_both, kept, strict=True)]
    plain = modality.named(origin.dataset.modality).baseline(
        origin.encoder.prepare,
        _payloads(origin.dataset, splits.train),
        _payloads(origin.dataset, np.concatenate(positions)),
    )
    rows = (plain.rows[: len(kept[0])], plain.rows[len(kept[0]) :])
    ours = [_of_some(p, k) for p, k in zip(parts, kept, strict=True)]
    theirs = [
        Part.of(
            r,
            p.identities[k],
            plain.comparator,
            units=p.units,
            sampling=mine.sampling,
            pairing=p.pairing.take(k),
        )
        for p, k, r, mine in zip(parts, kept, rows, ours, strict=True)
    ]
    first = _candidate("gemel", "this release", Sides(*ours), target.prior)
    second = _candidate(plain.name, plain.how, Sides(*theirs), target.prior)
    both = (_contender(theirs[1], second), _contender(ours[1], first))
    stakes = Stakes.of(target, first.point.prior)
    return (first, second), (
        *differences.at_thresholds(both, stakes),
        *differences.of_curves(both, stakes.confidence),
        *differences.of_searches(both, stakes.confidence),
    )


@dataclass(frozen=True)
class OnDev:
    """A measure on dev, of the exported encoder with its comparator and of the baseline.

    Attributes:
        measure: MAP@R, or how well given pairs are told, see `gemel.tasks.given`.
        ours: of the encoder.
        theirs: of the baseline.
        baseline: its name.
        crossed: dev is a third, and the encoder is the one that has not seen it.
        span: 95 % limits of the difference, of the first less the second; None: not known.
    """

    measure: str
    ours: float
    theirs: float
    baseline: str
    crossed: bool = False
    span: tuple[float, float] | None = None


def on_dev(run: Run, dataset: Dataset) -> OnDev:
    """The encoder of a run beside the baseline, on dev.

    Args:
        run: finished.
        dataset: the one it was trained on.
    """
    crossed = run.splits.crossed
    run, idx = run.unseen("dev", dataset), run.splits.dev
    origin = Origin(run, dataset, Encoder.open(run.encoder))
    idx = idx[whole_identities(dataset.identities[idx], TOLD_RECORDS)]
    plain = modality.named(dataset.modality).baseline(
        origin.encoder.prepare, _payloads(dataset, run.splits.train), _payloads(dataset, idx)
    )
    rows, codes = encode(origin.encoder, dataset, idx), dataset.identities[idx]
    pairing = dataset.pairing.take(idx)
    both = (rows, comparators.load(run.encoder)), (plain.rows, plain.comparator)
    if pairing.given is not None and len(pairing.given):
        (ours, theirs), span = _of_given(both, codes, pairing)
    else:
        (ours, theirs), span = _of_searches(both, codes, pairing.files)
    measure = "MAP@R" if pairing.given is None else given.measure_of(pairing)
    return OnDev(measure, ours, theirs, plain.name, crossed, span)


Similar = tuple[Float32, Scorer]
"""Unit rows, and what scores a pair of them."""
Apart = tuple[tuple[float, float], tuple[float, float]]
"""A measure of two, and the limits of the first less the second."""


def _of_searches(both: tuple[Similar, Similar], codes: Int64, files: Int64 | None) -> Apart:
    """MAP@R of two similarities."""
    ours, theirs = (
        np.array([average_precision_at_r(ranks) for ranks in mate_ranks(rows, codes, c, files)])
        for rows, c in both
    )
    unit = codes[queries(codes, files)]
    found = difference.of_items("MAP@R", theirs, ours, unit, CONFIDENCE)
    return (found.after, found.before), (found.low, found.high)


def _of_given(both: tuple[Similar, Similar], codes: Int64, pairing: Pairing) -> Apart:
    """How well two similarities tell given pairs; limits by drawing identities again."""
    left, right = pairing.given.T if pairing.given is not None else np.zeros((2, 0), np.int64)
    of, graded = given.said(codes, pairing)
    scores = [c.score(rows[left], rows[right]) for rows, c in both]
    unit, rng, drawn = np.unique(codes[left], return_inverse=True)[1], np.random.default_rng(0), []
    for _ in range(N_DRAWS):
        times = np.bincount(
            rng.integers(0, unit.max() + 1, unit.max() + 1), minlength=unit.max() + 1
        )
        at = np.repeat(np.arange(len(unit)), times[unit])
        one, two = (given.agreement(score[at], of[at], graded) for score in scores)
        drawn.append(one - two)
    ours, theirs = (given.agreement(score, of, graded) for score in scores)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
    return (ours, theirs), (low, high)


def _of_some(part: Part, kept: Int64) -> Part:
    """The part without the records that were left out, and without categories."""
    if len(kept) == np.count_nonzero(part.identities != UNKNOWN):
        return part
    sampling = Sampling(max(len(part.scores), 1000), part.sampling.seed)
    return Part.of(
        part.embeddings[kept],
        part.identities[kept],
        part.comparator,
        units=part.units,
        sampling=sampling,
        pairing=part.pairing.take(kept),
    )


def _candidate(name: str, how: str, sides: Sides, prior: float | None) -> Candidate:
    """A similarity on eval, at the threshold that is best for F1 on dev."""
    threshold = choose(sides.dev.scores, Target(kind="f1", prior=prior)).threshold
    eval = sides.eval
    return Candidate(
        name=name,
        how=how,
        point=measure(eval.scores, threshold, prior=prior),
        retrieval=retrieve(
            eval.embeddings, eval.identities, eval.comparator, files=eval.pairing.files
        ),
        curve=curve_measures.summary(eval.scores),
        eer=equal_error(eval.scores),
    )


def _payloads(dataset: Dataset, idx: Int64) -> Iterator[Payload]:
    for start in range(0, len(idx), BATCH):
        yield from dataset.payloads(idx[start : start + BATCH])


def _contender(part: Part, of: Candidate) -> Contender:
    at = of.point.threshold
    return Contender(part, Band(threshold=at, review_low=at, review_high=at))
