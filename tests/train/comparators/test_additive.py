"""The additive comparator: known weights are found, curves never fall, layers say the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gemel.arrays import Float32, unit_rows
from gemel.encode.comparators.blocks import Blocks, evidence
from gemel.train.comparators import additive, learned
from gemel.train.comparators import pairs as comparator_pairs
from gemel.train.comparators.pairs import Candidates, Layout

LAYOUT = Layout((4, 4), ())
N_PAIRS = 40_000


def pairs_of(genuine: np.ndarray) -> Candidates:
    n = len(genuine)
    ones = np.ones(n, np.float32)
    return Candidates(
        np.arange(n), np.arange(n), genuine.astype(np.float32), ones, np.array([0, n])
    )


def world(slopes: tuple[float, float]) -> tuple[Float32, Candidates, np.ndarray]:
    """Evidence of pairs whose log-odds are linear in the agreement of two blocks, and these."""
    rng = np.random.default_rng(0)
    cosines = rng.random((N_PAIRS, 3)).astype(np.float32)
    cosines[:, 2] = 0.5
    left = np.ones((N_PAIRS, 2), np.float32)
    left[: N_PAIRS // 4, 1] = 0
    missing = left[:, 1] == 0
    cosines[missing, 1] = 0
    log_odds = slopes[0] * cosines[:, 0] + slopes[1] * cosines[:, 1] - 3 + 2 * missing
    genuine = rng.random(N_PAIRS) < 1 / (1 + np.exp(-log_odds))
    return evidence(cosines, left, np.ones_like(left)), pairs_of(genuine), log_odds


def scores(layers: additive.Layers, seen: Float32) -> Float32:
    (matrix, bias), (last, constant) = layers
    return (np.maximum(seen @ matrix + bias, 0) @ last + constant)[:, 0]


def test_known_weights_are_found() -> None:
    seen, pairs, log_odds = world((4.0, 2.0))
    found = scores(additive.fit(seen, pairs, LAYOUT), seen)
    assert np.abs(found - log_odds).mean() < 0.1
    assert np.abs(found - log_odds).max() < 0.5


def test_more_agreement_is_never_less_evidence() -> None:
    # Labels say that agreement of the second block speaks against a match.
    seen, pairs, _ = world((4.0, -2.0))
    layers = additive.fit(seen, pairs, LAYOUT)
    for column in range(LAYOUT.n_agreements):
        probes = np.repeat(seen[-1:], 101, 0)
        probes[:, column] = np.linspace(-1, 1, 101)
        steps = np.diff(scores(layers, probes))
        assert (steps >= -1e-5).all()
        assert (steps.max() > 0.01) == (column == 0)


def test_the_layers_add_up_the_ramps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, pairs, _ = world((4.0, 2.0))
    ramps = additive._ramps(seen, LAYOUT)
    heights = torch.linspace(-1, 2, len(ramps.column) + 1, dtype=torch.float64)
    monkeypatch.setattr(additive, "_heights", lambda *_: heights)
    summed = ramps.climbed(seen).double() @ heights
    layers = additive.fit(seen, pairs, LAYOUT)
    np.testing.assert_allclose(scores(layers, seen), summed.numpy(), atol=1e-4)


def test_the_lowest_allowed_point_cannot_be_improved() -> None:
    generator = torch.Generator().manual_seed(0)
    for n in (2, 5, 20, 60):
        root = torch.randn(n, n + 1, dtype=torch.float64, generator=generator)
        bend, pull = root @ root.T, torch.randn(n, dtype=torch.float64, generator=generator)
        bounded = torch.arange(n) % 3 > 0
        u = additive._lowest(bend, pull, bounded)
        slope = bend @ u - pull
        tolerance = 1e-6 * float(pull.abs().max())
        assert (u[bounded] >= 0).all()
        assert (slope[~bounded | (u > 0)].abs() < tolerance).all()
        assert (slope[bounded] > -tolerance).all()


def test_weights_stand_for_all_pairs_of_a_query() -> None:
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(30), rng.integers(1, 50, 30))
    rows = unit_rows(rng.normal(size=(len(identities), 8)))
    drawn = comparator_pairs.draw(rows, identities, rng)
    n_mates = np.bincount(identities)[identities] - 1
    for query, start, stop in zip(
        drawn.query[drawn.start[:-1]], drawn.start, drawn.start[1:], strict=False
    ):
        genuine, weight = drawn.genuine[start:stop], drawn.weight[start:stop]
        assert (identities[drawn.candidate[start:stop]] == identities[query]).tolist() == (
            genuine == 1
        ).tolist()
        assert query not in drawn.candidate[start:stop]
        assert weight[genuine == 1].sum() == pytest.approx(n_mates[query])
        assert weight.sum() == pytest.approx(len(identities) - 1)


def test_the_comparator_learns_which_block_tells() -> None:
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(60), 3)
    tells = rng.normal(size=(60, 16))[identities] + rng.normal(0, 0.4, (180, 16))
    other = 2 * rng.normal(size=(180, 16))
    rows = unit_rows(np.concatenate([np.full((180, 1), 0.5), tells, other], 1))
    fitted = learned.fit(rows, identities, Layout((16, 16), ()))
    assert isinstance(fitted, Blocks)
    square = fitted.matrix(rows, rows)
    np.fill_diagonal(square, -np.inf)
    assert (identities[square.argmax(1)] == identities).mean() > 0.9
    cosine = rows @ rows.T
    np.fill_diagonal(cosine, -np.inf)
    assert (identities[cosine.argmax(1)] == identities).mean() < 0.8
