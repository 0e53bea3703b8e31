"""Which pairs people are asked about: a random sample of each stratum, most near the threshold.

The pairs of a set of records that score highest are cut into strata by their rank: three that
match and three that do not. Each has a random order that is fixed when the plan is made, and a
share of the questions that no answer changes, so that what is asked near the threshold, where it
teaches most, certifies as well as the rest.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from gemel.arrays import Float64, Int64, canonical_json, digest
from gemel.calibrate.answers.strata import Stratum
from gemel.data.dataset import Dataset
from gemel.decide.bands import matches
from gemel.errors import DataError
from gemel.files import write_whole
from gemel.improve.comparison import compared_in, in_pairs, planned
from gemel.improve.false_links import false_links
from gemel.improve.labels.aside import Aside
from gemel.improve.linking import Decided, decide, possible
from gemel.improve.records import Compared
from gemel.release.release import EVIDENCE, Release
from gemel.release.words.unproven import by_closeness
from gemel.settings import EVERY, EXACT, Links
from gemel.tasks.sameness import floor

FORMAT = 1
MATCHES = ((0.5, 0.2), (0.8, 0.2), (1.0, 0.25))
"""Of the pairs that match: rank at which a stratum ends, and its share of the questions."""
OTHERS = ((0.2, 0.2), (1.0, 0.1), (math.inf, 0.05))
"""Of the best pairs that do not, by their rank as a share of those that match; the last: all."""
LEAST_PROBABILITY = (1e-3, 1e-2, 0.1)
"""Pairs below are not asked about; the first one that the release knows a score for."""
LEAST_GUESSED = 1e-4
"""The same where scores rest on an estimate. More pairs belong together far down than it says, and
without answers about them nothing holds scores down there (lab log, 2026-11-29)."""
KEPT = 5000
"""Questions of a stratum that are kept; nobody answers more."""
OTHERS_AT_MOST = 10
"""Times as many pairs that do not match as pairs that do, at most."""

Pair = tuple[str, str]


class Question(msgspec.Struct, frozen=True, array_like=True):
    """A pair to ask about: two record ids, its score, and whether it may be a link.

    Where a record has one partner at most, some of the pairs that match are no links: their answers
    teach, and count for nothing else.
    """

    left: str
    right: str
    score: float
    is_link: bool = True

    @property
    def pair(self) -> Pair:
        """The two ids."""
        return self.left, self.right


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, in which order.

    Attributes:
        format: of this file.
        release: whose scores they are.
        data: digest of the records.
        threshold: that decides in these records.
        n_pairs: of these records, asked about or not.
        strata: by falling score.
        shares: of the questions, of each stratum.
        present: how many strata match.
        questions: of each stratum, in the order in which they are asked.
        links: how many partners a record may have.
        n_links: pairs of each stratum that may be links; None: all.
        n_false: matches, of those that count, that are expected to be false before anybody answers;
            None where nothing tells.
        engine: what proposed the pairs.
        aside: pairs that it did not propose; their answers teach, and count for nothing else.
        n_aside: how many such pairs these are taken from.
    """

    format: int
    release: str
    data: str
    threshold: float
    n_pairs: int
    strata: tuple[Stratum, ...]
    shares: tuple[float, ...]
    present: int
    questions: tuple[tuple[Question, ...], ...]
    links: Links = EVERY
    n_links: tuple[int, ...] | None = None
    n_false: float | None = None
    engine: str = EXACT
    aside: tuple[Question, ...] = ()
    n_aside: int = 0

    @property
    def of_links(self) -> tuple[Stratum, ...]:
        """The strata, of the pairs that may be links."""
        if self.n_links is None:
            return self.strata
        return tuple(
            msgspec.structs.replace(stratum, n=n)
            for stratum, n in zip(self.strata, self.n_links, strict=True)
        )

    @property
    def every(self) -> list[Question]:
        """All questions: of each stratum in turn, then those aside."""
        return [q for part in (*self.questions, self.aside) for q in part]

    @property
    def stands_for(self) -> Float64:
        """How many pairs each of them stands for."""
        sizes = [*(stratum.n for stratum in self.strata), self.n_aside]
        asked = [len(part) for part in (*self.questions, self.aside)]
        return np.repeat(np.array(sizes) / np.maximum(asked, 1), asked)

    @property
    def n_match(self) -> int:
        """Pairs that match and may be links."""
        return sum(stratum.n for stratum in self.of_links[: self.present])

    @property
    def has_shared(self) -> bool:
        """Whether matches that count share a record, among those that may be asked about."""
        some = [q for part in self.questions[: self.present] for q in part if q.is_link]
        return any(len({q.pair[side] for q in some}) < len(some) for side in (0, 1))

    def stratum_of_next(self, n_asked: Int64) -> int | None:
        """Which stratum is asked about next, after so many of each; None if all are through."""
        left = [n < len(q) for n, q in zip(n_asked.tolist(), self.questions, strict=True)]
        if not any(left):
            return None
        behind = np.array(self.shares) * (n_asked.sum() + 1) - n_asked
        return int(np.argmax(np.where(left, behind, -np.inf)))


