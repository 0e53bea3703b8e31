"""The plug point for comparators: from two embeddings to a score, higher is more alike.

A comparator is part of a release, not of the space: a new one needs no re-embedding. It is
symmetric, and scores one pair the same alone or in a block. Engines only propose candidates; the
comparator has the last word on their scores. Whatever is registered under the entry point group
`gemel.comparators` passes `gemel.testing.check_comparator`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from gemel.arrays import Float32
from gemel.errors import ReleaseError
from gemel.registry import Registry

FILE = "comparator.json"
COSINE = "cosine"
REGISTRY = Registry(
    "comparator",
    "gemel.comparators",
    {
        COSINE: "gemel.encode.comparators.cosine:Cosine",
        "blocks": "gemel.encode.comparators.blocks:Blocks",
        "pairwise": "gemel.encode.comparators.pairwise:Pairwise",
        "kinds": "gemel.encode.comparators.kinds:Kinds",
        "as-norm": "gemel.encode.comparators.as_norm:AsNorm",
    },
    error=ReleaseError,
)
"""Classes by kind; each has `load(folder, spec)`, which gives what `spec` in its file describes."""


class Scorer(Protocol):
    """Scores pairs of embeddings: all that it takes to be measured."""

    def score(self, left: Float32, right: Float32) -> Float32:
        """Score of row i of left with row i of right: (n, d), (n, d) -> (n,) float32."""

    def matrix(self, left: Float32, right: Float32) -> Float32:
        """Score of every left row with every right row: (n, d), (m, d) -> (n, m) float32."""


class Comparator(Scorer, Protocol):
    """A scorer that a release can carry."""

    @property
    def kind(self) -> str:
        """The name it is registered by, and `kind` in its file."""

    @property
    def cost(self) -> float:
        """What a comparison costs, in cosines; above 1, many classes are shortlisted first."""

    @property
    def cohort_id(self) -> str | None:
        """SHA-256 of the cohort that scores are relative to; None if they stand alone."""

    def describe(self) -> str:
        """What a score is, before a cohort levels it, in a few words for people."""

    def save(self, folder: Path) -> None:
        """Write `comparator.json`, with its `kind`, and what it names: files `comparator.*`."""


@runtime_checkable
class ReadsPayloads(Protocol):
    """What a comparator that looks at both payloads at once, as a cross-encoder does, has beside.

    A gallery keeps embeddings and no payloads, and so does the study of a release. There such a
    comparator is asked for `score` and `matrix`, and raises `payloads_needed`.
    """

    def score_payloads(self, left: Sequence[Any], right: Sequence[Any]) -> Float32:
        """Score of payload i of left with payload i of right: (n,) float32."""


@runtime_checkable
class Keeps(Protocol):
    """What a comparator has beside that compares a query more quickly with rows that it has seen.

    A gallery asks once for what is kept of each row, and computes the scores of a search from it.
    """

    def keep(self, rows: Float32) -> Float32:
        """What is kept of (n, d) rows: (n, c) float32, each from its own row alone."""

    def against(self, row: Float32, rows: Float32, kept: Float32) -> Float32:
        """Score of a (d,) row with (n, d) rows of which (n, c) is kept: (n,) float32."""


def score_pairs(
    comparator: Comparator,
    rows: Float32,
    payloads: Sequence[Any],
    left: Sequence[int],
    right: Sequence[int],
) -> Float32:
    """Scores of pairs whose payloads are at hand, (n,) float32.

    Args:
        comparator: reads whichever of the two it is made for.
        rows: (m, d) embeddings.
        payloads: what they are embeddings of.
        left: n positions of one side of each pair.
        right: the same of the other side.
    """
    if hasattr(comparator, "score_payloads"):  # isinstance of a Protocol: 25 us of each request
        reads = cast(ReadsPayloads, comparator)
        return reads.score_payloads([payloads[i] for i in left], [payloads[i] for i in right])
    return comparator.score(rows[list(left)], rows[list(right)])


def payloads_needed(kind: str) -> ReleaseError:
    """What a comparator raises that is asked for a score of embeddings alone."""
    return ReleaseError(
        f"comparator {kind!r} reads payloads, and only embeddings are at hand here",
        hint="verify pairs with it; search, records and calibration need one of embeddings",
    )


def load(folder: Path) -> Comparator:
    """The comparator that a folder describes.

    Raises:
        ReleaseError: there is none, or it is of a kind that neither gemel nor a package knows.
    """
    path = folder / FILE
    try:
        spec = json.loads(path.read_text())
    except (OSError, ValueError) as e:
        raise ReleaseError(f"no readable comparator: {e}", where=str(path)) from e
    return described(folder, spec)


def described(folder: Path, spec: Any) -> Comparator:
    """The comparator of a specification, whose other files are in the folder.

    Raises:
        ReleaseError: of no known kind, or a file is missing or damaged.
    """
    path = str(folder / FILE)
    if not isinstance(spec, dict) or not isinstance(spec.get("kind"), str):
        raise ReleaseError("no kind of comparator is named", where=path)
    comparator: Comparator = REGISTRY.load(spec["kind"], where=path).load(folder, spec)
    return comparator
