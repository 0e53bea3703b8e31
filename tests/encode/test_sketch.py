"""A sketch agrees with the angle, whoever else is in its batch."""

from __future__ import annotations

import numpy as np
import pytest

from gemel.arrays import Float32, unit_rows
from gemel.encode.sketch import Sketch
from gemel.errors import ConfigError


def pairs(n: int, dim: int) -> tuple[Float32, Float32]:
    rng = np.random.default_rng(0)
    left = rng.standard_normal((n, dim))
    right = left + rng.gamma(1, 1, (n, 1)) * rng.standard_normal((n, dim))
    return unit_rows(left), unit_rows(right)


@pytest.mark.parametrize(("dim", "bits"), [(16, 64), (100, 256), (128, 512), (300, 256)])
def test_equal_bits_fall_with_the_angle(dim: int, bits: int) -> None:
    left, right = pairs(3000, dim)
    angle = np.arccos(np.einsum("ij,ij->i", left, right).clip(-1, 1)) / np.pi
    score = Sketch(bits).score(left, right)
    assert np.corrcoef(score, 1 - 2 * angle)[0, 1] > 0.85
    assert abs(np.mean(score - (1 - 2 * angle))) < 0.03
    assert np.abs(score - (1 - 2 * angle)).mean() < 0.9 / np.sqrt(min(bits, dim * 2))


def test_a_sketch_does_not_depend_on_its_batch() -> None:
    left, right = pairs(200, 96)
    sketch = Sketch(256)
    together = sketch.of(left)
    assert together.shape == (4, 200)
    alone = np.concatenate([sketch.of(row[None]) for row in left], axis=1)
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(sketch.matrix(left, right).diagonal(), sketch.score(left, right))
    np.testing.assert_array_equal(sketch.matrix(left, right), sketch.matrix(right, left).T)


def test_distance_counts_bits() -> None:
    rng = np.random.default_rng(1)
    words = rng.integers(0, 2**63, (3, 50)).astype(np.uint64)
    found = Sketch(192).distance(words[:, 7], words)
    bits = np.unpackbits(np.ascontiguousarray(words.T).view(np.uint8), axis=1)
    np.testing.assert_array_equal(found, (bits != bits[7]).sum(axis=1))


def test_bits_come_in_whole_words() -> None:
    for bits in (0, 65, 8192):
        with pytest.raises(ConfigError, match="bits"):
            Sketch(bits)
