"""The image tower: oriented edges in closed form, refined by a small convolutional network.

The first part needs no training: edge energy by orientation, pooled on a grid, compressed by a
square root and whitened on the training images; for colour images also pooled colour. The learned
part is added to it and starts at zero, so that epoch 0 of a run is the closed form and training can
only be kept if it retrieves unseen identities better. With few identities that matters: a network
trained from scratch on five classes forgets what tells the other five apart.

Source: Dalal and Triggs 2005, Histograms of oriented gradients; Arandjelovic and Zisserman 2012,
Three things everyone should know to improve object retrieval (square root).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.encode.image.prepare import ImagePrepare
from gemel.encode.modality import Prepare
from gemel.errors import ConfigError
from gemel.train.arrays import Arrays
from gemel.train.towers import Defaults, Trainable
from gemel.train.views.cut_and_mix import Splice
from gemel.train.views.image import ImageViews

if TYPE_CHECKING:
    from gemel.train.backbones.source import Source

N_ORIENTATIONS = 8
GRID = 6
WINDOW = 0.115
"""Standard deviation of a cell's window, as a share of the image's side."""
EDGE_SCALE = 0.05
"""Standard deviation of the derivative, as a share of the image's side."""
WHITENING = 0.25
"""Power of the spectrum that is divided out: 0 is plain PCA, 0.5 full whitening."""
DIMS = {"tiny": 48, "small": 128, "base": 256}
CHANNELS = {"tiny": 16, "small": 32, "base": 64}
EPSILON = 1e-5


def _windows(size: int) -> Tensor:
    """Gaussian weights of each pixel row in each grid cell, (GRID, size), rows sum to one."""
    centre = (torch.arange(GRID) + 0.5) * size / GRID - 0.5
    away = (torch.arange(size)[None, :] - centre[:, None]) / (WINDOW * size)
    weights = torch.exp(-0.5 * away**2)
    return weights / weights.sum(dim=1, keepdim=True)


def _derivatives(size: int) -> tuple[Tensor, Tensor]:
    """A Gaussian and its derivative along one side of an image, each as a product, (size, size).

    Beyond its border an image goes on as it ends. The matrices do what convolutions with kernels
    of two dimensions would, in a tenth of the products and more where images are large.
    """
    sigma = max(0.8, EDGE_SCALE * size)
    radius = math.ceil(3 * sigma)
    at = torch.arange(-radius, radius + 1, dtype=torch.float32)
    smooth = torch.exp(-0.5 * (at / sigma) ** 2)
    slope = -at * smooth
    seen = (torch.arange(size)[:, None] + torch.arange(-radius, radius + 1)).clamp(0, size - 1)
    products = (
        torch.zeros(size, size).scatter_add(1, seen, kernel.expand(size, -1))
        for kernel in (smooth / smooth.sum(), slope / slope.abs().sum())
    )
    return next(products), next(products)


class Descriptor(nn.Module):
    """Pooled edges, and colours of colour images: `image` to (b, n_features), nothing learned."""

    windows: Tensor
    smooth: Tensor
    slope: Tensor
    directions: Tensor

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.colour = channels == 3
        self.register_buffer("windows", _windows(size))
        for name, along in zip(("smooth", "slope"), _derivatives(size), strict=True):
            self.register_buffer(name, along)
        angle = torch.arange(N_ORIENTATIONS) * (2 * math.pi / N_ORIENTATIONS)
        directions = torch.stack([angle.cos(), angle.sin()], dim=1)
        self.register_buffer("directions", directions[:, :, None, None])
        self.n_features = GRID * GRID * (N_ORIENTATIONS + (3 if self.colour else 0))

    def energies(self, image: Tensor) -> Tensor:
        """Edge energy by orientation, (b, N_ORIENTATIONS, size, size).

        It falls with the fourth power of the cosine between an edge and an orientation.
        """
        grey = image.mean(dim=1, keepdim=True)
        across = self.smooth @ grey @ self.slope.T
        down = self.slope @ grey @ self.smooth.T
        slope = torch.cat([across, down], dim=1)
        energy = torch.sqrt((slope * slope).sum(dim=1, keepdim=True) + 1e-5)
        along = F.conv2d(slope / energy, self.directions)
        # Squared twice: ONNX Runtime takes a power number by number, a fifth of the whole tower.
        return energy * F.relu(along).square().square()

    def pooled(self, maps: Tensor) -> Tensor:
        """Maps (b, c, size, size) on the grid, (b, c * GRID * GRID)."""
        return torch.matmul(torch.matmul(self.windows, maps), self.windows.T).flatten(1)

    def forward(self, image: Tensor, energies: Tensor) -> Tensor:
        """(b, n_features), each group of features of length one."""
        edges = F.normalize(torch.sqrt(self.pooled(energies) + EPSILON), dim=1)
        if not self.colour:
            return edges
        return torch.cat([edges, F.normalize(self.pooled(image), dim=1)], dim=1)


