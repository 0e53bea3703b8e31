"""All that is measured about a policy, put together as evidence. Dev chose, eval reports.

Nothing is chosen or fitted here, and no threshold ever comes from eval.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Int64
from gemel.calibrate.goals.certificates import smallest_fmr
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.stability import stability
from gemel.calibrate.goals.target import Target, in_words
from gemel.calibrate.probability.reliability import reliability
from gemel.calibrate.rates.by_category import Breakdown, breakdown
from gemel.calibrate.rates.difference import Difference
from gemel.calibrate.rates.hard_identities import zoo
from gemel.calibrate.rates.intervals import Estimate, n_carrying
from gemel.calibrate.rates.operating_point import OperatingPoint, measure, review_share
from gemel.calibrate.scores import curve_measures, sweep
from gemel.calibrate.scores.scores import Scores
from gemel.data import crossed
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.decide.policy import Policy
from gemel.encode.encoder import Encoder
from gemel.errors import DataError, TargetRefused
from gemel.figures import number_of, out_of, percent
from gemel.release.evidence import beyond_pairs, classes, mistakes
from gemel.release.evidence.against_baseline import candidates
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.part import BATCH, Origin, Part, Sides
from gemel.release.evidence.schema import (
    Candidate,
    DataSummary,
    Evidence,
    Point,
    Side,
    Timing,
    Validity,
)
from gemel.release.make.decide import Decided
from gemel.release.make.in_part import in_part

TIMED_RECORDS = 2000
N_SINGLE = 200
HEAVY = 0.1
"""Share of the genuine comparisons from which on one identity is mentioned."""

OTHER_GOALS = (
    Target(kind="f1"),
    Target(kind="eer"),
    Target(kind="fmr", value=1e-2),
    Target(kind="fmr", value=1e-3),
    Target(kind="fmr", value=1e-4),
    Target(kind="precision", value=0.95),
    Target(kind="precision", value=0.99),
)


def measured(
    origin: Origin,
    sides: Sides,
    decided: Decided,
    tick: Callable[[], None],
    *,
    like: Evidence | None = None,
) -> Evidence:
    """All that is measured about a policy; `file_bytes` is left to who writes the files.

    Args:
        origin: run, dataset, encoder.
        sides: dev and eval.
        decided: on dev.
        tick: called after each of three steps.
        like: evidence of a release of the same run, for what goals do not touch.
    """
    goals, policy, chosen, dev = decided.goals, decided.policy, decided.chosen, decided.dev
    target, sure, seed = goals.verify, goals.verify.confidence, dev.sampling.seed
    eval, idx = sides.eval.level(policy.categories), origin.run.splits.eval
    on_eval = eval.point(policy.verify, target)
    points = _points(dev.scores, eval.scores, target, chosen, on_eval)
    tick()
    compared, against, timing = _like_or_anew(origin, sides, target, like)
    tick()
    wrong = mistakes.of_policy(origin.unseen("eval"), idx, eval, policy)
    tick()
    return Evidence(
        data=data_summary(origin),
        training=origin.run.training,
        goals=goals,
        dev=chosen,
        eval=on_eval,
        points=points,
        dev_curve=curve_measures.summary(dev.scores),
        eval_curve=curve_measures.summary(eval.scores),
        smallest_fmr=smallest_fmr(dev.scores, sure),
        candidates=compared,
        mistakes=wrong,
        dim=origin.encoder.dim,
        timing=timing,
        file_bytes={},
        classes=classes.measure(eval, decided.classes, confidence=sure, seed=seed),
        notes=_notes(decided, eval, origin.dataset),
        categories=_by_category(eval, goals, chosen.threshold),
        stability=stability(dev.scores, eval.scores, target, chosen, seed=seed),
        searches=beyond_pairs.searches_by_size(eval, policy, sure),
        galleries=beyond_pairs.galleries(eval, policy, sure),
        directions=beyond_pairs.directions(eval, policy, sure),
        zoo=zoo(eval.scores, chosen.threshold, _who(origin.dataset, idx)),
        against=against,
        review=_review(eval.scores, on_eval, sure),
        validity=validity(policy, chosen, origin.encoder.space_id),
        reliability=reliability(eval.scores, policy),
        views=beyond_pairs.views(eval, chosen.threshold, sure),
        rules=beyond_pairs.rule_costs(
            policy, eval, lambda at: origin.dataset.payloads(idx[at]), sure
        ),
        cohort_id=getattr(eval.comparator, "cohort_id", None),
        sampling=dev.sampling,
    )


def _like_or_anew(
    origin: Origin, sides: Sides, target: Target, like: Evidence | None
) -> tuple[tuple[Candidate, ...], tuple[Difference, ...], Timing]:
    """Release and baseline, their differences, and timing: no goal touches them but by a prior."""
    if like is not None and like.target.prior == target.prior:
        return like.candidates, like.against, like.timing
    payloads = origin.dataset.payloads(origin.run.splits.eval[:TIMED_RECORDS])
    return *candidates(origin, sides, target), timing(origin.encoder, payloads)


def _points(
    dev: Scores, eval: Scores, target: Target, chosen: OperatingPoint, on_eval: OperatingPoint
) -> tuple[Point, ...]:
    """The table of operating points: the chosen one first, then other goals for comparison."""
    sure = target.confidence
    table = [Point(goal=in_words(target), chosen=True, dev=chosen, eval=on_eval)]
    curve = sweep.sweep(dev)
    for other in OTHER_GOALS:
        if other.is_alike(target):
            continue
        goal = in_words(other)
        try:
            goal_there = msgspec.structs.replace(other, prior=target.prior, confidence=sure)
            there = choose(dev, goal_there, curve=curve)
        except DataError as e:
            refusal = e.refusal if isinstance(e, TargetRefused) else None
            reason = f"{e.what}; {e.hint}"
            table.append(Point(goal=goal, chosen=False, reason=reason, refusal=refusal))
            continue
        here = measure(eval, there.threshold, prior=target.prior, confidence=sure)
        table.append(Point(goal=goal, chosen=False, dev=there, eval=here))
    return tuple(table)


def _notes(decided: Decided, eval: Part, dataset: Dataset) -> tuple[str, ...]:
    """What a reader of thresholds and curves has to know."""
    dev, cohort = decided.dev, decided.goals.cohort
    both = ("dev", dev), ("eval", eval)
    notes = [f"{n}: {p.scores.note}" for n, p in both if p.scores.note]
    notes += [f"{n}: {said}" for n, p in both if (said := _heavy(p.scores))]
    if dataset.pairing.is_all and (partly := in_part(decided.goals, dataset.identities)):
        notes.append(partly)
    if dev.unseen:
        notes.append(f"{crossed.IN_WORDS}; {crossed.ASSUMED}")
    if dev.levelled is not None:
        notes.append(
            f"each {dev.levelled.column} has a threshold of its own: scores and thresholds are "
            "those of an average one"
        )
    n = len(getattr(eval.comparator, "cohort", ()))
    if n < cohort:
        notes.append(f"a cohort of all {n:,} identities of train, not {cohort:,}")
    if decided.classes.policy is None:
        notes += decided.classes.notes
    return tuple(notes)


def _heavy(scores: Scores) -> str:
    """That one identity has much of the genuine comparisons, in words; empty if none has."""
    of_each = scores.genuine_by_identity
    share = of_each.max(initial=0) / max(scores.n_genuine, 1)
    if share < HEAVY:
        return ""
    n, carrying = int(np.count_nonzero(of_each)), n_carrying(of_each)
    return (
        f"one identity has {percent(float(f'{share:.2g}'))} of the genuine comparisons; intervals "
        f"of FNMR are as wide as with {carrying:.0f} identities, not {n:,}"
    )


def _by_category(eval: Part, goals: Goals, threshold: float) -> Breakdown | None:
    """Error rates of each category at the threshold; None if nobody asks or there are none."""
    if goals.categories == "off" or eval.category is None:
        return None
    return breakdown(
        eval.of_all_kinds() if eval.kinds else eval.scores,
        threshold,
        column=eval.category.name,
        categories=eval.levelled,
        confidence=goals.verify.confidence,
    )


def _review(eval: Scores, at: OperatingPoint, confidence: float) -> Estimate | None:
    """Share of comparisons that go to a person; None without a review band."""
    if at.review_low >= at.review_high:
        return None
    return review_share(eval, (at.review_low, at.review_high), at.prior, confidence)


def _who(dataset: Dataset, idx: Int64) -> Callable[[int], tuple[str, tuple[str, ...]]]:
    """Name and record ids of an identity code; idx are the positions to look at."""
    codes = dataset.identities[idx]

    def who(code: int) -> tuple[str, tuple[str, ...]]:
        ids = dataset.ids[idx[codes == code]]
        return dataset.identity_names[code], tuple(str(i) for i in ids)

    return who


def validity(policy: Policy, chosen: OperatingPoint, space_id: str) -> Validity:
    """For what, and how long, the thresholds of a policy hold.

    Args:
        policy: with a day on which it expires.
        chosen: its operating point on dev.
        space_id: of the embeddings.
    """
    expires, largest = policy.expires or "", policy.largest_gallery
    n, genuine = out_of(chosen.prior)
    conditions = [
        "encoder or comparator change: the threshold is for their scores only",
        f"the share of genuine comparisons is no longer about {genuine} of {n}",
        "people, products, categories or how records come about change",
        f"after {expires}",
    ]
    if chosen.certified:
        rare = max(chosen.n_identities // 3, 1)
        conditions.append(
            f"a kind of identity turns up that is rarer than about 1 in {rare:,}: dev of "
            f"{chosen.n_identities:,} may have had none, and nothing is proven for it"
        )
    if largest is not None:
        conditions.append(f"the gallery grows beyond {number_of(largest, 'record')}")
    return Validity(
        expires=expires,
        space_id=space_id,
        prior=chosen.prior,
        n_identities=chosen.n_identities,
        largest_gallery=largest,
        conditions=tuple(conditions),
    )


def timing(encoder: Encoder, payloads: Sequence[Any]) -> Timing:
    """How long these payloads take to encode, one by one and in batches."""
    encoder.encode(payloads[:1])
    single = []
    for payload in payloads[:N_SINGLE]:
        start = time.perf_counter()
        encoder.encode([payload])
        single.append(time.perf_counter() - start)
    start = time.perf_counter()
    encoder.encode(payloads, batch=BATCH)
    bulk = time.perf_counter() - start
    p50, p99 = np.quantile(single, [0.5, 0.99]) * 1000
    return Timing(
        n_single=len(single),
        single_p50_ms=float(p50),
        single_p99_ms=float(p99),
        batch=min(BATCH, len(payloads)),
        items_per_second=len(payloads) / max(bulk, 1e-9),
        machine=machine(),
    )


def machine() -> str:
    """Processor, number of cores and system, without the name of the machine."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line for line in info.read_text().splitlines() if line.startswith("model name"))
        model = next(lines, f": {model}").partition(":")[2].strip() or model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def data_summary(origin: Origin) -> DataSummary:
    """What a release was made from."""
    dataset, splits = origin.dataset, origin.run.splits
    return DataSummary(
        source=Path(dataset.source).name or dataset.source,
        digest=dataset.digest,
        n_records=len(dataset),
        n_unlabelled=int(np.count_nonzero(dataset.identities == UNKNOWN)),
        n_bad=dataset.n_bad,
        fields=tuple((f.name, f.kind) for f in dataset.fields),
        seed=splits.seed,
        sides={name: side(dataset, idx) for name, idx in splits.sides().items()},
        category=dataset.category.digest if dataset.category else "",
        crossed=splits.crossed,
    )


def side(dataset: Dataset, idx: Int64) -> Side:
    """Counts and digest of one side of a split."""
    codes = dataset.identities[idx]
    size = np.unique(codes[codes != UNKNOWN], return_counts=True)[1]
    groups = {name: np.unique(g[idx][g[idx] != UNKNOWN]) for name, g in dataset.groups.items()}
    return Side(
        n_records=int(size.sum()),
        n_identities=len(size),
        n_multiple=int(np.count_nonzero(size > 1)),
        digest=dataset.take(idx).digest,
        groups={name: len(seen) for name, seen in groups.items()},
    )
