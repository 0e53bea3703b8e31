"""Duplicates within a data set or between two: decide, cluster, and say what it is worth.

The comparator has scored the pairs (`improve.comparison`), the policy of the release decides them.
Another method of clustering, asked of the same job folder, compares nothing again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.arguments import path_of, require_numbers, require_texts
from gemel.arrays import Bool, Float32, Float64, Int64
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.errors import ConfigError
from gemel.improve import job as jobs
from gemel.improve.by_identity import by_identity
from gemel.improve.comparison import Comparison, Progress, compare, in_pairs, planned
from gemel.improve.differing import differing
from gemel.improve.false_links import false_links
from gemel.improve.linking import decide
from gemel.improve.records import Compared
from gemel.improve.result import (
    Duplicates,
    Summary,
    cluster_frame,
    least_sure,
    pair_frame,
)
from gemel.release.for_set import kinds, missed_at, most_sure
from gemel.release.release import Release, require_release
from gemel.release.words.unproven import by_closeness
from gemel.settings import EVERY, Links
from gemel.tasks import canonical as canonicals
from gemel.tasks.agreement import agreement
from gemel.tasks.clusters import METHODS, Method
from gemel.tasks.pairs import exact
from gemel.tasks.sameness import clustered


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
            (`improve.comparison`), else keys where there are, else an engine.
        folder: of the job, kept; a job that was stopped goes on there. None: a temporary one.
        progress: called with what is done now, how much of it, and how much in all.
    Raises:
        DataError: records that do not fit the release, or a folder of another job.
        ConfigError: an unknown method, choice or field.
        GalleryError: an unknown engine.
    """
    require_release(release, "that compares")
    require_numbers(max_risk=max_risk, prior=prior)
    require_texts(method=method, canonical=canonical, links=links, engine=engine)
    tell = progress or (lambda stage, done, total: None)
    how = Clustering(method, canonical, max_risk, prior, links)
    if links != EVERY and other is None:
        raise ConfigError(f"{links} links two data sets", hint="give a second one")
    compared = Compared.of(release, dataset, other)
    canonicals.check(canonical, compared.frame(), where=compared.left.source)
    plan = planned(release, compared, engine, prior)
    with _folder(folder) as place, jobs.opened(place, plan) as job:
        comparison = compare(release, compared, job, plan, tell)
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


@contextmanager
def _folder(folder: str | Path | None) -> Iterator[Path]:
    if folder is not None:
        yield path_of(folder, "the folder of a job")
        return
    with tempfile.TemporaryDirectory(prefix="gemel-duplicates-") as temporary:
        yield Path(temporary)


def _clustered(
    release: Release, compared: Compared, comparison: Comparison, how: Clustering
) -> Duplicates:
    """Decide the pairs, cluster the matches, choose canonical records and count."""
    at, pairs, records = in_pairs(release, compared, comparison)
    decided = decide(
        release,
        compared,
        records,
        pairs,
        links=how.links,
        share=how.prior,
        engine=comparison.engine,
    )
    policy, records, judged = decided.of_set.policy, decided.records, decided.judged
    some = clustered(records, pairs, judged, method=how.method, max_risk=how.max_risk)
    frame = compared.frame()
    picked = canonicals.choose(
        how.canonical, some.label, records.rows, None if frame is None else frame[at]
    )
    found, score = some.among(at, len(compared)), np.full(len(compared), np.nan)
    score[at] = _to_canonical(release, records.rows, some.label, picked)
    chosen = np.ones(len(compared), np.bool_)
    chosen[at] = picked
    identities, match = compared.identities(), judged.match
    ends = at[pairs.left[match]], at[pairs.right[match]]
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
        missed=missed_at(release, policy.verify.threshold),
        n_matches=int(match.sum()),
        n_given_up=decided.n_displaced,
        n_review=judged.outcome.count("review"),
        n_full=pairs.n_full,
        false_links=false_links(release, decided.of_set, judged, compared.n_pairs, decided.linked),
        method=how.method,
        max_risk=how.max_risk,
        n_clusters=int((found.size > 1).sum()),
        n_redundant=len(compared) - len(found.size),
        largest=int(found.size.max()),
        agreement=None if (identities == UNKNOWN).all() else agreement(found.label, identities),
        unproven=release.is_unproven,
        by_closeness=release.is_unproven and by_closeness(release.evidence),
        known=by_identity(compared, *ends),
        differing=differing(compared, *ends),
    )
    return Duplicates(
        cluster_frame(compared, found, chosen, score),
        pair_frame(compared, comparison.pairs, judged, kinds(release, policy, judged.probability)),
        summary,
    )


def _to_canonical(release: Release, rows: Float32, label: Int64, chosen: Bool) -> Float64:
    """Score of each record with the canonical one of its cluster; NaN for itself."""
    stands_for = np.empty(np.count_nonzero(chosen), np.int64)
    stands_for[label[chosen]] = np.flatnonzero(chosen)
    others = np.flatnonzero(~chosen)
    score = np.full(len(label), np.nan)
    score[others] = exact(rows, release.comparator, others, stands_for[label[others]]).score
    return score
