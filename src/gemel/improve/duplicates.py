"""Duplicates within a data set or between two: compare, decide, cluster, and say what it is worth.

Every pair is compared exactly, or in large sets those that keys of rows, or an engine, propose. The
comparator scores, the policy of the release decides. Encoding and comparing are the long part: they
are done on all cores in parts that stay in a job folder, so a job that was stopped goes on, and
another method of clustering compares nothing again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool, Float32, Float64, Int64, canonical_json, digest
from gemel.data.blocking.passes import PER_RECORD
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.decide.sets import Judged, lowest
from gemel.errors import ConfigError, GalleryError
from gemel.gallery import engines
from gemel.improve import by_keys
from gemel.improve import job as jobs
from gemel.improve.by_keys import KEYS, Candidates, Reach, proposed
from gemel.improve.proposals import (
    CANDIDATES,
    CandidateRecall,
    measured,
    open_proposer,
    unique,
)
from gemel.improve.records import Compared
from gemel.improve.result import (
    Duplicates,
    Summary,
    cluster_frame,
    false_links,
    least_sure,
    pair_frame,
)
from gemel.release import genuine
from gemel.release.for_set import before, for_set, most_sure
from gemel.release.release import Release
from gemel.release.words.unproven import by_closeness
from gemel.settings import Links
from gemel.tasks import assignment
from gemel.tasks import canonical as canonicals
from gemel.tasks.agreement import agreement
from gemel.tasks.clusters import METHODS, Method
from gemel.tasks.pairs import MAX_PARTNERS, Pairs, exact, scan
from gemel.tasks.sameness import Records, clustered, floor

EXACT_RECORDS = 20_000
"""Up to so many (two data sets: so many squared pairs) all are compared: some minutes of a core."""
EXACT_ROWS = 5_000
"""The same where keys propose: some seconds."""
EXACT = "exact"
EVERY: Links = "many-to-many"
ENGINE = "engine"
ENCODED_AT_ONCE = 4096
BATCH = 64
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
    prior: float | None = None,
    links: Links = EVERY,
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
        prior: share of genuine pairs among all pairs, if it is known; it moves the threshold where
            the goal depends on it. None estimates it, and only raises the threshold.
        links: two data sets: how many partners a record may have; `one-to-many`, say, where one of
            the first has many in the second, each of which has one.
        engine: `exact`, `keys` (of rows), the name of an engine, or `auto`: all of a small set
            (`EXACT_ROWS`, `EXACT_RECORDS`), else keys where there are, else an engine.
        folder: of the job, kept; a job that was stopped goes on there. None: a temporary one.
        progress: called with what is done now, how much of it, and how much in all.
    Raises:
        DataError: records that do not fit the release, or a folder of another job.
        ConfigError: an unknown method, choice or field.
        GalleryError: an unknown engine.
    """
    tell = progress or (lambda stage, done, total: None)
    how = Clustering(method, canonical, max_risk, prior, links)
    if links != EVERY and other is None:
        raise ConfigError(f"{links} links two data sets", hint="give a second one")
    compared = Compared.of(release, dataset, other)
    canonicals.check(canonical, compared.frame(), where=compared.left.source)
    plan = planned(release, compared, engine, prior)
    with _folder(folder) as place, jobs.opened(place, plan) as job:
        comparison = _compare(release, compared, job, plan, tell)
        tell("clustering", 0, 1)
        found = _clustered(release, compared, comparison, how)
        tell("clustering", 1, 1)
    return found


@dataclass(frozen=True)
class Clustering:
    """How matches become clusters, see `duplicates`.

    Raises:
        ConfigError: an unknown method or choice, or a risk that is none.
    """

    method: Method
    canonical: str
    max_risk: float | None
    prior: float | None = None
    links: Links = EVERY

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            known = ", ".join(METHODS)
            raise ConfigError(f"unknown method {self.method!r}", hint=f"one of: {known}")
        if self.max_risk is not None and not 0 <= self.max_risk <= 1:
            what = f"max_risk is {self.max_risk}, must lie between 0 and 1"
            raise ConfigError(what, where="max_risk")
        canonicals.check_choice(self.canonical)


@dataclass(frozen=True, eq=False)
class Comparison:
    """The pairs that match or are for review, and what was missed.

    Attributes:
        at: (t,) positions of the records that were encoded, ascending.
        rows: (t, d) float32, their embeddings.
        pairs: of positions.
        engine: what proposed them, or `exact`.
        recall: of an engine.
        reach: of keys.
    """

    at: Int64
    rows: Float32
    pairs: Pairs
    engine: str
    recall: CandidateRecall | None = None
    reach: Reach | None = None


