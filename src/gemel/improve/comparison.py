"""The pairs of records that match or are for review: planned, compared, and kept in a job folder.

Every pair is compared exactly, or in large sets those that keys of rows, or an engine, propose.
Encoding and comparing are the long part: they are done on all cores in parts that stay in a job
folder, so a job that was stopped goes on. What becomes of the pairs is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32, Int64, canonical_json, digest
from gemel.data.blocking.passes import PER_RECORD
from gemel.decide.sets import lowest
from gemel.errors import GalleryError
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
from gemel.release import genuine
from gemel.release.for_set import before
from gemel.release.release import Release
from gemel.settings import EXACT
from gemel.tasks.pairs import MAX_PARTNERS, Pairs, scan
from gemel.tasks.sameness import Records, floor

EXACT_RECORDS = 20_000
"""Up to so many (two data sets: so many squared pairs) all are compared: some minutes of a core."""
EXACT_ROWS = 5_000
"""The same where keys propose: some seconds."""
ENGINE = "engine"
ENCODED_AT_ONCE = 4096
BATCH = 64
BLOCK_PAIRS = 1 << 23
BLOCK_RECORDS = 4096
FORMAT = 1

Progress = Callable[[str, int, int], None]


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
        return compare(release, compared, job, plan, progress or (lambda stage, done, total: None))


def compare(
    release: Release, compared: Compared, job: jobs.Job, plan: dict[str, Any], tell: Progress
) -> Comparison:
    """The pairs of a plan; whatever is finished in the job is not done again.

    Args:
        release: encodes and compares.
        compared: the records.
        job: open, of this plan.
        plan: see `planned`.
        tell: called with what is done now, how much of it, and how much in all.
    """
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
