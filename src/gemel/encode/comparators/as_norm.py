"""Scores relative to those against a cohort: adaptive symmetric score normalisation (as-norm).

A record that looks like everybody gets high scores with strangers too. So a score counts from the
mean, and in spreads, of the scores that each side has with its most alike records of a cohort of
strangers. The cohort belongs to the release, like weights do: it is fixed, hashed, and never the
batch at hand, so a score depends on its two records alone.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.encode.comparators import FILE, Comparator, described
from gemel.errors import DataError, ReleaseError
from gemel.figures import number_of

COHORT = "comparator.cohort.npy"
CELLS = 1 << 22
LEAST_SPREAD = 1e-4
"""Even a cohort that is all alike divides by no less."""
TOP_SHARE = 0.2
MIN_COHORT = 10


@dataclass(frozen=True, eq=False)
class AsNorm:
    """A comparator, normalised by a cohort.

    Args:
        inner: gives the raw scores.
        cohort: (m, d) float32, unit rows of as many strangers.
        top: members of the cohort, the most alike, that a side is judged by; 2 or more.
    Source: Matejka et al. 2017, Analysis of score normalization in multilingual speaker
        recognition (adaptive S-norm, AS-Norm1); the least spread is ours.
    """

    inner: Comparator
    cohort: Float32
    top: int

    kind: ClassVar[str] = "as-norm"

    @property
    def cost(self) -> float:
        """The record that is compared is scored with the whole cohort first."""
        return self.inner.cost * (1 + len(self.cohort))

    def describe(self) -> str:
        """What a score is before the cohort levels it."""
        return self.inner.describe()

    def score(self, left: Float32, right: Float32) -> Float32:
        """Score of row i of left with row i of right: (n,) float32."""
        (mean_l, spread_l), (mean_r, spread_r) = self._level(left), self._level(right)
        raw = self.inner.score(left, right)
        return _normalised(raw, (mean_l, spread_l), (mean_r, spread_r))

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Score of every left row with every right row: (n, m) float32."""
        (mean_l, spread_l), (mean_r, spread_r) = self._level(left), self._level(right)
        raw = self.inner.matrix(left, right)
        return _normalised(
            raw, (mean_l[:, None], spread_l[:, None]), (mean_r[None], spread_r[None])
        )

    @cached_property
    def cohort_id(self) -> str:
        """SHA-256 of the cohort's file."""
        return hashlib.sha256(self._file).hexdigest()

    def save(self, folder: Path) -> None:
        """Write `comparator.json`, the cohort, and what the inner comparator needs."""
        self.inner.save(folder)
        inner = json.loads((folder / FILE).read_text())
        (folder / COHORT).write_bytes(self._file)
        spec = {"kind": self.kind, "cohort": self.cohort_id, "top": self.top, "inner": inner}
        (folder / FILE).write_text(json.dumps(spec))

    @classmethod
    def load(cls, folder: Path, spec: dict[str, Any]) -> AsNorm:
        """The comparator whose `comparator.json` said `spec`.

        Raises:
            ReleaseError: the cohort is missing, damaged or another.
        """
        path, inner = folder / COHORT, described(folder, spec.get("inner"))
        try:
            cohort = np.load(path, allow_pickle=False)
            found = cls(inner, np.ascontiguousarray(cohort, np.float32), int(spec["top"]))
            stated = spec["cohort"]
        except (OSError, ValueError, KeyError, TypeError, EOFError) as e:
            raise ReleaseError(f"no readable cohort: {e}", where=str(path)) from e
        if cohort.ndim != 2 or not 2 <= found.top <= len(cohort) or found.cohort_id != stated:
            raise ReleaseError(
                "another cohort than the comparator was made with",
                where=str(path),
                hint="build the release again",
            )
        return found

    @cached_property
    def _file(self) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(self.cohort, np.float32), allow_pickle=False)
        return buffer.getvalue()

    @cached_property
    def _least_spread(self) -> np.float32:
        """The median spread of the cohort's own scores with itself.

        Few alike neighbours give a tiny spread by chance, and dividing by it made strangers score
        highest: at FMR 1e-3, FNMR on FEBRL 3 names was .44 without this floor and .28 with it.
        """
        return np.float32(max(float(np.median(self._moments(self.cohort)[1])), LEAST_SPREAD))

    def _level(self, rows: Float32) -> tuple[Float32, Float32]:
        """Mean and spread of each row's scores with its most alike members: (n,) each."""
        n = len(rows)
        if n > 1 and rows.strides[0] == 0:  # one row, shown many times
            mean, spread = self._level(rows[:1])
            return np.broadcast_to(mean, n), np.broadcast_to(spread, n)
        mean, spread = self._moments(rows)
        return mean, np.maximum(spread, self._least_spread)

    def _moments(self, rows: Float32) -> tuple[Float32, Float32]:
        n, n_cohort = len(rows), len(self.cohort)
        mean, spread = np.empty(n, np.float32), np.empty(n, np.float32)
        step = max(1, CELLS // n_cohort)
        for start in range(0, n, step):
            at = slice(start, start + step)
            scores = self.inner.matrix(rows[at], self.cohort)
            nearest = np.partition(scores, n_cohort - self.top, axis=1)[:, -self.top :]
            mean[at], spread[at] = nearest.mean(axis=1), nearest.std(axis=1)
        return mean, spread


def _normalised(
    raw: Float32, left: tuple[Float32, Float32], right: tuple[Float32, Float32]
) -> Float32:
    score: Float32 = (raw - left[0]) / left[1]
    score += (raw - right[0]) / right[1]
    score /= 2
    return score


def choose(identities: Int64, size: int, seed: int) -> Int64:
    """Positions of one record each of randomly chosen identities, for a cohort.

    Args:
        identities: (n,) codes of records that no threshold is chosen or measured on; -1 unknown.
        size: identities wanted; fewer are taken if there are not so many.
        seed: of the choice.
    Raises:
        DataError: fewer than ten identities.
    """
    order = np.random.default_rng(seed).permutation(np.flatnonzero(identities >= 0))
    first = np.unique(identities[order], return_index=True)[1]
    picked = np.sort(order[np.random.default_rng(seed).permutation(first)[:size]])
    if len(picked) < MIN_COHORT:
        raise DataError(
            f"a cohort of {number_of(len(picked), 'identity')}, at least {MIN_COHORT} are needed",
            where="calibrate.cohort",
            hint="ask for more, or train on more; 0 switches it off",
        )
    return picked


def normalised(inner: Comparator, cohort: Float32) -> AsNorm:
    """A comparator normalised by the fifth of a cohort that is most alike."""
    return AsNorm(inner, cohort, max(2, round(TOP_SHARE * len(cohort))))
