"""What is proven of a taught release is not biased by the answers that taught it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
from scipy.special import expit

from gemel.calibrate.answers.strata import Stratum
from gemel.calibrate.rates.intervals import Estimate
from gemel.encode.comparators.blocks import Blocks
from gemel.improve.labels.answers import FILE, Answers, Line
from gemel.improve.labels.questions import MATCHES, OTHERS, Plan, Question
from gemel.improve.labels.session import Session
from gemel.train.comparators.answers import Curves

N, ASKED, TAUGHT = 3000, 75, 100


def estimated() -> Curves:
    """Two blocks, the second taken for worth less than it is."""
    first = np.zeros((7, 2), np.float32)
    first[[0, 1], [0, 1]] = 1
    last = np.array([[12], [2]], np.float32)
    level = np.full(1, -8, np.float32)
    found = Curves.of(Blocks((2, 2), (), ((first, np.zeros(2, np.float32)), (last, level))))
    assert found is not None
    return found


def plan(score: np.ndarray, rng: np.random.Generator) -> Plan:
    """As `questions.plan` cuts the pairs of a release with these scores."""
    order = np.argsort(-score)
    m = int((score >= 0).sum())
    ends = [round(r * m) for r, _ in MATCHES]
    ends += [min(m + round(min(r * m, N)), N) for r, _ in OTHERS]
    strata, questions = [], []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        part = order[start:end]
        strata.append(Stratum(float(score[part[-1]]), len(part)))
        named = [Question(f"a{i}", f"b{i}", float(score[i])) for i in rng.permutation(part)]
        questions.append(tuple(named))
    shares = np.array([of for _, of in (*MATCHES, *OTHERS)])
    return Plan(
        format=1,
        release="r",
        data="d",
        threshold=0.0,
        n_pairs=N,
        strata=tuple(strata),
        shares=tuple(shares / shares.sum()),
        present=3,
        questions=tuple(questions),
    )


def world(seed: int, folder: Path) -> tuple[Estimate, float]:
    """The precision that answers say of a taught comparator, and the true one."""
    rng = np.random.default_rng(seed)
    seen = np.zeros((N, 7), np.float32)
    seen[:, :2] = rng.beta(0.6, 1.2, (N, 2))
    seen[:, 2], seen[:, 3:5] = seen[:, :2].mean(1), 1
    genuine = rng.random(N) < expit(9 * seen[:, 0] + 9 * seen[:, 1] - 10)
    curves = estimated()
    # The answers that teach are about the pairs near the threshold, as chosen ones are.
    near = np.argsort(np.abs(curves.comparator.of_evidence(seen)))[: 4 * TAUGHT]
    taught = rng.choice(near, TAUGHT, replace=False)
    said = ["same" if genuine[i] else "different" for i in taught]
    lines = [Line(f"a{i}", f"b{i}", s, "ann", "t") for i, s in zip(taught, said, strict=True)]  # type: ignore[arg-type]
    (folder / FILE).write_bytes(b"".join(msgspec.json.encode(x) + b"\n" for x in lines))
    by = curves.moved_by(seen[taught], genuine[taught], curves.held_by(seen))
    score = curves.taught(by).of_evidence(seen)
    session = Session(plan(score, rng), Answers(folder), "ann")
    asked = [q.pair for q in islice(session.ahead(), ASKED)]
    session.say_all([(q, "same" if genuine[int(q[0][1:])] else "different") for q in asked])
    return session.drawn().precision(3), float(genuine[score >= 0].mean())


def test_precision_of_a_taught_release_is_unbiased_and_its_interval_holds(tmp_path: Path) -> None:
    found = []
    for seed in range(120):
        folder = tmp_path / str(seed)
        folder.mkdir()
        found.append(world(seed, folder))
    assert abs(np.mean([at.value - true for at, true in found])) < 0.015
    assert np.mean([at.low <= true <= at.high for at, true in found]) >= 0.9
    assert np.mean([at.high - at.low for at, _ in found]) < 0.25
