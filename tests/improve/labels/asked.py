"""A plan of questions in four strata, of which the first two match, and what teaches there."""

from __future__ import annotations

import numpy as np

from gemel.calibrate.answers.strata import Stratum
from gemel.encode.comparators.blocks import Blocks
from gemel.improve.labels.questions import Plan, Question
from gemel.improve.labels.teaching import Teaching
from gemel.train.comparators.answers import Curves

N = 200
PLAN = Plan(
    format=1,
    release="r",
    data="d",
    threshold=1.0,
    n_pairs=10_000,
    strata=tuple(Stratum(3.0 - k, N) for k in range(4)),
    shares=(0.3, 0.3, 0.2, 0.2),
    present=2,
    questions=tuple(
        tuple(Question(f"a{k}.{i}", f"b{k}.{i}", 3.0 - k) for i in range(N)) for k in range(4)
    ),
)


def teaching() -> Teaching:
    """Questions whose first block agrees the more, the likelier the answer is yes."""
    one = np.zeros((4, 1), np.float32)
    one[0] = 1
    curve = ((one, np.zeros(1, np.float32)), (one[:1] * 8, np.full(1, -4, np.float32)))
    curves = Curves.of(Blocks((2,), (), curve))
    assert curves is not None
    rng = np.random.default_rng(0)
    seen = np.ones((4 * N, 4), np.float32)
    seen[:, 0] = np.repeat([0.9, 0.7, 0.5, 0.1], N) + rng.normal(0, 0.05, 4 * N)
    seen[:, 1] = rng.uniform(0, 1, 4 * N)
    seen[:, 3] = 0
    last = np.tile(np.arange(N) >= N // 2, 4)
    return Teaching(curves, PLAN.every, seen, last, PLAN.stands_for)
