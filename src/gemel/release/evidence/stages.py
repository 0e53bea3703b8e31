"""The stages of a release: sketches before the comparator, rules and people behind it.

Chosen on dev, measured on both sides. What a rule costs is counted on the genuine comparisons of
eval that match without it, since a rule can do no other harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Int64
from gemel.calibrate.goals import stages
from gemel.calibrate.goals.stages import RuleCost, StageGoal, Stages
from gemel.calibrate.rates.intervals import Estimate, Sample, jackknife_variance, proportion
from gemel.calibrate.rates.several_views import Views, two_views
from gemel.calibrate.scores.all_pairs import genuine_blocks
from gemel.data.dataset import UNKNOWN
from gemel.decide.bands import matches
from gemel.decide.policy import Policy
from gemel.decide.rules import Rule
from gemel.encode.sketch import Sketch
from gemel.errors import ConfigError
from gemel.release.evidence.mistakes import whole_identities
from gemel.release.evidence.part import Part

MAX_CHECKED = 20_000
VIEWED_RECORDS = 2000
VIEWED_OF_EACH = 20


def choose(dev: Part, policy: Policy, goal: StageGoal | None) -> Policy:
    """The policy with the stages that reach a goal; itself without one.

    Args:
        dev: encoded and compared.
        policy: whose thresholds the stages keep, or replace for searches if the goal limits errors.
        goal: None leaves the first stage out.
    Raises:
        DataError: dev cannot prove the goal.
        ConfigError: the goal limits errors, and so does that of searches.
    """
    if goal is None:
        return policy
    if goal.fmr is not None and policy.sizes:
        raise ConfigError(
            "an FPIR and the FMR of stages contradict each other",
            where="stages.fmr",
            hint="leave one of calibrate.fpir and stages.fmr out",
        )
    found = stages.choose(dev.scored_by(Sketch(goal.bits)), dev.scores, policy.search, goal)
    return msgspec.structs.replace(policy, first=found.first, search=found.band)


def measured(part: Part, policy: Policy, goal: StageGoal | None) -> Stages | None:
    """What the stages of a policy do on one side; None if it has none."""
    if goal is None or policy.first is None:
        return None
    sketch = part.scored_by(Sketch(policy.first.bits))
    return stages.measure(sketch, part.scores, policy.first, policy.search, goal)


def views(eval: Part, threshold: float, confidence: float, seed: int) -> Views | None:
    """What asking for two views of one thing does on eval.

    Args:
        eval: encoded and compared; of an identity with many records, and of many identities, some
            are drawn.
        threshold: of the policy, for one comparison.
        confidence: level of the intervals.
        seed: of that draw.
    """
    some = _some_of_each(eval.identities, seed)
    kept = some[whole_identities(eval.identities[some], VIEWED_RECORDS, seed)]
    level = eval.leveller()
    return two_views(
        eval.embeddings[kept],
        eval.identities[kept],
        eval.comparator,
        threshold,
        confidence=confidence,
        level=level and (lambda score, i, j: level(score, kept[i], kept[j])),
    )


def _some_of_each(identities: Int64, seed: int) -> Int64:
    """Ascending positions of at most VIEWED_OF_EACH records of each identity, drawn at random."""
    order = np.random.default_rng(seed).permutation(len(identities))
    order = order[np.argsort(identities[order], kind="stable")]
    first = np.searchsorted(identities[order], identities[order])
    return np.sort(order[np.arange(len(order)) - first < VIEWED_OF_EACH]).astype(np.int64)


def rule_costs(
    rules: Sequence[Rule],
    eval: Part,
    threshold: float,
    payloads: Callable[[Int64], Sequence[Any]],
    confidence: float,
) -> tuple[RuleCost, ...]:
    """What each rule takes away from the genuine comparisons that match.

    Args:
        rules: of the policy.
        eval: encoded and compared.
        threshold: of the policy, for one comparison.
        payloads: rows of eval by their positions.
        confidence: level of the intervals.
    """
    if not rules:
        return ()
    left, right = _matching(eval, threshold)
    rows = [payloads(side) for side in (left, right)]
    code = np.unique(eval.identities[left], return_inverse=True)[1]
    return tuple(
        RuleCost(
            rule=str(rule),
            n_checked=len(left),
            lost=_share([rule.fires(a, b) for a, b in zip(*rows, strict=True)], code, confidence),
        )
        for rule in rules
    )


def _matching(eval: Part, threshold: float) -> tuple[Int64, Int64]:
    """Positions of both records of the genuine comparisons that match, MAX_CHECKED at most."""
    known = np.flatnonzero(eval.identities != UNKNOWN)
    order = known[np.argsort(eval.identities[known], kind="stable")]
    rows, identities = eval.embeddings[order], eval.identities[order]
    level = eval.leveller()
    lefts, rights, n = [], [], 0
    for score, i, j in genuine_blocks(rows, identities, eval.comparator):
        left, right = order[i], order[j]
        seen = score if level is None else level(score, left, right)
        match = matches(seen, threshold)
        lefts.append(left[match])
        rights.append(right[match])
        n += int(np.count_nonzero(match))
        if n >= MAX_CHECKED:
            break
    nothing = np.zeros(0, np.int64)
    left, right = (np.concatenate([nothing, *side])[:MAX_CHECKED] for side in (lefts, rights))
    return left, right


def _share(fired: list[bool], code: Int64, confidence: float) -> Estimate:
    """Share of comparisons for which a rule fires, with its interval by identity."""
    n = np.bincount(code).astype(np.float64)
    hits = np.bincount(code, weights=np.array(fired, np.float64))
    with np.errstate(invalid="ignore"):
        left_out = (hits.sum() - hits) / (n.sum() - n)
    sample = Sample(len(code), len(n), len(n))
    value = float(hits.sum() / max(n.sum(), 1))
    return proportion(value, jackknife_variance(left_out), sample, confidence)
