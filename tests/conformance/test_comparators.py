"""Every comparator, shipped or added by a package, holds what a release relies on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gemel.arrays import Float32, unit_rows
from gemel.encode import comparators
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.as_norm import normalised
from gemel.encode.comparators.blocks import Blocks
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.comparators.kinds import Kinds, Scale
from gemel.encode.comparators.pairwise import Pairwise
from gemel.errors import ReleaseError
from gemel.testing import check_comparator

PLUGIN = (Path(__file__).parents[1] / "plugged_comparators.py").read_text()
NAMES = ("anna", "bert", "carl", "dora", "emil", "fritz", "gerda", "hans", "ida")


@pytest.fixture
def rows() -> Float32:
    return unit_rows(np.random.default_rng(0).normal(size=(30, 9)))


def layers() -> tuple[tuple[Float32, Float32], ...]:
    """More agreement is never less: the weights of cosines are not negative."""
    rng = np.random.default_rng(2)
    sizes = ((7, 5), (5, 1))
    return tuple(
        (rng.uniform(0, 1, size=s).astype(np.float32), np.zeros(s[1], np.float32)) for s in sizes
    )


def pairwise_weights() -> tuple[Float32, ...]:
    """Products count for a match, differences against it."""
    rng = np.random.default_rng(3)
    signs = np.concatenate([np.ones(4), -np.ones(4), np.ones(1)])[:, None]
    hidden = rng.uniform(0, 1, (9, 5)) * signs
    parts = (rng.normal(size=(9, 4)), hidden, rng.normal(size=5), np.ones(5), [10.0, -5.0])
    return tuple(np.asarray(part, np.float32) for part in parts)


def by_kind(kind: str) -> Comparator:
    made: dict[str, Comparator] = {
        "cosine": Cosine(),
        "blocks": Blocks((4, 4), (), layers()),
        "pairwise": Pairwise(*pairwise_weights()),
        "kinds": Kinds(Scale(0.3, 0.5), Scale(0.1, 0.8)),
        "as-norm": normalised(Cosine(), unit_rows(np.random.default_rng(1).normal(size=(50, 9)))),
    }
    return made[kind]


@pytest.mark.parametrize("kind", comparators.REGISTRY.names())
def test_what_gemel_ships_conforms(kind: str, rows: Float32, tmp_path: Path) -> None:
    check_comparator(by_kind(kind), rows, tmp_path)


def test_a_package_can_add_one(install, rows: Float32, tmp_path: Path) -> None:
    install("near", PLUGIN, "gemel.comparators", near="Near")
    near = comparators.described(tmp_path, {"kind": "near"})
    check_comparator(near, rows, tmp_path)
    around, folder = normalised(near, rows[:20]), tmp_path / "around"
    folder.mkdir()
    check_comparator(around, rows, folder)


def test_a_package_can_add_one_that_reads_payloads(install, rows: Float32, tmp_path: Path) -> None:
    install("letters", PLUGIN, "gemel.comparators", letters="Letters")
    letters = comparators.described(tmp_path, {"kind": "letters"})
    payloads = [{"first": name} for name in NAMES]
    check_comparator(letters, rows[: len(NAMES)], tmp_path, payloads=payloads)
    with pytest.raises(ReleaseError, match="reads payloads, and only embeddings are at hand"):
        normalised(letters, rows).score(rows, rows)


def test_an_unknown_kind_names_the_known_ones_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "comparator.json").write_text('{"kind": "cross-encoder"}')
    with pytest.raises(ReleaseError, match="unknown comparator 'cross-encoder'") as caught:
        comparators.load(tmp_path)
    assert caught.value.where.endswith("comparator.json")
    assert "as-norm, blocks, cosine" in caught.value.hint


@pytest.mark.parametrize("text", ["[]", '{"kind": 3}', '{"kind": "as-norm", "inner": 1}'])
def test_a_file_that_describes_no_comparator_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "comparator.json").write_text(text)
    with pytest.raises(ReleaseError, match="no kind of comparator"):
        comparators.load(tmp_path)


@dataclass(frozen=True)
class Broken(Cosine):
    """A cosine with one thing wrong."""

    wrong: str

    def score(self, left: Float32, right: Float32) -> Float32:
        found = super().score(left, right)
        if self.wrong == "distance":
            return 1 - found
        if self.wrong == "one-sided":
            return found + left[:, 0]
        if self.wrong == "of its block":
            return found - found.mean()
        return found

    def matrix(self, left: Float32, right: Float32) -> Float32:
        found = super().matrix(left, right)
        return found + 1 if self.wrong == "matrix" else found

    def keep(self, rows: Float32) -> Float32:
        away = rows.mean(axis=0) if self.wrong == "kept of its block" else 0
        return rows - away

    def against(self, row: Float32, rows: Float32, kept: Float32) -> Float32:
        return kept @ row

    def save(self, folder: Path) -> None:
        super().save(folder)
        if self.wrong == "file":
            (folder / "weights.npy").write_bytes(b"")

    @classmethod
    def load(cls, folder: Path, spec: dict[str, Any]) -> Cosine:
        return Cosine()


WRONG = ["distance", "one-sided", "of its block", "matrix", "kept of its block", "file"]


@pytest.mark.parametrize("wrong", WRONG)
def test_the_suite_catches_a_broken_one(wrong: str, rows: Float32, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        check_comparator(Broken(wrong), rows, tmp_path)
