"""From people's answers in the ledger to a proposal, and from a proposal to a child release.

Decisions of every release with the same space and comparator count, since their scores are the same
scale, whatever threshold was in force. Only decisions old enough that an answer had time to come
are used; those that were asked about and not answered are stood for by the answered ones of their
kind. A child is put on the shelf; what is live is moved by a pointer, as always.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from gemel.arrays import Bool, Float64
from gemel.calibrate.feedback import Answers
from gemel.calibrate.proposal import Limits, Proposal, propose
from gemel.encode.compare import FILE as COMPARATOR
from gemel.ledger.ledger import Ledger
from gemel.ledger.verdicts import Asked, decisions
from gemel.release.folder import Manifest
from gemel.release.release import Release
from gemel.settings import AdaptSettings


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of a time, and what they say; plain JSON values.

    Attributes:
        release: whose threshold is judged.
        n_decisions: decisions made in all, asked about or not.
        n_asked: those asked about and old enough.
        n_answered: those of them that were answered.
        n_double: answered by two reviewers or more.
        n_agreed: those of them where all reviewers agree.
        first: time of the first decision used; empty if there is none.
        last: time of the last one.
        proposal: what to do.
    """

    release: str
    n_decisions: int
    n_asked: int
    n_answered: int
    n_double: int
    n_agreed: int
    first: str
    last: str
    proposal: Proposal


def feedback(
    release: Release,
    ledger: Ledger,
    settings: AdaptSettings,
    *,
    releases: Collection[str] | None = None,
    now: datetime | None = None,
) -> Feedback:
    """What the answers in a ledger say about a release's threshold for one comparison.

    Args:
        release: that is judged, by the goal of its evidence.
        ledger: with decisions and verdicts.
        settings: what a move needs.
        releases: ids whose decisions count (see `same_scale`); None takes this one and its parent.
        now: present time.
    Raises:
        ConfigError: a goal that answers cannot judge.
    """
    counted = releases or {release.id, *filter(None, [release.manifest.parent])}
    asked, n_decisions = decisions(ledger, releases=counted)
    until = (now or datetime.now(UTC)) - timedelta(days=settings.min_age_days)
    ripe = [a for a in asked if a.time_us <= until.timestamp() * 1e6]
    answered = [a for a in ripe if a.genuine is not None]
    double = [a for a in ripe if len(a.answers) > 1]
    limits = Limits(
        min_effective=settings.min_effective,
        min_audited=settings.min_audited,
        max_changed=settings.max_changed,
    )
    found = answers(ripe)
    return Feedback(
        release=release.id,
        n_decisions=n_decisions,
        n_asked=len(ripe),
        n_answered=len(answered),
        n_double=len(double),
        n_agreed=sum(len(set(a.answers.values())) == 1 for a in double),
        first=_time(answered[0]) if answered else "",
        last=_time(answered[-1]) if answered else "",
        proposal=propose(found, release.policy.verify, release.evidence.target, limits),
    )


def answers(asked: Sequence[Asked]) -> Answers:
    """The answered decisions, weighted for those that were not asked about or not answered.

    Args:
        asked: decisions that were asked about, answered or not.
    """
    audited: Bool = np.array([a.outcome != "review" for a in asked], bool)
    kinds = np.array([a.outcome for a in asked], "U8")
    done: Bool = np.array([a.genuine is not None for a in asked], bool)
    weight: Float64 = 1 / np.array([a.probability for a in asked], np.float64)
    for kind in np.unique(kinds):
        of_kind = kinds == kind
        if done[of_kind].any():
            weight[of_kind] /= done[of_kind].mean()
    score: Float64 = np.array([a.score for a in asked], np.float64)
    genuine: Bool = np.array([bool(a.genuine) for a in asked], bool)
    return Answers(score[done], genuine[done], weight[done], audited[done])


def same_scale(release: Release, shelf: Sequence[Manifest]) -> set[str]:
    """Ids of the releases whose scores mean the same as this one's."""
    stem = COMPARATOR.partition(".")[0]

    def scale(manifest: Manifest) -> tuple[object, ...]:
        files = sorted(manifest.files.items())
        return manifest.space_id, tuple(pair for pair in files if pair[0].startswith(stem))

    return {m.id for m in [*shelf, release.manifest] if scale(m) == scale(release.manifest)}


def _time(asked: Asked) -> str:
    moment = datetime.fromtimestamp(asked.time_us / 1e6, UTC)
    return moment.isoformat(timespec="seconds")
