"""From people's answers in the ledger to a proposal, and from a proposal to a child release.

Decisions of every release with the same space and comparator count, since their scores are the same
scale, whatever threshold was in force. Only decisions old enough that an answer had time to come
are used, and no older ones than needed, since the world moves; those that were asked about and not
answered are stood for by the answered ones of their kind. A child is put on the shelf; what is live
is moved by a pointer, as always.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from gemel.arrays import Bool, Float64, Int64
from gemel.calibrate.answers.answered import Answers, newest
from gemel.calibrate.answers.proposal import Feedback, Limits, propose
from gemel.calibrate.answers.reviewers import Reviewers
from gemel.data.dataset import Dataset
from gemel.decide.bands import matches
from gemel.decide.policy import Policy
from gemel.errors import ReleaseError
from gemel.ledger.ledger import Ledger
from gemel.ledger.verdicts import Asked, decisions
from gemel.release.evidence.part import compared
from gemel.release.evidence.schema import DEFAULT_SAMPLING, Sampling
from gemel.release.folder import Manifest
from gemel.release.make.build import N_STEPS
from gemel.release.make.decide import kept
from gemel.release.make.measured import measured
from gemel.release.make.progress import Progress, ticker
from gemel.release.make.recalibrate import opened
from gemel.release.release import POLICY, Release
from gemel.settings import AdaptSettings


def feedback(
    release: Release,
    ledger: Ledger,
    settings: AdaptSettings,
    *,
    shelf: Sequence[Manifest] = (),
    now: datetime | None = None,
) -> Feedback:
    """What the answers in a ledger say about a release's threshold for one comparison.

    Args:
        release: that is judged, by the goal of its evidence.
        ledger: with decisions and verdicts.
        settings: what a move needs.
        shelf: releases whose decisions count where they are of the same scale; this one and its
            parent always do.
        now: present time.
    Raises:
        ConfigError: a goal that answers cannot judge.
    """
    other = {m.id for m in shelf if m.scale_id != release.scale_id}
    counted = {m.id for m in shelf} | {release.id, *filter(None, [release.manifest.parent])}
    counted -= other  # of a smaller encoder, the parent
    asked, n_decisions = decisions(ledger, releases=counted)
    until = (now or datetime.now(UTC)) - timedelta(days=settings.min_age_days)
    ripe = [a for a in asked if a.time_us <= until.timestamp() * 1e6]
    found, said = answers(ripe, release.policy, settings)
    answered = [a for a in ripe if a.answers][-len(found) :] if len(found) else []
    double = [a for a in answered if len(a.answers) > 1]
    limits = Limits(
        min_effective=settings.min_effective,
        min_audited=settings.min_audited,
        max_changed=settings.max_changed,
    )
    return Feedback(
        release=release.id,
        n_decisions=n_decisions,
        n_asked=len(ripe),
        n_answered=len(answered),
        n_double=len(double),
        n_agreed=sum(len(set(a.answers.values())) == 1 for a in double),
        first=_time(answered[0]) if answered else "",
        last=_time(answered[-1]) if answered else "",
        proposal=propose(
            found, release.policy.verify, release.evidence.target, limits, reviewers=said
        ),
    )


def answers(
    asked: Sequence[Asked], policy: Policy, settings: AdaptSettings
) -> tuple[Answers, Reviewers | None]:
    """The newest answered decisions, weighted for those not asked about or not answered.

    Args:
        asked: decisions that were asked about, answered or not, the oldest first.
        policy: levels scores by category, if it does, so that one threshold fits all.
        settings: how many are enough, and how often reviewers may err.
    Returns:
        The answers, and who gave them; None where reviewers are taken to be always right.
    """
    kinds = np.array([a.outcome for a in asked], "U8")
    done: Bool = np.array([bool(a.answers) for a in asked], bool)
    weight: Float64 = 1 / np.array([a.probability for a in asked], np.float64)
    for kind in np.unique(kinds):
        of_kind = kinds == kind
        if done[of_kind].any():
            weight[of_kind] /= done[of_kind].mean()
    score: Float64 = np.array([policy.level(a.score, a.category) for a in asked], np.float64)
    yes: Int64 = np.array([sum(a.answers.values()) for a in asked], np.int64)
    no: Int64 = np.array([len(a.answers) for a in asked], np.int64) - yes
    inside: Bool = kinds == "review"
    against: Bool = ((kinds == "match") & (no > 0)) | ((kinds == "no_match") & (yes > 0))
    used = np.flatnonzero(done)
    share = yes[used] / (yes + no)[used]
    found = Answers(score[used], share, weight[used], ~inside[used])
    band = policy.verify
    sides = matches(found.score, band.review_high), ~matches(found.score, band.review_low)
    start = newest(found, settings.enough, sides=sides, audited=settings.min_audited)
    found, used = found.taken(slice(start, None)), used[start:]
    if not settings.wrong_ratio:
        return found, None
    return found, Reviewers(
        found.score, yes[used], no[used], inside[used], against[used], settings.wrong_ratio
    )


def accept(
    parent: Release,
    said: Feedback,
    run_folder: str | Path,
    dataset: Dataset,
    *,
    into: str | Path,
    sampling: Sampling = DEFAULT_SAMPLING,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Release:
    """The child release with the proposed threshold, measured again on dev and eval.

    Args:
        parent: the release that was judged.
        said: a proposal to move its threshold.
        run_folder: of the run that the parent was built from.
        dataset: the one it was trained on.
        into: folder to become; must not exist.
        sampling: which comparisons are made.
        now: creation time, for reproducible ids.
        progress: called with steps done and steps in all.
    Raises:
        ReleaseError: the proposal is not to move, or is about another release.
        SpaceMismatch: the parent is of another run.
        DataError: other records than the run's.
    """
    proposal, band = said.proposal, said.proposal.band
    if band is None or said.release != parent.id:
        raise ReleaseError(
            f"there is no move of {parent.short_id} to accept: {proposal.reason}",
            hint="see: gemel review proposal",
        )
    policy = parent.policy
    search = band if policy.search == policy.verify else policy.search
    policy = msgspec.structs.replace(policy, verify=band, search=search)
    tick = ticker(progress, N_STEPS)
    goals = parent.evidence.goals
    origin = opened(parent, run_folder, dataset, goals.cohort)
    sides = compared(origin, parent.comparator, sampling, tick)
    decided = kept(sides.dev, goals, policy)
    tick()
    evidence = measured(origin, sides, decided, tick, like=parent.evidence)
    sizes = {**parent.evidence.file_bytes, POLICY: len(policy.to_json())}
    shrunk = parent.evidence.shrunk
    evidence = msgspec.structs.replace(evidence, file_bytes=sizes, adapted=said, shrunk=shrunk)
    return parent.child(policy=policy, evidence=evidence, into=into, now=now)


def _time(asked: Asked) -> str:
    moment = datetime.fromtimestamp(asked.time_us / 1e6, UTC)
    return moment.isoformat(timespec="seconds")
