"""What a set of embeddings looks like: spread, rank, and whether it has collapsed.

A profile knows nothing about identities or scores. Training stops on it, and a release carries it.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gemel.arrays import Float32
from gemel.errors import DataError

SIMILARITY_LIMIT = 0.985
RANK_LIMIT = 1.2


class Profile(msgspec.Struct, frozen=True):
    """Numbers that describe n embeddings of one space.

    Args:
        n: how many embeddings.
        dim: their dimension.
        mean_similarity: mean cosine of all pairs of different embeddings, in [-1, 1].
        effective_rank: exp of the entropy of the spectrum of the covariance, in [1, dim].
        pc1_share: share of the variance along the first principal component, in [0, 1].
        std_min: smallest standard deviation of a dimension.
        std_mean: mean standard deviation of a dimension.

    Source: Roy and Vetterli 2007, The effective rank.
    """

    n: int
    dim: int
    mean_similarity: float
    effective_rank: float
    pc1_share: float
    std_min: float
    std_mean: float

    @classmethod
    def of(cls, embeddings: Float32) -> Profile:
        """The profile of (n, d) float32 unit rows.

        Raises:
            DataError: fewer than two embeddings, or values that are not finite.

        Example:
            >>> Profile.of(np.eye(4, dtype=np.float32)).mean_similarity
            0.0
        """
        n, dim = embeddings.shape
        if n < 2:
            raise DataError(f"a profile needs two embeddings or more, there are {n}")
        if not np.isfinite(embeddings).all():
            raise DataError("embeddings are not finite", hint="look for NaN in the input")
        x = embeddings.astype(np.float64)
        total = x.sum(axis=0)
        centred = x - total / n
        # The smaller of the two Gram matrices has the same non-zero spectrum.
        gram = centred.T @ centred if dim <= n else centred @ centred.T
        spectrum = np.clip(np.linalg.eigvalsh(gram), 0.0, None)
        share = spectrum / spectrum.sum() if spectrum.sum() > 0 else np.ones(1)
        positive = share[share > 0]
        std = centred.std(axis=0)
        return cls(
            n=n,
            dim=dim,
            mean_similarity=float((total @ total - np.square(x).sum()) / (n * (n - 1))),
            effective_rank=float(np.exp(-(positive * np.log(positive)).sum())),
            pc1_share=float(share.max()),
            std_min=float(std.min()),
            std_mean=float(std.mean()),
        )

    def collapsed(self, *, n_identities: int | None = None) -> str | None:
        """Why this space cannot tell things apart, or None when it can.

        Args:
            n_identities: how many identities the embeddings are of. Two or three identities that
                are well apart fill one or two directions, which is no collapse.
        """
        if self.mean_similarity > SIMILARITY_LIMIT:
            return (
                f"all embeddings are nearly the same (mean similarity {self.mean_similarity:.4f})"
            )
        enough = self.dim > 2 and self.n > 3 and (n_identities is None or n_identities > 3)
        if enough and self.effective_rank < RANK_LIMIT:
            return (
                "all embeddings lie along one direction "
                f"(effective rank {self.effective_rank:.2f} of {self.dim})"
            )
        return None