def plan(
    release: Release,
    dataset: Dataset,
    folder: Path,
    *,
    other: Dataset | None = None,
    links: Links = EVERY,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> Plan:
    """The plan for some records, made once and kept.

    Args:
        release: scores and decides.
        dataset: the records.
        folder: of plans and unfinished work, which goes on when it was stopped.
        other: a second data set; then pairs across the two are asked about.
        links: of two data sets, how many partners a record may have.
        seed: of the random orders.
        progress: see `duplicates`.
    Raises:
        DataError: records that do not fit the release, or nothing matches.
    """
    compared = Compared.of(release, dataset, other)
    data = digest(*(d.encode() for d in compared.digests))
    named = {"release": release.id, "data": data, "seed": seed}
    if links != EVERY:
        named["links"] = links
    name = digest(canonical_json(named))[:12]
    path, work = folder / f"plan-{name}.json", folder / f"work-{name}"
    if not path.is_file():
        made = _made(release, compared, work, data, links, seed, progress)
        write_whole(path, msgspec.json.encode(made))
    # All embeddings are in there; it may be left by a run that was killed just now.
    shutil.rmtree(work, ignore_errors=True)
    return msgspec.json.decode(path.read_bytes(), type=Plan)


def _made(
    release: Release,
    compared: Compared,
    folder: Path,
    data: str,
    links: Links,
    seed: int,
    progress: Callable[[str, int, int], None] | None,
) -> Plan:
    job = planned(release, compared)
    least = job["parameters"].get("floor", floor(release.policy))
    job["parameters"]["floor"] = _floor(release)
    comparison = compared_in(release, compared, folder, job, progress)
    aside = Aside.of(release, compared, comparison, job["parameters"]["floor"], seed)
    at, pairs, records = in_pairs(release, compared, comparison)
    # What pairs below tell of the share would move the threshold: matches are those of duplicates.
    told = pairs if links != EVERY else pairs.take(records.levelled(pairs) >= least)
    decided = decide(release, compared, records, told, links=links, engine=comparison.engine)
    threshold = decided.of_set.policy.verify.threshold
    is_link, score = possible(decided, pairs, links), records.levelled(pairs)
    order = np.argsort(-score, kind="stable")
    n_match = int(np.count_nonzero(matches(score, threshold)))
    if not n_match:
        raise DataError(
            "no pair of these records matches, so there is nothing to ask about",
            where=compared.left.source,
            hint="a lower threshold: gemel calibrate; or more records",
        )
    order = order[: n_match * (1 + OTHERS_AT_MOST)]
    ends = [round(rank * n_match) for rank, _ in MATCHES]
    ends += [n_match + round(min(r * n_match, len(order))) for r, _ in OTHERS[:-1]]
    ends = sorted({min(end, len(order)) for end in [*ends, len(order)]} - {0})
    every = [*MATCHES, *((1 + rank, part) for rank, part in OTHERS)]
    names = [str(name) for name in compared.ids().tolist()]
    rng, ids, start = np.random.default_rng(seed), [names[i] for i in at.tolist()], 0
    strata: list[Stratum] = []
    questions: list[tuple[Question, ...]] = []
    shares: list[float] = []
    n_links: list[int] = []
    for end in ends:
        part = order[start:end]
        picked = rng.permutation(part)[:KEPT]
        rank = end / n_match
        shares.append(next(of for r, of in every if rank <= r or math.isinf(r)))
        strata.append(Stratum(float(score[part[-1]]), len(part)))
        n_links.append(int(np.count_nonzero(is_link[part])))
        ends_of = (x[picked].tolist() for x in (pairs.left, pairs.right, score, is_link))
        questions.append(
            tuple(Question(ids[i], ids[j], s, k) for i, j, s, k in zip(*ends_of, strict=True))
        )
        start = end
    total = sum(shares)
    besides = aside.best(n_match * OTHERS_AT_MOST)
    of_these = besides.take(rng.permutation(len(besides))[:KEPT])
    return Plan(
        format=FORMAT,
        release=release.id,
        data=data,
        threshold=threshold,
        n_pairs=compared.n_pairs,
        strata=tuple(strata),
        shares=tuple(part / total for part in shares),
        present=ends.index(n_match) + 1,
        questions=tuple(questions),
        links=links,
        n_links=None if links == EVERY else tuple(n_links),
        n_false=_n_false(release, compared, decided),
        engine=comparison.engine,
        aside=tuple(
            Question(names[i], names[j], s, False)
            for i, j, s in zip(of_these.left, of_these.right, of_these.score.tolist(), strict=True)
        ),
        n_aside=round(len(besides) * aside.each),
    )


def _n_false(release: Release, compared: Compared, decided: Decided) -> float | None:
    """How many matches are expected to be false; how close records are does not tell it."""
    if EVIDENCE in release.manifest.files and by_closeness(release.evidence):
        return None
    found = false_links(release, decided.of_set, decided.judged, compared.n_pairs, decided.linked)
    return found.expected


def _floor(release: Release) -> float:
    """The lowest score that is asked about."""
    policy, least = release.policy, floor(release.policy)
    guessed = EVIDENCE in release.manifest.files and release.evidence.training.estimate is not None
    probabilities = (LEAST_GUESSED,) * guessed + LEAST_PROBABILITY
    for probability in probabilities if policy.likelihood else ():
        score = policy.likelihood.score_at(probability, policy.prior) if policy.likelihood else 0
        if math.isfinite(score):
            return min(least, score)
    return least
