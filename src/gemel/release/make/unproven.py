"""The release of a run without labels: everything that serves, and estimates instead of evidence.

Its thresholds come from what the run expects its scores to hold. It says so in its manifest, and
whoever decides by it says it too; nothing in it counts as measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from gemel.arrays import Int64
from gemel.calibrate.answers.known import Taught
from gemel.calibrate.goals import estimated
from gemel.calibrate.goals.policy import policy_of
from gemel.calibrate.goals.stability import Stability
from gemel.calibrate.goals.target import in_words
from gemel.calibrate.probability.fit import pav_of
from gemel.calibrate.rates.hard_identities import Kind, Zoo
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.calibrate.scores.sweep import Sweep
from gemel.data.dataset import Dataset
from gemel.decide.policy import Policy
from gemel.decide.ratio import Likelihood, Logistic, bounds
from gemel.decide.rules import bound
from gemel.encode import comparators
from gemel.encode.comparators import Comparator
from gemel.encode.encoder import Encoder
from gemel.encode.profile import Profile
from gemel.errors import DataError, ReleaseError
from gemel.release import folder as folders
from gemel.release import genuine
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.mistakes import around
from gemel.release.evidence.part import Origin, encode
from gemel.release.evidence.schema import DEFAULT_SAMPLING, Evidence, Point, Sampling
from gemel.release.make.build import as_json, write_parts, write_probes
from gemel.release.make.measured import TIMED_RECORDS, data_summary, timing, validity
from gemel.release.make.progress import Progress, ticker
from gemel.release.release import EVIDENCE, PROFILE, Head, Release, seal
from gemel.release.run import Estimate, Run

N_STEPS = 3
LOOKED_AT = 2000
"""Records whose embeddings the profile describes."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What answers about pairs made of a run without labels.

    Attributes:
        comparator: that learned from them.
        estimate: what its scores are expected to hold.
        taught: the answers.
        otherwise: whether they chose the other way to read the records.
        likely: (2, m) positions of the pairs that it takes to belong together.
    """

    comparator: Comparator
    estimate: Estimate
    taught: Taught
    otherwise: bool = False
    likely: Int64 = field(default_factory=lambda: np.zeros((2, 0), np.int64))


def build(
    run_folder: str | Path,
    dataset: Dataset,
    *,
    goals: Goals,
    into: str | Path,
    lesson: Lesson | None = None,
    name: str = "",
    licence: str = "",
    sampling: Sampling = DEFAULT_SAMPLING,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Release:
    """The unproven release of a run without labels.

    Args:
        run_folder: of the run; it and the rest as for `make.build.build`.
        lesson: what answers made of it; None: of the run alone.
        dataset: its records.
        goals: what is wanted of the thresholds.
        into: folder to become; must not exist.
        name: for people.
        licence: of the weights.
        sampling: which records are looked at.
        now: creation time, for reproducible ids.
        progress: called after each step.
    Raises:
        DataError: other records than the run's, or no threshold is expected to reach a goal.
        ReleaseError: no finished run without labels, a goal that takes labels, or `into` exists.
    """
    tick, created = ticker(progress, N_STEPS), now or datetime.now(UTC)
    run = Run.open(run_folder, dataset)
    expected = run.training.estimate
    if expected is None:
        raise ReleaseError("the run has labels", where=str(run.folder), hint="gemel calibrate")
    _check(goals)
    if expected.by == "views":
        _check_closeness(goals)
    origin = Origin(run, dataset, Encoder.open(run.encoder))
    curve = estimated.sweep_of(expected if lesson is None else lesson.estimate)
    likelihood = _likelihood(curve, expected)
    point = estimated.choose(curve, goals.verify, likelihood)
    policy = _policy(point, likelihood, origin, goals, created.date())
    tick()
    some = np.sort(np.random.default_rng(sampling.seed).permutation(len(dataset))[:LOOKED_AT])
    rows = encode(origin.encoder, dataset, some)
    comparator = comparators.load(run.encoder) if lesson is None else lesson.comparator
    evidence = msgspec.structs.replace(
        _evidence(origin, goals, sampling, curve, point, policy),
        mistakes=around(origin, some, rows, comparator, policy),
        taught=None if lesson is None else lesson.taught,
        notes=(*run.training.notes, *(expected.notes if lesson is None else ())),
    )
    tick()
    with folders.draft(Path(into)) as draft:
        write_parts(draft, run.encoder, comparator, policy)
        (draft / PROFILE).write_bytes(as_json(Profile.of(rows)))
        tolerance = write_probes(draft, dataset, some, rows, sampling.seed)
        likely = run.likely if lesson is None or not lesson.likely.size else lesson.likely
        if likely.size:
            (draft / genuine.FILE).write_bytes(genuine.guessed(dataset, likely))
        sizes = {n: (draft / n).stat().st_size for n in sorted(folders.plain_files(draft))}
        evidence = msgspec.structs.replace(evidence, file_bytes=sizes)
        (draft / EVIDENCE).write_bytes(as_json(evidence))
        head = Head(
            origin.encoder.space_id,
            dataset.modality,
            name,
            licence,
            tolerance=tolerance,
            unproven=True,
        )
        release = seal(draft, Path(into), head, now=created)
    release.check_parity()
    tick()
    return release


def _check(goals: Goals) -> None:
    """Raise where a goal needs labels.

    Raises:
        ReleaseError: it does.
    """
    needed: list[tuple[str, Callable[[Goals], bool]]] = [
        ("calibrate.fpir", lambda g: g.search is not None),
        ("calibrate.cohort", lambda g: bool(g.cohort)),
        ("calibrate.review_width", lambda g: g.review_width is not None),
    ]
    for where, asks in needed:
        if asks(goals):
            what = "that takes labels, and nothing says which records belong together"
            raise ReleaseError(what, where=where, hint="leave it out, or name data.identity")


def _check_closeness(goals: Goals) -> None:
    """Raise where a goal speaks of missed pairs, and only closeness is told.

    Of variants made of one record it is known how close they are, of versions that people made it
    is not: a threshold that finds 99 of 100 variants may miss most of those.

    Raises:
        ReleaseError: it does.
    """
    if goals.verify.limit("fnmr") is None:
        return
    raise ReleaseError(
        "how many of the pairs that belong together are found cannot be told here: how close "
        "records are says nothing of those that differ more than variants made of them",
        where="calibrate.target",
        hint="a lower --precision finds more; gemel label asks people about pairs; with labels "
        "(a folder for each thing, or data.identity) --recall is proven",
    )


def _policy(
    point: OperatingPoint, likelihood: Likelihood, origin: Origin, goals: Goals, today: date
) -> Policy:
    """What the threshold decides, and what a score means."""
    policy = policy_of(
        point,
        likelihood=likelihood,
        expires=(today + timedelta(goals.valid_days)).isoformat(),
    )
    rules = bound(goals.rules, {field.name: field.kind for field in origin.fields})
    return msgspec.structs.replace(policy, rules=rules)


def _likelihood(curve: Sweep, expected: Estimate) -> Likelihood:
    """What scores say that are about log-odds among the pairs, or cosines.

    Raises:
        DataError: nothing is expected to be the same.
    """
    if expected.by == "views":
        try:
            return pav_of(curve)
        except DataError as e:
            raise DataError(
                "no two of these records are closer than strangers come by chance",
                hint="nothing here seems to be there twice; name data.identity, put each class "
                "into a folder of its own, or add records",
            ) from e
    share = curve.n_genuine / (curve.n_genuine + curve.n_impostor)
    low, high = bounds(round(curve.n_genuine), round(curve.n_impostor))
    return Logistic(1.0, -math.log(share / (1 - share)), low, high)


def _evidence(
    origin: Origin,
    goals: Goals,
    sampling: Sampling,
    curve: Sweep,
    point: OperatingPoint,
    policy: Policy,
) -> Evidence:
    """What is expected, in the places of what is measured; the rest is left empty."""
    lines, nobody = estimated.summary(curve), Kind(n_identities=0, n_beyond_chance=0, worst=())
    goal = in_words(goals.verify)
    payloads = origin.dataset.payloads(np.arange(min(len(origin.dataset), TIMED_RECORDS)))
    return Evidence(
        data=data_summary(origin),
        training=origin.run.training,
        goals=goals,
        dev=point,
        eval=point,
        points=(Point(goal=goal, chosen=True, dev=point, eval=point),),
        dev_curve=lines,
        eval_curve=lines,
        smallest_fmr=1.0,
        candidates=(),
        mistakes=(),
        dim=origin.encoder.dim,
        timing=timing(origin.encoder, payloads),
        file_bytes={},
        classes=None,
        notes=(),
        rules=(),
        views=None,
        categories=None,
        stability=Stability(
            low=lines.threshold[-1],
            high=lines.threshold[0],
            confidence=goals.verify.confidence,
            method=estimated.METHOD,
        ),
        searches=(),
        validity=validity(policy, point, origin.encoder.space_id),
        reliability=None,
        cohort_id=None,
        galleries=(),
        zoo=Zoo(wolves=nobody, goats=nobody),
        against=(),
        review=None,
        sampling=sampling,
        unproven=True,
    )
