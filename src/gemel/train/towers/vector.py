"""The tower for numeric vectors: standardised principal components, refined by a small network.

Like the image tower it starts as a closed form, so that training has to be better than it to be
kept. The first coordinate is constant: it gives rows of zeros a direction, and lets the length of a
vector count as well as its direction.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.arrays import Float32

CONSTANT = 0.5


class VectorTower(nn.Module):
    """`vector` (b, d) float32 to unit rows (b, 1 + dim).

    Args:
        vectors: (n, d) training vectors, for mean, scale and principal components.
        dim: learned coordinates; at most d of them start as components.
        hidden: width of the hidden layer.
    """

    mean: Tensor
    scale: Tensor
    components: Tensor

    def __init__(self, vectors: Float32, *, dim: int, hidden: int) -> None:
        super().__init__()
        x = torch.from_numpy(vectors).double()
        mean, std = x.mean(dim=0), x.std(dim=0, correction=0)
        std = torch.where(std > 1e-9 * (1 + mean.abs()), std, torch.ones_like(std))
        z = (x - mean) / std
        _, axes = torch.linalg.eigh(z.T @ z / len(z))
        n = min(dim, x.shape[1])
        components = torch.zeros(x.shape[1], dim, dtype=torch.float64)
        components[:, :n] = axes.flip(1)[:, :n]
        components /= (z @ components).norm(dim=1).mean().clamp(min=1e-6)
        self.register_buffer("mean", mean.float())
        self.register_buffer("scale", (1 / std).float())
        self.register_buffer("components", components.float())
        self.hidden = nn.Linear(x.shape[1], hidden)
        self.head = nn.Linear(hidden, dim)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, vector: Tensor) -> Tensor:
        """Unit rows, (b, 1 + dim)."""
        z = (vector - self.mean) * self.scale
        coordinates = z @ self.components + self.head(F.gelu(self.hidden(z)))
        constant = torch.full_like(coordinates[:, :1], CONSTANT)
        return F.normalize(torch.cat([constant, coordinates], dim=1), dim=1)
