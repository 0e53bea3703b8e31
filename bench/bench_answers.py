"""Proposals from answers, in simulated services where the truth is known: are they right?

    OMP_NUM_THREADS=1 python bench/bench_answers.py [--worlds 100]

Impostor scores are N(.25, .12), genuine ones N(.7, .13); scores within .1 of the threshold go to a
person, and an audited share of all others. Reviewers err. The threshold in force is the best one,
so that every move is wrong, and its FNMR and FMR are known. Then the impostors move by .05, and
policies for old answers are compared: false moves before, and what is said after. Writes
results/answers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import norm

from gemel.calibrate.answers.answered import Answers, newest
from gemel.calibrate.answers.proposal import Limits, Proposal, propose
from gemel.calibrate.answers.reviewers import Reviewers
from gemel.calibrate.goals.target import Target
from gemel.decide.bands import Band

RESULT = Path(__file__).parent / "results" / "answers.json"
N_DECISIONS = 300_000
MOST_MOVED, LEAST_HELD = 0.05, 0.90
GENUINE, IMPOSTOR = norm(0.7, 0.13), norm(0.25, 0.12)


@dataclass(frozen=True)
class Case:
    """A service, its reviewers, and who gives second answers.

    Attributes:
        prior: share of genuine comparisons.
        wrong: share of wrong answers about impostor and about genuine comparisons.
        overlap: share of answered decisions that a second person answers, whatever was said.
        confirmed: an answer against a decision that nobody would have looked at is given twice.
        in_band: times as many wrong answers inside the review band.
        trusted: reviewers are taken to be always right.
    """

    prior: float
    wrong: tuple[float, float] = (0.03, 0.03)
    overlap: float = 0.1
    confirmed: bool = True
    in_band: float = 1.0
    trusted: bool = False
    audit: float = 0.02


CASES = {
    "always right, 2 %": Case(0.02, (0.0, 0.0)),
    "3 % wrong, taken at their word, 2 %": Case(0.02, overlap=0, confirmed=False, trusted=True),
    "3 % wrong, taken at their word, 10 %": Case(0.1, overlap=0, confirmed=False, trusted=True),
    "3 % wrong, no second answers, 2 %": Case(0.02, overlap=0, confirmed=False),
    "3 % wrong, no second answers, 10 %": Case(0.1, overlap=0, confirmed=False),
    "3 % wrong, no second answers, 30 %": Case(0.3, overlap=0, confirmed=False),
    "3 % wrong, second answers, .5 %": Case(0.005),
    "3 % wrong, second answers, 2 %": Case(0.02),
    "3 % wrong, second answers, 10 %": Case(0.1),
    "3 % wrong, second answers, 30 %": Case(0.3),
    "5 % and 1 % wrong, second answers, 2 %": Case(0.02, (0.05, 0.01)),
    "1 % and 5 % wrong, second answers, 2 %": Case(0.02, (0.01, 0.05)),
    "3 % wrong, 9 % in the band, second answers, 2 %": Case(0.02, in_band=3.0),
}
"""The share at the end is of genuine comparisons."""


def best(prior: float) -> float:
    """The threshold with the best F1 of all."""
    at = np.linspace(0, 1, 2001)
    true, false = prior * GENUINE.sf(at), (1 - prior) * IMPOSTOR.sf(at)
    return float(at[np.argmax(2 * true / (true + false + prior))])


def answered(case: Case, band: Band, seed: int) -> tuple[Answers, Reviewers | None]:
    """What reviewers say in one world."""
    rng = np.random.default_rng(seed)
    genuine = rng.random(N_DECISIONS) < case.prior
    score = np.where(genuine, GENUINE.rvs(N_DECISIONS, rng), IMPOSTOR.rvs(N_DECISIONS, rng))
    inside = (score >= band.review_low) & (score < band.review_high)
    asked = rng.random(N_DECISIONS) < np.where(inside, 1.0, case.audit)
    genuine, score, inside = genuine[asked], score[asked], inside[asked]
    chance = np.where(genuine, case.wrong[1], case.wrong[0]) * np.where(inside, case.in_band, 1.0)
    first, second = (genuine ^ (rng.random(len(score)) < chance) for _ in range(2))
    against = ~inside & (first != (score >= band.threshold))
    twice = (rng.random(len(score)) < case.overlap) | (against & case.confirmed)
    # Booleans would be added as `or`.
    yes = first.astype(np.int64) + (twice & second)
    no = (~first).astype(np.int64) + (twice & ~second)
    weight = np.where(inside, 1.0, 1 / case.audit)
    answers = Answers(score, yes / (yes + no) if twice.any() else first, weight, ~inside)
    if case.trusted:
        return answers, None
    against |= ~inside & twice & (second != (score >= band.threshold))
    return answers, Reviewers(score, yes, no, inside, against, 0.03)


def proposed(case: Case, seed: int) -> Proposal:
    """What one world is told about its threshold."""
    threshold = best(case.prior)
    band = Band(threshold=threshold, review_low=threshold - 0.1, review_high=threshold + 0.1)
    answers, reviewers = answered(case, band, seed)
    return propose(answers, band, Target(kind="f1"), Limits(), reviewers=reviewers, seed=seed)


def judged(case: Case, said: list[Proposal]) -> dict[str, object]:
    """How often the proposals of many worlds were right."""
    threshold = best(case.prior)
    truth = {"fnmr": GENUINE.cdf(threshold), "fmr": IMPOSTOR.sf(threshold), "prior": case.prior}
    told = [s for s in said if s.verdict != "wait" and s.present is not None]
    row: dict[str, object] = {
        "worlds": len(said),
        "waits": round(1 - len(told) / len(said), 3),
        "moves": round(sum(s.verdict == "move" for s in said) / len(said), 3),
    }
    for name, value in truth.items():
        seen = [getattr(s.present, name) for s in told]
        row[f"{name}_true"] = round(float(value), 5)
        if seen:
            row[f"{name}_mean"] = round(float(np.mean([e.value for e in seen])), 5)
            row[f"{name}_held"] = round(float(np.mean([e.low <= value <= e.high for e in seen])), 3)
            row[f"{name}_width"] = round(float(np.mean([e.high - e.low for e in seen])), 5)
    return row


KEEP = {"all": 0.0, "newest 100": 100.0, "newest 300": 300.0, "newest 1,000": 1000.0}
"""Policies for old answers: effective answers of each class that are kept."""
BLOCK, BEFORE, AFTER, SHIFT = 50_000, 12, 12, 0.05


def drifted(seed: int) -> dict[str, list[tuple[str, float]]]:
    """Proposals after each block of decisions, in a world whose impostors move after `BEFORE`."""
    rng = np.random.default_rng(seed)
    prior, audit = 0.1, 0.02
    threshold = best(prior)
    band = Band(threshold=threshold, review_low=threshold - 0.1, review_high=threshold + 0.1)
    seen, said = [], {name: [] for name in KEEP}
    for block in range(BEFORE + AFTER):
        genuine = rng.random(BLOCK) < prior
        impostor = IMPOSTOR.rvs(BLOCK, rng) + SHIFT * (block >= BEFORE)
        score = np.where(genuine, GENUINE.rvs(BLOCK, rng), impostor)
        inside = (score >= band.review_low) & (score < band.review_high)
        asked = rng.random(BLOCK) < np.where(inside, 1.0, audit)
        weight = np.where(inside, 1.0, 1 / audit)[asked]
        seen.append((score[asked], genuine[asked].astype(np.float64), weight, ~inside[asked]))
        if block % 2 == 0:
            continue
        answers = Answers(*(np.concatenate(part) for part in zip(*seen, strict=True)))
        sides = answers.score >= band.review_high, answers.score < band.review_low
        for name, enough in KEEP.items():
            start = newest(answers, enough, sides=sides, audited=30) if enough else 0
            found = propose(answers.taken(slice(start, None)), band, Target(kind="f1"), Limits())
            said[name].append((found.verdict, found.interval[0] if found.interval else 0.0))
    return said


def by_policy(worlds: list[dict[str, list[tuple[str, float]]]]) -> dict[str, dict[str, object]]:
    """False moves before the world moved, and the looks that it took to move after it."""
    rows: dict[str, dict[str, object]] = {}
    for name in KEEP:
        before = [v == "move" for w in worlds for v, _ in w[name][: BEFORE // 2]]
        after = np.array([[v == "move" for v, _ in w[name][BEFORE // 2 :]] for w in worlds])
        rows[name] = {
            "false_moves": round(float(np.mean(before)), 3),
            "moves_after": [round(float(x), 2) for x in after.mean(0)],
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--only", default="", help="cases whose name holds this; others stay")
    asked = parser.parse_args()
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {"rows": {}}
    result |= {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
    }
    with ProcessPoolExecutor() as pool:
        for name, case in CASES.items():
            if asked.only in name:
                said = list(pool.map(partial(proposed, case), range(asked.worlds)))
                result["rows"][name] = judged(case, said)
                print(name, json.dumps(result["rows"][name]), flush=True)
                RESULT.write_text(json.dumps(result, indent=1) + "\n")
        if not asked.only:
            result["old_answers"] = by_policy(
                list(pool.map(drifted, range(max(10, asked.worlds // 4))))
            )
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