class Halved(nn.Module):
    """Means of 2 x 2 pixels, or of those that there are at an odd border.

    A convolution in what is exported: ONNX Runtime takes a third of the time of a pool for it.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (b, c, h, w) to (b, c, h / 2, w / 2), rounded up."""
        if not torch.onnx.is_in_onnx_export():
            return F.avg_pool2d(maps, 2, ceil_mode=True)
        height, width = maps.shape[2:]
        if height % 2 or width % 2:
            maps = F.pad(maps, (0, width % 2, 0, height % 2), mode="replicate")
        each = torch.full((maps.shape[1], 1, 2, 2), 0.25, dtype=maps.dtype)
        return F.conv2d(maps, each, stride=2, groups=maps.shape[1])


class ImageTower(nn.Module):
    """`image` (b, c, size, size) to unit rows (b, dim).

    Args:
        prepare: says how large the images are and whether they have colours.
        arrays: prepared training images; the whitening is computed on them.
        size: `tiny`, `small` or `base`.
    """

    mean: Tensor
    whiten: Tensor

    def __init__(self, prepare: ImagePrepare, arrays: Arrays, *, size: str = "small") -> None:
        super().__init__()
        dim, c = DIMS[size], CHANNELS[size]
        self.describe = Descriptor(prepare.size, prepare.channels)
        self.register_buffer("mean", torch.zeros(self.describe.n_features))
        self.register_buffer("whiten", torch.zeros(self.describe.n_features, dim))
        self._fit_whitening(torch.from_numpy(arrays["image"]))
        layers: list[nn.Module] = []
        n_in, side = N_ORIENTATIONS + prepare.channels, prepare.size
        while side > 4:
            layers += [nn.Conv2d(n_in, c, 3, padding=1), nn.GroupNorm(8, c), nn.GELU()]
            layers += [Halved()]
            n_in, c, side = c, min(2 * c, 4 * CHANNELS[size]), -(-side // 2)
        self.refine = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(n_in * side * side, dim)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @torch.no_grad()
    def _fit_whitening(self, image: Tensor) -> None:
        parts = [self.describe(x, self.describe.energies(x)) for x in torch.split(image, 256)]
        features = torch.cat(parts).double()
        mean = features.mean(dim=0)
        centred = features - mean
        variance, axes = torch.linalg.eigh(centred.T @ centred / len(centred))
        variance, axes = variance.flip(0).clamp(min=0), axes.flip(1)
        # A floor keeps directions that hardly vary in training from being blown up.
        power = (variance + 0.5 * variance.mean() + 1e-12) ** -WHITENING
        n = min(self.whiten.shape)
        self.whiten[:, :n] = (axes * power)[:, :n].float()
        # Rows of about unit length, so that what is learned is added on a known scale.
        self.whiten /= (centred.float() @ self.whiten).norm(dim=1).mean().clamp(min=1e-6)
        self.mean.copy_(mean.float())

    def forward(self, image: Tensor) -> Tensor:
        """Unit rows, (b, dim) float32."""
        energies = self.describe.energies(image)
        closed_form = (self.describe(image, energies) - self.mean) @ self.whiten
        learned = self.head(self.refine(torch.cat([image, energies], dim=1)))
        return F.normalize(closed_form + learned, dim=1)


def _prepare(payloads: Sequence[Any], fields: tuple[Any, ...]) -> Prepare:
    return ImagePrepare.fit(payloads)


def _tower(prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
    if not isinstance(prepare, ImagePrepare):
        raise ConfigError(f"the image tower cannot take {prepare.modality!r} input")
    return ImageTower(prepare, arrays, size=size)


def _views(prepare: Prepare) -> ImageViews:
    return ImageViews()


def _on(source: Source) -> Trainable:
    from gemel.train.backbones.image import opened

    return opened(source)


IMAGE = Trainable(
    "image",
    prepare=_prepare,
    tower=_tower,
    views=_views,
    mix=Splice(),
    on=_on,
    sized=ImagePrepare.fit,
    defaults=Defaults(
        loss="infonce",
        identities_per_batch=16,
        views_per_identity=8,
        max_epochs=30,
        patience=15,
        learning_rate=3e-4,
        averaging=0.95,
    ),
)