def planned(
    release: Release, compared: Compared, engine: str = "auto", prior: float | None = None
) -> dict[str, Any]:
    """Everything that decides the pairs of a job; its digest names the job.

    Raises:
        ConfigError: the prior is none.
        GalleryError: an unknown engine.
    """
    has_keys = genuine.has_keys(release.encoder.prepare)
    known = ("auto", EXACT, *([KEYS] if has_keys else []), *engines.REGISTRY.names())
    if engine not in known:
        raise GalleryError(f"unknown engine {engine!r}", hint=f"one of: {', '.join(known)}")
    if engine == "auto":
        limit, large = (EXACT_ROWS, KEYS) if has_keys else (EXACT_RECORDS, "hnsw")
        engine = EXACT if compared.n_pairs <= limit**2 / 2 else large
    parameters: dict[str, Any] = {"encoded": ENCODED_AT_ONCE}
    if engine == KEYS:
        parameters |= {"block": by_keys.SCORED, "candidates": PER_RECORD}
    elif engine == EXACT:
        block = max(1, BLOCK_PAIRS // len(compared))
        parameters |= {"block": block, "partners": MAX_PARTNERS}
    else:
        block = BLOCK_RECORDS
        parameters |= {"block": block, "partners": MAX_PARTNERS, "candidates": CANDIDATES}
    least = floor(before(release, prior))
    if least < floor(release.policy):
        parameters["floor"] = least
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


def compared_in(
    release: Release,
    compared: Compared,
    folder: Path,
    plan: dict[str, Any],
    progress: Progress | None = None,
) -> Comparison:
    """The pairs of a plan, in a job folder that is kept."""
    with jobs.opened(folder, plan) as job:
        return _compare(release, compared, job, plan, progress or (lambda stage, done, total: None))


@contextmanager
def _folder(folder: str | Path | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="gemel-duplicates-") as temporary:
        yield Path(temporary)


def _compare(
    release: Release, compared: Compared, job: jobs.Job, plan: dict[str, Any], tell: Progress
) -> Comparison:
    """Encode and compare; whatever is finished in the job is not done again."""
    if plan["engine"] == KEYS:
        return _by_keys(release, compared, job, plan, tell)
    n, everything = compared.n_left, np.arange(len(compared))
    rows = _encoded(release, compared, everything, job, plan, tell)
    size, tick = plan["parameters"]["block"], partial(tell, "comparing")
    blocks = [range(start, min(start + size, n)) for start in range(0, n, size)]
    comparator, first, least = release.comparator, compared.first_right, _least(release, plan)
    if plan["engine"] == EXACT:
        find = partial(scan, rows, comparator, first_right=first, floor=least)
        pairs = job.all_pairs(len(blocks), lambda i: find(blocks[i]), tick)
        return Comparison(everything, rows, pairs, EXACT)
    fill = partial(tell, "indexing")
    proposer = open_proposer(job.folder / ENGINE, plan["engine"], rows, comparator, first, fill)
    pairs = job.all_pairs(len(blocks), lambda i: proposer.pairs(blocks[i], least), tick)
    pairs = unique(pairs)
    cut = lowest(release.policy, release.policy.verify.review_high)
    recall = measured(proposer, pairs, first_right=first, n_left=n, cut=cut)
    return Comparison(everything, rows, pairs, plan["engine"], recall)


def _by_keys(
    release: Release, compared: Compared, job: jobs.Job, plan: dict[str, Any], tell: Progress
) -> Comparison:
    """Propose by keys, encode what is proposed, and score it."""

    def propose() -> tuple[NDArray[np.int32], bytes]:
        pairs, reach = proposed(release, compared)
        return pairs, msgspec.json.encode(reach)

    tell("proposing", 0, 1)
    pairs, said = job.candidates(propose)
    tell("proposing", 1, 1)
    found = Candidates.of(pairs, len(compared))
    rows = _encoded(release, compared, found.at, job, plan, tell)
    score = partial(found.scored, release, rows, floor=_least(release, plan))
    scored = job.all_pairs(found.n_parts, score, partial(tell, "comparing"))
    reach = msgspec.json.decode(said, type=Reach)
    return Comparison(found.at, rows, scored, KEYS, reach=reach)


def _encoded(
    release: Release,
    compared: Compared,
    at: Int64,
    job: jobs.Job,
    plan: dict[str, Any],
    tell: Progress,
) -> Float32:
    """Embeddings of the records at some positions."""
    which = [] if len(at) == len(compared) else [at.tobytes()]
    return job.rows(
        digest(release.space_id.encode(), *(d.encode() for d in compared.digests), *which),
        len(at),
        plan["parameters"]["encoded"],
        lambda part: release.encoder.encode(
            compared.payloads(at[part.start : part.stop]), batch=BATCH
        ),
        partial(tell, "encoding"),
    )


def _least(release: Release, plan: dict[str, Any]) -> float:
    """The lowest score of interest."""
    least: float = plan["parameters"].get("floor", floor(release.policy))
    return least


def in_pairs(
    release: Release, compared: Compared, comparison: Comparison
) -> tuple[Int64, Pairs, Records]:
    """The records that are in any pair: their positions, the pairs of these, and themselves."""
    # Only records in a pair can be anything but alone.
    at = np.unique(np.concatenate([comparison.pairs.left, comparison.pairs.right]))
    records = Records(
        policy=release.policy,
        comparator=release.comparator,
        rows=comparison.rows[np.searchsorted(comparison.at, at)],
        categories=compared.categories(at),
        values=compared.rows([rule.field for rule in release.policy.rules], at),
    )
    return at, comparison.pairs.among(at), records


def _clustered(
    release: Release, compared: Compared, comparison: Comparison, how: Clustering
) -> Duplicates:
    """Decide the pairs, cluster the matches, choose canonical records and count."""
    at, pairs, records = in_pairs(release, compared, comparison)
    decided = for_set(release, records.levelled(pairs), compared.n_pairs, share=how.prior)
    policy = decided.policy
    records = replace(records, policy=policy)
    judged = records.judged(pairs)
    n_matches = int(judged.match.sum())
    stay = None
    if how.links != EVERY:
        judged = _linked(records, pairs, judged, how.links)
        kept = pairs.take(np.flatnonzero(judged.match))
        links = kept.left, kept.right, records.levelled(kept)
        sizes = compared.n_left, len(compared) - compared.n_left
        stay = partial(assignment.staying, links=links, n_records=sizes, kind=how.links)
    some = clustered(records, pairs, judged, method=how.method, max_risk=how.max_risk)
    frame = compared.frame()
    picked = canonicals.choose(
        how.canonical, some.label, records.rows, None if frame is None else frame[at]
    )
    found, score = some.among(at, len(compared)), np.full(len(compared), np.nan)
    score[at] = _to_canonical(release, records.rows, some.label, picked)
    chosen = np.ones(len(compared), np.bool_)
    chosen[at] = picked
    identities = compared.identities()
    summary = Summary(
        release=release.id,
        n_records=len(compared),
        n_pairs=compared.n_pairs,
        engine=comparison.engine,
        candidate_recall=comparison.recall,
        reach=comparison.reach,
        threshold=policy.verify.threshold,
        release_threshold=release.policy.verify.threshold,
        prior=policy.prior,
        release_prior=release.policy.prior,
        most_sure=most_sure(policy),
        least_sure=least_sure(judged),
        n_matches=int(judged.match.sum()),
        n_given_up=n_matches - int(judged.match.sum()),
        n_review=judged.outcome.count("review"),
        n_full=pairs.n_full,
        false_links=false_links(release, decided, judged, compared.n_pairs, stay),
        method=how.method,
        max_risk=how.max_risk,
        n_clusters=int((found.size > 1).sum()),
        n_redundant=len(compared) - len(found.size),
        largest=int(found.size.max()),
        agreement=None if (identities == UNKNOWN).all() else agreement(found.label, identities),
        unproven=release.is_unproven,
        by_closeness=release.is_unproven and by_closeness(release.evidence),
    )
    return Duplicates(
        cluster_frame(compared, found, chosen, score),
        pair_frame(compared, comparison.pairs, judged, summary),
        summary,
    )


def _linked(records: Records, pairs: Pairs, judged: Judged, links: Links) -> Judged:
    """Records with one partner at most, by the matches that gain most; for review what is as good.

    A match that just reaches the threshold gains more than none.
    """
    at = np.flatnonzero(judged.match)
    gain = records.levelled(pairs.take(at)) - records.policy.verify.threshold
    gain = np.maximum(gain, np.finfo(np.float32).eps)
    left, right = pairs.left[at], pairs.right[at]
    taken = assignment.kept(left, right, gain, links)
    which, unsure = np.zeros((2, len(pairs)), np.bool_)
    which[at], unsure[at] = taken, assignment.as_good(left, right, gain, links, taken)
    return judged.kept(which, unsure)


def _to_canonical(release: Release, rows: Float32, label: Int64, chosen: Bool) -> Float64:
    """Score of each record with the canonical one of its cluster; NaN for itself."""
    stands_for = np.empty(np.count_nonzero(chosen), np.int64)
    stands_for[label[chosen]] = np.flatnonzero(chosen)
    others = np.flatnonzero(~chosen)
    score = np.full(len(label), np.nan)
    score[others] = exact(rows, release.comparator, others, stands_for[label[others]]).score
    return score
