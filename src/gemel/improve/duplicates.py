"""Duplicates within a data set or between two: compare, decide, cluster, and say what it is worth.

Every pair is compared exactly, or above `EXACT_RECORDS` those that an engine proposes. The
comparator scores, the policy of the release decides. Comparing is the long part: it is done in
blocks that stay in a job folder, so a job that was stopped goes on, and another method of
clustering compares nothing again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import Bool, Float32, Float64, Int64, canonical_json, digest
from gemel.calibrate.judged import Judged, judge
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.errors import ConfigError, GalleryError
from gemel.gallery import engines
from gemel.improve import job as jobs
from gemel.improve.compared import Compared
from gemel.improve.found import (
    Duplicates,
    Summary,
    cluster_frame,
    false_links,
    known_recall,
    pair_frame,
)
from gemel.improve.proposals import (
    CANDIDATES,
    CandidateRecall,
    Proposer,
    measured,
    open_proposer,
    unique,
)
from gemel.release.release import Release
from gemel.tasks import canonical as canonicals
from gemel.tasks.agreement import agreement
from gemel.tasks.clusters import METHODS, Links, Method, cluster
from gemel.tasks.pairs import MAX_PARTNERS, Pairs, exact, scan

EXACT_RECORDS = 20_000
"""Up to so many (two data sets: so many squared pairs) all are compared: some minutes of a core."""
EXACT = "exact"
ENCODED_AT_ONCE = 4096
BLOCK_PAIRS = 1 << 23
BLOCK_RECORDS = 4096
FORMAT = 1

Progress = Callable[[str, int, int], None]


def duplicates(
    release: Release,
    dataset: Dataset,
    other: Dataset | None = None,
    *,
    method: Method = "average",
    canonical: str = "complete",
    max_risk: float | None = None,
    engine: str = "auto",
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Duplicates:
    """Records that are the same, within a data set or between two, in clusters.

    Args:
        release: encodes, compares and decides.
        dataset: at least two records with the fields of the release.
        other: a second data set; then only pairs across the two are compared.
        method: how matches become clusters, see `tasks.clusters`.
        canonical: `complete`, `central` or `newest:FIELD`, see `tasks.canonical`.
        max_risk: probability of a false link that no cluster may exceed; None for no limit.
        engine: `exact`, the name of an engine, or `auto`: exact up to `EXACT_RECORDS`.
        folder: of the job, kept; a job that was stopped goes on there. None: a temporary one.
        progress: called with what is done now, how much of it, and how much in all.
    Raises:
        DataError: records that do not fit the release, or a folder of another job.
        ConfigError: an unknown method, choice or field.
        GalleryError: an unknown engine.
    """
    tell = progress or (lambda stage, done, total: None)
    compared = Compared.of(release, dataset, other)
    _check_options(method, canonical, max_risk, compared)
    plan = planned(release, compared, engine)
    with _folder(folder) as place, jobs.opened(place, plan) as job:
        key = digest(release.space_id.encode(), *(d.encode() for d in compared.digests))
        rows = job.rows(
            key,
            len(compared),
            ENCODED_AT_ONCE,
            lambda part: release.encoder.encode(compared.payloads(part)),
            lambda done, total: tell("encoding", done, total),
        )
        pairs, recall = _compared(release, compared, job, rows, plan["engine"], tell)
        tell("clustering", 0, 1)
        judged = judge(release.policy, pairs.score, compared.n_pairs, known_recall(release))
        links = links_of(len(compared), pairs, judged)
        found = cluster(
            links,
            method=method,
            score_all=lambda members: release.comparator.matrix(rows[members], rows[members]),
            cut=release.policy.verify.review_high,
            max_risk=max_risk,
        )
        chosen = canonicals.choose(
            canonical, found.label, rows, compared.frame(), where=compared.left.source
        )
        score = _to_canonical(release, rows, found.label, chosen)
        tell("clustering", 1, 1)
    identities = compared.identities()
    summary = Summary(
        release=release.id,
        n_records=len(compared),
        n_pairs=compared.n_pairs,
        engine=plan["engine"],
        candidate_recall=recall,
        threshold=release.policy.verify.threshold,
        prior=judged.prior,
        n_matches=int(judged.match.sum()),
        n_review=judged.outcome.count("review"),
        n_full=pairs.n_full,
        false_links=false_links(release, judged, compared.n_pairs),
        method=method,
        max_risk=max_risk,
        n_clusters=int((found.size > 1).sum()),
        n_redundant=len(compared) - len(found.size),
        largest=int(found.size.max()),
        agreement=None if (identities == UNKNOWN).all() else agreement(found.label, identities),
    )
    return Duplicates(
        cluster_frame(compared, found, chosen, score),
        pair_frame(compared, pairs, judged),
        summary,
    )


def planned(release: Release, compared: Compared, engine: str = "auto") -> dict[str, Any]:
    """Everything that decides the pairs of a job; its digest names the job.

    Raises:
        GalleryError: an unknown engine.
    """
    if engine not in ("auto", EXACT, *engines.names()):
        known = ", ".join(("auto", EXACT, *engines.names()))
        raise GalleryError(f"unknown engine {engine!r}", hint=f"one of: {known}")
    if engine == "auto":
        engine = EXACT if compared.n_pairs <= EXACT_RECORDS**2 / 2 else "hnsw"
    parameters = {"partners": MAX_PARTNERS}
    if engine != EXACT:
        parameters["candidates"] = CANDIDATES
    return {
        "format": FORMAT,
        "release": release.id,
        "data": compared.digests,
        "engine": engine,
        "parameters": parameters,
    }


def name_of(plan: dict[str, Any]) -> str:
    """Name of a job, decided by all that decides its pairs."""
    return digest(canonical_json(plan))[:12]


def links_of(n: int, pairs: Pairs, judged: Judged) -> Links:
    """The pairs that match, as links with a risk."""
    match = judged.match
    risk = 1 - judged.probability[match]
    return Links(n, pairs.left[match], pairs.right[match], pairs.score[match], risk)


def _check_options(method: str, canonical: str, max_risk: float | None, compared: Compared) -> None:
    """Raise now what would else be raised after all comparisons."""
    if method not in METHODS:
        raise ConfigError(f"unknown method {method!r}", hint=f"one of: {', '.join(METHODS)}")
    if max_risk is not None and not 0 <= max_risk <= 1:
        raise ConfigError(f"max_risk is {max_risk}, must lie between 0 and 1", where="max_risk")
    canonicals.check(canonical, compared.frame(), where=compared.left.source)


@contextmanager
def _folder(folder: str | Path | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="gemel-duplicates-") as temporary:
        yield Path(temporary)


def _compared(
    release: Release,
    compared: Compared,
    job: jobs.Job,
    rows: Float32,
    engine: str,
    tell: Progress,
) -> tuple[Pairs, CandidateRecall | None]:
    """All pairs that match or are for review, and how many an engine missed."""
    floor = release.policy.verify.review_low
    first_right, n_left = compared.first_right, compared.n_left

    def tick(done: int, total: int) -> None:
        tell("comparing", done, total)

    if engine == EXACT:
        size = max(1, BLOCK_PAIRS // len(compared))
        blocks = _blocks(n_left, size)
        pairs = job.all_pairs(
            len(blocks),
            lambda i: scan(
                rows, release.comparator, blocks[i], first_right=first_right, floor=floor
            ),
            tick,
        )
        return pairs, None
    proposer: Proposer = open_proposer(
        job.folder / "engine",
        engine,
        rows,
        release.comparator,
        first_right,
        lambda done, total: tell("indexing", done, total),
    )
    blocks = _blocks(n_left, BLOCK_RECORDS)
    pairs = job.all_pairs(len(blocks), lambda i: proposer.pairs(blocks[i], floor), tick)
    pairs = unique(pairs)
    cut = release.policy.verify.review_high
    recall = measured(proposer, pairs, first_right=first_right, n_left=n_left, cut=cut)
    return pairs, recall


def _blocks(n: int, size: int) -> list[range]:
    return [range(start, min(start + size, n)) for start in range(0, n, size)]


def _to_canonical(release: Release, rows: Float32, label: Int64, chosen: Bool) -> Float64:
    """Score of each record with the canonical one of its cluster; NaN for itself."""
    stands_for = np.empty(np.count_nonzero(chosen), np.int64)
    stands_for[label[chosen]] = np.flatnonzero(chosen)
    others = np.flatnonzero(~chosen)
    score = np.full(len(label), np.nan)
    score[others] = exact(rows, release.comparator, others, stands_for[label[others]]).score
    return score
