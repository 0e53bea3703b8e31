"""The policy of a release for one set of records: at the share of genuine pairs in that set.

A goal that depends on how rare genuine pairs are, such as the best F1, has another threshold in a
larger set. A share that is estimated only raises the threshold, so that what was proven about false
matches still holds; one that a person names moves it either way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np

from gemel.arrays import Float64
from gemel.calibrate.goals.at_share import Expected, by_ratio, expected
from gemel.calibrate.rates.operating_point import check_prior
from gemel.decide.bands import Band
from gemel.decide.policy import Policy
from gemel.decide.ratio import Likelihood, Logistic
from gemel.release.evidence.schema import Evidence
from gemel.release.release import EVIDENCE, Release
from gemel.release.words.expected import LIKELY
from gemel.release.words.unproven import by_closeness
from gemel.settings import EVERY, EXACT, Links
from gemel.tasks.assignment import Linked

ESTIMATED, AT_LEAST = "estimated", "at least"
"""What a probability is: an estimate by comparisons that were measured; the most that so few of
them can show."""
UNPROVEN, NO_CHANCE = "unproven", "of no chance"
"""The same where nothing was measured: an estimate by how records agree; one that strangers do not
come so close by chance, which is not yet that two records are the same."""
TINY = 1e-9


@dataclass(frozen=True, eq=False)
class ForSet:
    """How a set of records is decided.

    Attributes:
        policy: its threshold, the share of genuine pairs as its prior, and what scores tell.
        expected: what the set holds at each score; None where the release has no evidence for it.
        is_promised: what was proven about matches was proven for a set of this size, or for this
            very one, and at the threshold that decides here.
        is_told: its scores say more of the set than what is known of any; those of a few records
            do not, so that the threshold and the ratios of the release hold.
        engine: what proposed its pairs.
    """

    policy: Policy
    expected: Expected | None
    is_promised: bool = False
    is_told: bool = True
    engine: str = EXACT


def before(release: Release, share: float | None = None) -> Policy:
    """The policy that says which pairs to look at, before any is scored.

    Where a named share is above the one in calibration, a lower threshold may be chosen: down to
    the score that has the same probability there.

    Raises:
        ConfigError: the share is none.
    """
    policy, likelihood = release.policy, release.policy.likelihood
    if share is None:
        return policy
    check_prior(share)
    if likelihood is None or share <= policy.prior or not _by_share(release):
        return policy
    threshold = min(policy.verify.threshold, _same(likelihood, policy, share))
    return msgspec.structs.replace(policy, verify=policy.verify.moved(threshold))


def for_set(
    release: Release,
    levelled: Float64,
    n_pairs: int,
    *,
    share: float | None = None,
    linked: Linked | None = None,
    engine: str = EXACT,
) -> ForSet:
    """The policy for a set whose best pairs were scored.

    Args:
        release: whose evidence says how genuine pairs score, and which goal the threshold has.
        levelled: (p,) scores of all pairs that may match by `before`, as one threshold takes them.
        n_pairs: pairs in all.
        share: of genuine pairs, where a person names it; None estimates it.
        linked: what linking leaves of the matches by `before`, so that the threshold is that of
            what is left; None where records may have any number of partners.
        engine: what proposed the pairs.
    """
    policy, evidence = release.policy, evidence_of(release)
    if evidence is None:
        policy = msgspec.structs.replace(policy, prior=share or policy.prior)
        return ForSet(policy, None, engine=engine)
    held = _held(evidence, policy, levelled, n_pairs, share)
    present, band = before(release, share).verify.threshold, policy.verify
    left = held if linked is None else _left(held, linked, present)
    best = left.threshold(evidence.target, present)
    likelihood, is_told = policy.likelihood, n_pairs * policy.prior >= 1
    if not is_told and not share:
        best = None
    is_spread = is_told and not _is_guessed(release, evidence)
    if share and best is not None and likelihood is not None and not is_spread:
        best = _same(likelihood, policy, share)
    # What was proven about matches of such a set is not moved by an estimate.
    kind = EVERY if linked is None else linked.kind
    is_promised = share is None and n_pairs == _promised_for(evidence, kind, engine)
    if best is not None and not is_promised:
        band = band.moved(max(best, band.threshold) if share is None else best)
    decided = msgspec.structs.replace(policy, verify=band, prior=held.share)
    # Too few comparisons to tell the best pairs from good ones: the set's own scores do, of the
    # links that are left where some are not.
    highest = None if release.is_unproven else most_sure(decided)
    is_known = highest is None or highest >= LIKELY or not is_told
    if not is_known and (own := left.likelihood()) is not None:
        decided = msgspec.structs.replace(decided, likelihood=own)
    return ForSet(decided, held, is_promised, is_told, engine)


def missed_at(release: Release, threshold: float) -> float | None:
    """Share of the genuine pairs of eval that score below a threshold; None: nothing measured."""
    evidence = None if release.is_unproven else evidence_of(release)
    if evidence is None or evidence.labelled is not None:
        return None
    curve = evidence.eval_curve
    return float(np.interp(threshold, curve.threshold[::-1], curve.fnmr[::-1]))


def _promised_for(evidence: Evidence, links: Links, engine: str) -> int | None:
    """Pairs of the set that a precision was proven for; None where none was, or for no such set."""
    known, use = evidence.labelled, evidence.goals.use
    if known is not None:
        is_same = (known.links, known.engine) == (links, engine)
        return known.n_pairs if known.proven and is_same else None
    of_matches = evidence.target.goal.proof == "precision" and evidence.dev.certified
    if not of_matches or use is None or use.records is None or links != EVERY:
        return None
    return use.records * (use.records - 1) // 2


def most_sure(policy: Policy) -> float | None:
    """The highest probability that a policy can give; None if it gives none."""
    likelihood = policy.likelihood
    return None if likelihood is None else likelihood.probability(math.inf, policy.prior)


def kind(release: Release, probability: float | None) -> str | None:
    """What the probability of one pair is by the policy of a release; None where there is none."""
    if probability is None:
        return None
    return kinds(release, release.policy, np.array([probability]))[0]


def kinds(release: Release, policy: Policy, probability: Float64) -> list[str]:
    """What each probability of pairs is that a policy decided: one of the words above."""
    if release.is_unproven:
        guess = NO_CHANCE if by_closeness(release.evidence) else UNPROVEN
        return [guess] * len(probability)
    highest = most_sure(policy)
    bounded = probability >= (math.inf if highest is None else highest * (1 - TINY))
    return [AT_LEAST if most else ESTIMATED for most in bounded.tolist()]


def _held(
    evidence: Evidence, policy: Policy, levelled: Float64, n_pairs: int, share: float | None
) -> Expected:
    """What a set holds: by what its scores mean where people taught that, else as measured."""
    curves, likelihood = (evidence.dev_curve, evidence.eval_curve), policy.likelihood
    if evidence.taught is None or likelihood is None or not len(levelled):
        return expected(levelled, n_pairs, curves, policy.prior, share)
    at, missed = (np.asarray(x)[::-1] for x in (curves[1].threshold, curves[1].fnmr))
    below = float(np.interp(levelled.min(), at, missed))
    return by_ratio(levelled, n_pairs, likelihood, below, policy.prior, share)


def _left(held: Expected, linked: Linked, threshold: float) -> Expected:
    """What linking leaves of a set; what it displaced tells how many false matches there were."""
    n_false, n_staying = held.false_at(threshold), held.false_at(threshold, linked.staying)
    part = linked.left_of(n_false, n_staying) / n_staying if n_staying else 0.0
    return held.left(lambda at: part * linked.staying(at), linked.n_displaced)


def evidence_of(release: Release) -> Evidence | None:
    """What was measured at the threshold that decides; None if nothing was."""
    if EVIDENCE not in release.manifest.files:
        return None
    evidence = release.evidence
    return evidence if evidence.eval.threshold == release.policy.verify.threshold else None


def _by_share(release: Release) -> bool:
    evidence = evidence_of(release)
    return evidence is not None and evidence.target.by_share


def _is_guessed(release: Release, evidence: Evidence) -> bool:
    """Whether nothing but agreement of fields says what scores mean, and the goal is no rate.

    How the pairs of a small set are spread then tells less than the estimate itself: the pair that
    just matches keeps its probability (lab log, 2026-11-29).
    """
    guessed = release.is_unproven and evidence.taught is None and not by_closeness(evidence)
    return guessed and not evidence.target.is_proven


def _same(likelihood: Likelihood, policy: Policy, share: float) -> float:
    """The score with the probability at a share that the threshold has at the policy's prior.

    On a line of log-odds also beyond the least and the highest ratio that is said: else nothing
    would move where a threshold lies near them.
    """
    band: Band = policy.verify
    if isinstance(likelihood, Logistic):
        before, here = (math.log(p / (1 - p)) for p in (policy.prior, share))
        return band.threshold + (before - here) / likelihood.slope
    wanted = likelihood.probability(band.threshold, policy.prior)
    score = likelihood.score_at(wanted, share) if 0 < wanted < 1 else band.threshold
    return score if math.isfinite(score) else band.threshold
