"""From dev to a policy of classes, and from eval to what it is worth: identities act as classes.

Dev identities are dealt into four roles, so that nothing which shapes a score is calibrated on the
identities that shaped it: some give the spreads, some choose the method, most calibrate. Where
they are too few for alpha there is no policy, and a note says what is missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gemel.arrays import Bool, Float32, Int64
from gemel.calibrate.rates.intervals import mean_by_unit
from gemel.decide.bands import matches
from gemel.decide.classes import GUARANTEE, Among, ClassPolicy, Level, Method
from gemel.decide.conformal import Calibration, classes_needed, kept_classes, rounds_of
from gemel.encode.scatter import Scatter, within
from gemel.figures import number_of
from gemel.release.evidence.class_levels import ClassEvidence, ClassLevel, MethodAccuracy
from gemel.release.evidence.part import Part
from gemel.tasks import episodes, fewshot, openset
from gemel.tasks.episodes import Episode
from gemel.tasks.fewshot import Supports

METHODS: tuple[Method, ...] = ("prototype", "nearest", "knn", "mahalanobis")
"""In the order of what they cost to serve; of equally good ones the first is taken."""
FIT_SHARE = 3
"""One in so many identities gives spreads or chooses the method."""
LEAST_FIT = 4
MOST_FIT = 400
QUERIES = 400
"""Queries that choose the method, about."""
CROWDS = tuple(round(2 * 1.25**i) for i in range(28))
"""Classes that there may be, up to 827, for each of which the best score is calibrated."""


@dataclass(frozen=True)
class Fitted:
    """A policy of classes, or why there is none.

    Attributes:
        policy: None if dev has too few identities.
        accuracies: of each method, by shots.
        notes: for the evidence.
    """

    policy: ClassPolicy | None
    accuracies: tuple[MethodAccuracy, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Roles:
    """Identities of dev by what they are for; (n,) codes each, disjoint."""

    spread: Int64
    choose: Int64
    calibrate: Int64


BY_OTHERS = (
    "; measured with encoders that had not seen the classes (split.crossed), it holds for the one "
    "that is served, which has learned from all, if that scores items of a class no lower"
)


def fit(dev: Part, *, alpha: float, shots: tuple[int, ...], seed: int = 0) -> Fitted:
    """The policy of classes that dev supports.

    Args:
        dev: encoded.
        alpha: share of items of known classes that may be called unknown.
        shots: supports per class to calibrate for; 1 always is.
        seed: of roles and episodes.
    """
    parts = dev.unseen or (dev,)
    multiple = episodes.usable(dev.identities, 1)
    needed = classes_needed(alpha) + LEAST_FIT
    if len(multiple) < needed:
        return Fitted(
            None,
            notes=(
                f"dev: no policy of classes: to call items unknown at alpha = {alpha:g} takes "
                f"{needed} identities with two records or more, there are {len(multiple)}",
            ),
        )
    rng = np.random.default_rng(seed)
    roles = _dealt(rng.permutation(multiple), alpha)
    methods = METHODS
    if dev.unseen:  # each has a space of its own, so that no spread is that of the one served
        methods = tuple(m for m in METHODS if m != "mahalanobis")
        roles = replace(roles, choose=multiple)
    inner = None if dev.unseen else within(*_rows(dev, roles.spread))
    supported, notes = _supported(dev, roles, sorted({1, *shots}), alpha)
    accuracies = tuple(
        MethodAccuracy(method=m, shots=s, accuracy=_accuracy(parts, roles.choose, s, m, inner))
        for s in supported
        for m in methods
    )
    total = {m: sum(a.accuracy for a in accuracies if a.method == m) for m in methods}
    method = max(methods, key=lambda m: round(total[m], 6))
    usual, strangeness = (None, None) if dev.unseen else _usual(dev, roles, rng)
    policy = ClassPolicy(
        method=method,
        alpha=alpha,
        levels=tuple(_level(parts, roles, s, method, inner, alpha) for s in supported),
        usual=usual,
        strangeness=strangeness,
        within=inner if method == "mahalanobis" else None,
    )
    return Fitted(policy, accuracies, notes)


def measure(
    eval: Part, fitted: Fitted, *, confidence: float, seed: int = 0
) -> ClassEvidence | None:
    """What the policy is worth on eval; None without one.

    Args:
        eval: encoded; identities that nothing was chosen on.
        fitted: on dev.
        confidence: of the intervals.
        seed: of the episodes.
    """
    policy = fitted.policy
    if policy is None:
        return None
    levels = (_measured(eval, policy, level.shots, confidence, seed) for level in policy.levels)
    known = np.flatnonzero(eval.identities >= 0)
    anomaly = policy.anomaly(eval.embeddings[known])
    return ClassEvidence(
        alpha=policy.alpha,
        guarantee=GUARANTEE + (BY_OTHERS if anomaly is None else ""),
        n_calibration={level.shots: level.calibration.n_classes for level in policy.levels},
        dev=fitted.accuracies,
        eval=tuple(level for level in levels if level is not None),
        unusual=None
        if anomaly is None
        else mean_by_unit(anomaly >= 1 - policy.alpha, eval.identities[known], confidence),
        notes=fitted.notes,
    )


def _dealt(codes: Int64, alpha: float) -> _Roles:
    n = min(len(codes) // FIT_SHARE, len(codes) - classes_needed(alpha), MOST_FIT)
    n = max(n, LEAST_FIT)
    return _Roles(codes[: n // 2], codes[n // 2 : n], codes[n:])


def _only(identities: Int64, codes: Int64) -> Int64:
    """Identities with all others made unknown."""
    return np.where(np.isin(identities, codes), identities, -1)


def _rows(part: Part, codes: Int64) -> tuple[Float32, Int64]:
    chosen = np.isin(part.identities, codes)
    return part.embeddings[chosen], part.identities[chosen]


def _supported(
    dev: Part, roles: _Roles, shots: list[int], alpha: float
) -> tuple[list[int], tuple[str, ...]]:
    """The numbers of supports that enough identities have records for, and notes on the others."""
    supported, notes = [], []
    for s in shots:
        n = len(episodes.usable(_only(dev.identities, roles.calibrate), s))
        n_choose = len(episodes.usable(_only(dev.identities, roles.choose), s))
        if n >= classes_needed(alpha) and n_choose >= 2:
            supported.append(s)
        else:
            notes.append(
                f"dev: classes with {number_of(s, 'support')} are not calibrated: "
                f"{number_of(n, 'identity has', 'identities have')} {s + 1} records or more, "
                f"{classes_needed(alpha)} are needed"
            )
    return supported, tuple(notes)


def _scored(
    part: Part, episode: Episode, queries: Int64, method: Method, inner: Scatter | None
) -> Float32:
    """Scores of queries with the classes of an episode: (q, ways)."""
    supports = Supports.of(part.embeddings[episode.supports], episode.labels)
    rows = part.embeddings[queries]
    return fewshot.scores(method, supports, rows, comparator=part.comparator, spread=inner)


def _accuracy(
    parts: Sequence[Part], codes: Int64, shots: int, method: Method, inner: Scatter | None
) -> float:
    rng = np.random.default_rng(shots)
    n_right = n = 0
    for part in _with_some(parts, codes, shots):
        identities = _only(part.identities, codes)
        for _ in range(max(1, QUERIES // len(codes))):
            for episode in episodes.deal(identities, shots=shots, rng=rng):
                best = _scored(part, episode, episode.queries, method, inner).argmax(axis=1)
                n_right += int((best == np.arange(len(best))).sum())
                n += len(best)
    return n_right / n


def _with_some(parts: Sequence[Part], codes: Int64, shots: int) -> list[Part]:
    """The parts that some of these identities can be dealt in."""
    return [part for part in parts if len(episodes.usable(_only(part.identities, codes), shots))]


def _level(
    parts: Sequence[Part],
    roles: _Roles,
    shots: int,
    method: Method,
    inner: Scatter | None,
    alpha: float,
) -> Level:
    """Temperature and calibrations of classes with so many supports."""
    rng = np.random.default_rng(shots)
    usable = [episodes.usable(_only(p.identities, roles.calibrate), shots) for p in parts]
    codes = kept_classes(np.sort(np.concatenate(usable)), seed=shots)
    parts, rounds = _with_some(parts, codes, shots), rounds_of(len(codes))
    n = min(len(np.intersect1d(codes, part.identities)) for part in parts)
    steps = sorted({k for k in (*CROWDS, n) if 1 < k <= n})
    # Of the own class, then of so many.
    best = np.empty((rounds, len(codes), 1 + len(steps)), np.float32)
    scored: list[tuple[Float32, Int64]] = []
    for i, part in itertools.product(range(rounds), parts):
        identities = _only(part.identities, codes)
        for episode in episodes.deal(identities, shots=shots, rng=rng):
            scores = _scored(part, episode, episode.queries, method, inner)
            scored.append((scores, np.arange(len(scores))))
        (episode,) = episodes.deal(identities, shots=shots, rng=rng, ways=len(codes))
        scores = _scored(part, episode, episode.queries, method, inner)
        best[i, np.searchsorted(codes, episode.identities)] = _best_among(scores, steps, rng)
    own, *of_best = (Calibration.of(-column) for column in best.transpose(2, 1, 0))
    rising = np.maximum.accumulate([-one.most(alpha) for one in (own, *of_best)])[1:]
    return Level(
        shots=shots,
        temperature=fewshot.fit_temperature(scored),
        calibration=own,
        among=tuple(Among(n_classes=k, least=float(x)) for k, x in zip(steps, rising, strict=True)),
    )


def _best_among(scores: Float32, steps: list[int], rng: np.random.Generator) -> Float32:
    """Score of the own class, then the best among it and others drawn: (n, 1 + len(steps)).

    Args:
        scores: (n, n) of items with classes, the i-th of the i-th.
        steps: how many classes there are, the own one included; from 2 up.
        rng: draws which.
    """
    n = len(scores)
    others = scores[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    of_others = np.maximum.accumulate(rng.permuted(others, axis=1), axis=1)
    own = np.diagonal(scores)[:, None]
    return np.hstack([own, np.maximum(own, of_others[:, np.array(steps, int) - 2])])


def _usual(dev: Part, roles: _Roles, rng: np.random.Generator) -> tuple[Scatter, Calibration]:
    """The spread of some identities, and how far items of the others are from it."""
    single = np.setdiff1d(
        episodes.usable(dev.identities, 0), np.concatenate([roles.spread, roles.choose])
    )
    single = rng.permutation(np.setdiff1d(single, roles.calibrate))
    n = len(single) // FIT_SHARE
    shape = np.concatenate([roles.spread, roles.choose, single[:n]])
    usual = Scatter.of(_rows(dev, shape)[0])
    codes = np.sort(np.concatenate([roles.calibrate, single[n:]]))
    codes = kept_classes(codes, seed=0)
    far = [
        usual.distance(dev.embeddings[episodes.drawn(dev.identities, codes, 1, rng)[:, 0]])
        for _ in range(rounds_of(len(codes)))
    ]
    return usual, Calibration.of(np.stack(far, axis=1))


def _measured(
    part: Part, policy: ClassPolicy, shots: int, confidence: float, seed: int
) -> ClassLevel | None:
    """Episodes of eval: each item against the classes of its episode, and of the next one."""
    codes = episodes.usable(part.identities, shots)
    if len(codes) < 4:
        return None
    codes = kept_classes(codes, seed)
    ways, rng = min(episodes.WAYS, len(codes) // 2), np.random.default_rng(seed)
    rows: list[tuple[Int64, Bool, Bool, Bool, Float32, Float32]] = []
    for _ in range(rounds_of(len(codes))):
        dealt = episodes.deal(_only(part.identities, codes), shots=shots, rng=rng, ways=ways)
        for episode, other in zip(dealt, [*dealt[1:], dealt[0]], strict=True):
            known = _scored(part, episode, episode.queries, policy.method, policy.within)
            unknown = _scored(part, other, episode.queries, policy.method, policy.within)
            is_right = known.argmax(axis=1) == np.arange(len(known))
            best = known.max(axis=1), unknown.max(axis=1)
            level = policy.level(shots)
            refused = ~matches(best[0], level.least(policy.alpha, known.shape[1]))
            taken = matches(best[1], level.least(policy.alpha, unknown.shape[1]))
            rows.append((episode.identities, is_right, refused, taken, *best))
    identities, is_right, refused, taken, known_best, unknown_best = (
        np.concatenate(column) for column in zip(*rows, strict=True)
    )
    return ClassLevel(
        shots=shots,
        ways=ways,
        n_classes=len(codes),
        accuracy=mean_by_unit(is_right, identities, confidence),
        false_unknown=mean_by_unit(refused, identities, confidence),
        false_known=mean_by_unit(taken, identities, confidence),
        open_set=openset.measure(known_best, is_right, unknown_best),
    )
