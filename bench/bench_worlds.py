"""What gemel promises, in simulated worlds where the truth is known: rows with target and seen.

    OMP_NUM_THREADS=1 python bench/bench_worlds.py [--worlds 250]

Proven thresholds: how often the true rate is beyond what was proven, with and without a rare kind
of identity; how much stricter they are than the threshold that knows the truth. Families that are
named: what that costs. Refusals: how often the number of identities that they name does. Intervals:
how often they cover where few identities have most of the comparisons. The exit status says whether
every target was reached. Writes results/worlds.json; docs/explanation/thresholds.md has the tables.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, stdtr

from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import f1_at, measure
from gemel.calibrate.scores.scores import Scores, labelled
from gemel.errors import TargetRefused

RESULT = Path(__file__).parent / "results" / "worlds.json"
Row = dict[str, Any]
FAMILY = 4


@dataclass(frozen=True)
class World:
    """How scores come about; the share of each cause adds to a variance of one.

    Args:
        n: identities.
        k: records of each.
        noise: of a single comparison, `normal` or `t3`.
        who: share of the variance that is due to who the two are.
        pair: share that is due to the pair of identities.
        rare: chance of an identity to resemble everybody.
        height: by how much.
        deviation: of the height from one such identity to the next.
        lift: by how much identities of a family of four resemble each other.
        genuine: mean of the genuine scores.
        own: share of the variance of genuine scores that is due to the identity.
        hidden: chance of an identity not to resemble itself.
        singles: every comparison has identities of its own, and nobody says so.
    """

    n: int
    k: int = 4
    noise: str = "normal"
    who: float = 0.0
    pair: float = 0.0
    rare: float = 0.0
    height: float = 30.0
    deviation: float = 0.7
    lift: float = 0.0
    genuine: float = 6.0
    own: float = 0.0
    hidden: float = 0.0
    singles: bool = False

    def scores(self, rng: np.random.Generator, *, told: bool = False) -> tuple[Scores, int]:
        """All comparisons of one world, and how many identities of the rare kind it has."""
        if self.singles:
            genuine = np.arange(self.n) % 2 == 0
            score = rng.standard_normal(self.n) + self.genuine * genuine
            return labelled(score, genuine), 0
        who = np.repeat(np.arange(self.n, dtype=np.int32), self.k)
        i, j = np.triu_indices(len(who), 1)
        left, right = who[i], who[j]
        genuine = left == right
        noise = rng.standard_normal(len(i)) if self.noise == "normal" else rng.standard_t(3, len(i))
        score = math.sqrt(1 - self.who - self.pair) * noise
        own = math.sqrt(self.who / 2) * rng.standard_normal(self.n)
        rare = rng.random(self.n) < self.rare
        own += rare * (self.height + self.deviation * rng.standard_normal(self.n))
        score += own[left] + own[right]
        if self.pair:
            upper = np.triu(rng.standard_normal((self.n, self.n)), 1)
            score += math.sqrt(self.pair) * (upper + upper.T)[left, right]
        family = np.arange(self.n, dtype=np.int32) // FAMILY
        score += self.lift * (family[left] == family[right])
        hidden = rng.random(self.n) < self.hidden
        mates = math.sqrt(1 - self.own) * rng.standard_normal(int(genuine.sum()))
        mates += math.sqrt(self.own) * rng.standard_normal(self.n)[left[genuine]]
        score[genuine] = self.genuine + mates - self.height * hidden[left[genuine]]
        unit = family if told else None
        n_rare = int(rare.sum() + hidden.sum())
        return Scores(score.astype(np.float32), genuine, left, right, unit_of=unit), n_rare

    @cached_property
    def _heights(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.height + self.deviation * np.random.default_rng(
            1
        ).standard_normal(4000)
        return found

    def fmr(self, threshold: float) -> float:
        """Of all identities that there could be."""

        def beyond(t: Any) -> float:
            return float(np.mean(1 - stdtr(3, t) if self.noise == "t3" else ndtr(-t)))

        p, h, t = self.rare, self._heights, threshold
        kin = (FAMILY - 1) / (self.n - 1) if self.lift else 0.0
        rate = (1 - kin) * beyond(t) + kin * beyond(t - self.lift)
        if p:
            rate = (1 - p) ** 2 * rate + 2 * p * (1 - p) * beyond(t - h)
            rate += p * p * beyond(t - h[:2000] - h[2000:])
        return rate

    def fnmr(self, threshold: float) -> float:
        """Of all identities that there could be."""
        below = float(ndtr(threshold - self.genuine))
        hidden = float(ndtr(threshold - self.genuine + self.height))
        return (1 - self.hidden) * below + self.hidden * hidden

    def at_fmr(self, fmr: float) -> float:
        """The threshold that has an FMR."""
        return float(brentq(lambda t: self.fmr(t) - fmr, -10, 400))


@dataclass(frozen=True)
class Proof:
    """What is asked for in a world."""

    what: str
    world: World
    goal: Target

    def is_kept(self, threshold: float, prior: float) -> bool:
        """Whether the truth is what was proven."""
        w, value = self.world, self.goal.value or 0.0
        if self.goal.kind == "fmr":
            return w.fmr(threshold) <= value
        if self.goal.kind == "fnmr":
            return w.fnmr(threshold) <= value
        true, false = prior * (1 - w.fnmr(threshold)), (1 - prior) * w.fmr(threshold)
        return true >= value * (true + false)


def fmr(value: float) -> Target:
    return Target(kind="fmr", value=value)


def fnmr(value: float) -> Target:
    return Target(kind="fnmr", value=value)


def precision(value: float) -> Target:
    return Target(kind="precision", value=value)


WHO = World(60, who=0.5)
WOLVES = World(100, noise="t3", rare=0.02, genuine=60.0)
PROOFS = (
    Proof("nothing", World(100, 2), fmr(3e-3)),
    Proof("nothing", World(100), fmr(1e-3)),
    Proof("the pair of identities, 80 % of the variance", World(60, 5, pair=0.8), fmr(1e-2)),
    Proof("who it is, 25 % of the variance", World(60, who=0.25), fmr(1e-2)),
    Proof("who it is, 50 % of the variance", WHO, fmr(1e-2)),
    Proof("who it is, 50 % of the variance", replace(WHO, n=30), fmr(5e-2)),
    Proof("who it is, 50 % of the variance", replace(WHO, n=150, k=2), fmr(3e-3)),
    Proof("families of four, not named", World(100, lift=2.5), fmr(1e-2)),
    Proof("who it is, 50 % of the variance", World(100, genuine=3.0, own=0.5), fnmr(0.1)),
    Proof("nothing", World(200, 2, genuine=3.0), fnmr(0.05)),
    Proof("nothing", World(200, 2, genuine=4.5), precision(0.9)),
)
RARE = (
    Proof("FMR", WOLVES, fmr(1e-2)),
    Proof("FMR", WOLVES, fmr(1e-3)),
    Proof("FNMR", World(150, genuine=10.0, hidden=0.02), fnmr(0.05)),
    Proof("FNMR", World(300, genuine=10.0, hidden=0.01), fnmr(0.02)),
    Proof("precision", World(150, noise="t3", rare=0.02, genuine=60.0), precision(0.9)),
)
FEW = World(40, 3)
REFUSED = (
    Proof("nothing", FEW, fmr(1e-3)),
    Proof("nothing", World(100, 2), fmr(1e-4)),
    Proof("who it is, 50 % of the variance", replace(FEW, who=0.5), fmr(3e-3)),
    Proof("nothing, pairs without identities", World(400, singles=True), fmr(5e-3)),
    Proof("nothing", World(100, 2, genuine=3.0), fnmr(0.01)),
    Proof("who it is, 50 % of the variance", World(60, genuine=3.0, own=0.5), fnmr(0.03)),
    Proof("nothing", World(60, 2, genuine=4.5), precision(0.95)),
    Proof("3 wolves in 100, height 3", replace(FEW, rare=0.03, height=3.0), fmr(1e-3)),
)


FAMILIES = World(400, 2, lift=2.5)


def proofs(n_worlds: int) -> Iterator[Row]:
    """How often a proven rate is broken where there is no rare kind of identity."""
    for proof in PROOFS:
        found = [each for each in proven(proof, n_worlds) if each.threshold is not None]
        yield _broken(f"{_asked(proof)}; scores depend on: {proof.what}", proof, found, 0.05)


def rare_kinds(n_worlds: int) -> Iterator[Row]:
    """How often a proven rate is broken, by how many of the rare kind dev has."""
    for proof in RARE:
        found = proven(proof, n_worlds)
        for name, low, high in (("none", 0, 0), ("one", 1, 1), ("two and more", 2, 10**6)):
            these = [each for each in found if low <= each.n_rare <= high]
            what = f"{_asked(proof)}; of the rare kind dev has {name}"
            kept = [each for each in these if each.threshold is not None]
            yield _broken(what, proof, kept, 0.1 if low else None) | {"worlds": len(these)}


def strictness(n_worlds: int) -> Iterator[Row]:
    """Missed pairs at the proven threshold, over those at the one that knows the truth."""
    for world, limit, before in ((World(100), 1e-3, 1.74), (World(60, 5), 1e-2, 1.32)):
        oracle = world.at_fmr(limit)
        proof = Proof("nothing", replace(world, genuine=oracle + 1), fmr(limit))
        seen = missed(proof, min(n_worlds, 100)) / proof.world.fnmr(oracle)
        what = f"{_asked(proof)}; FNMR over that of the threshold that knows the truth"
        yield _row(what, proof, f"at most {before:g}", seen, seen <= before)


def families(n_worlds: int) -> Iterator[Row]:
    """What it costs to name families, in missed pairs, and whether the proof then holds."""
    for limit in (1e-2, 1e-3):
        world = replace(FAMILIES, genuine=FAMILIES.at_fmr(limit) + 1)
        proof, n = Proof("families", world, fmr(limit)), min(n_worlds, 20)
        seen = missed(proof, n, told=True) / missed(proof, n)
        what = f"{_asked(proof)}; FNMR with families named over that without"
        yield _row(what, proof, "at most 2", seen, seen <= 2)
        told = [e for e in proven(proof, 2 * n, told=True) if e.threshold is not None]
        yield _broken(f"{_asked(proof)}; families named", proof, told, 0.05)


def refusals(n_worlds: int) -> Iterator[Row]:
    """How often data with the number of identities that a refusal names prove the target."""
    for proof in REFUSED:
        found, enough = named(proof, min(n_worlds, 40))
        seen = enough / max(len(found), 1)
        what = f"{_asked(proof)}; scores depend on: {proof.what}; enough"
        row = _row(what, proof, "at least 80 %", seen, seen >= 0.8)
        yield row | {"refused": len(found), "named": float(np.median(found))}


def named(proof: Proof, n_worlds: int) -> tuple[list[int], int]:
    """What refusals name as missing, and how often that many more were enough."""
    rng, found, enough = np.random.default_rng(0), [], 0
    for _ in range(n_worlds):
        scores, _ = proof.world.scores(rng)
        try:
            choose(scores, proof.goal)
        except TargetRefused as e:
            alone = proof.world.singles
            missing = e.refusal.missing_comparisons if alone else e.refusal.missing_identities
            found.append(missing)
            if missing:
                grown = replace(proof, world=replace(proof.world, n=_grown(proof, missing)))
                enough += _threshold(grown, rng)[0] is not None
    return found, enough


def _grown(proof: Proof, missing: int) -> int:
    """Identities, or pairs, with as many more; half of single pairs are of the other class."""
    return proof.world.n + missing * (2 if proof.world.singles else 1)


def intervals(n_worlds: int) -> Iterator[Row]:
    """How often intervals cover where sizes are Zipf from 2 to 200 records."""
    at, prior, size = 1.25, 0.05, np.arange(2, 201)
    true = {"fmr": float(ndtr(-at)), "fnmr": float(ndtr(at - 2.5))}
    true["f1"] = float(f1_at(true["fmr"], true["fnmr"], prior))
    for n in (100, 400):
        rng, covered = np.random.default_rng(1), dict.fromkeys(true, 0)
        for _ in range(n_worlds):
            k = rng.choice(size, n, p=1 / size**2 / (1 / size**2).sum())
            point = measure(_zipf(rng, k), at, prior=prior)
            for name, value in true.items():
                estimate = getattr(point, name)
                covered[name] += estimate.low <= value <= estimate.high
        for name, hits in covered.items():
            seen = hits / n_worlds
            yield {
                "what": f"95 % interval of {name}; Zipf sizes 2 to 200",
                "identities": n,
                "target": "covers 92 to 99 %",
                "seen": round(seen, 3),
                "reached": 0.92 <= seen <= 0.99,
            }


def _zipf(rng: np.random.Generator, k: NDArray[np.int64]) -> Scores:
    """Genuine scores of identities with k records each; impostor scores of three of them."""
    n, who = len(k), np.arange(len(k), dtype=np.int32)
    left = np.repeat(who, k * (k - 1) // 2)
    own = rng.standard_normal(n) * math.sqrt(0.5)
    mates = 2.5 + own[left] + math.sqrt(0.5) * rng.standard_normal(len(left))
    few = np.repeat(who, np.minimum(k, 3))
    i, j = np.triu_indices(len(few), 1)
    one, two = (side[few[i] != few[j]] for side in (few[i], few[j]))
    own = rng.standard_normal(n) * math.sqrt(0.125)
    others = own[one] + own[two] + math.sqrt(0.75) * rng.standard_normal(len(one))
    score = np.concatenate([mates, others]).astype(np.float32)
    genuine = np.arange(len(score)) < len(left)
    return Scores(score, genuine, np.concatenate([left, one]), np.concatenate([left, two]))


@dataclass(frozen=True)
class Found:
    """A proven threshold, or None if it was refused; the prior and the rare kind of its world."""

    threshold: float | None
    prior: float
    n_rare: int


def proven(proof: Proof, n_worlds: int, *, told: bool = False) -> list[Found]:
    """The thresholds that the same worlds prove each time."""
    rng = np.random.default_rng(0)
    return [Found(*_threshold(proof, rng, told=told)) for _ in range(n_worlds)]


def _threshold(
    proof: Proof, rng: np.random.Generator, *, told: bool = False
) -> tuple[float | None, float, int]:
    scores, n_rare = proof.world.scores(rng, told=told)
    try:
        return choose(scores, proof.goal).threshold, scores.prior, n_rare
    except TargetRefused:
        return None, scores.prior, n_rare


def missed(proof: Proof, n_worlds: int, *, told: bool = False) -> float:
    """Mean FNMR of proven thresholds; all are missed where it is refused."""
    found = [each.threshold for each in proven(proof, n_worlds, told=told)]
    return float(np.mean([1.0 if t is None else proof.world.fnmr(t) for t in found]))


def _broken(what: str, proof: Proof, found: list[Found], most: float | None) -> Row:
    """A row about how often a promise is broken; of few worlds chance may add two deviations."""
    n = len(found)
    broken = sum(not proof.is_kept(e.threshold or 0.0, e.prior) for e in found) / max(n, 1)
    slack = 2 * math.sqrt((most or 0) / max(n, 1)) if n < 100 else 0.0
    target = "none: nothing can warn" if most is None else f"broken in at most {100 * most:g} %"
    row = _row(what, proof, target, broken, most is None or broken <= most + slack)
    return row | {"proven": n}


def _asked(proof: Proof) -> str:
    return f"{proof.goal.kind} {proof.goal.value:g}"


def _row(what: str, proof: Proof, target: str, seen: float, reached: bool) -> Row:
    size = {"identities": proof.world.n, "records": proof.world.k}
    return {"what": what, **size, "target": target, "seen": round(seen, 3), "reached": reached}


TABLES: dict[str, Callable[[int], Iterator[Row]]] = {
    "proofs": proofs,
    "rare kinds": rare_kinds,
    "strictness": strictness,
    "families": families,
    "refusals": refusals,
    "intervals": intervals,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--worlds", type=int, default=250)
    parser.add_argument("--table", choices=TABLES, help="only this one")
    asked = parser.parse_args()
    found: dict[str, list[Row]] = {}
    for name in [asked.table] if asked.table else TABLES:
        found[name] = []
        for row in TABLES[name](asked.worlds):
            found[name].append(row)
            print(json.dumps(row), flush=True)
    missed = [row["what"] for rows in found.values() for row in rows if not row["reached"]]
    if asked.table:
        result = json.loads(RESULT.read_text())
        result["tables"] |= found
    else:
        result = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            "worlds": asked.worlds,
            "tables": found,
        }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    for what in missed:
        print(f"not reached: {what}")
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
