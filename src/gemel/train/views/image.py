"""Images as they might have been taken or drawn: turned, sheared, scaled, bent, lighter, darker.

One batch is also turned or mirrored as a whole, by the same quarter turns for every image: what
tells its identities apart stays, but the network sees eight times as many shapes. With few
training identities this is what makes it useful for unseen ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gemel.train.arrays import Arrays

BEND_POINTS = 4


@dataclass(frozen=True)
class ImageViews:
    """Random variants of prepared images.

    Args:
        turn: largest rotation, in radians.
        shear: largest shear.
        zoom: largest change of each side, as a log.
        shift: largest shift, as a share of half the side.
        bend: standard deviation of the elastic field at its control points, likewise.
        contrast: largest change of contrast, as a log.
        brightness: largest change of brightness, in standard deviations.
        symmetries: turn or mirror whole batches.
    """

    turn: float = 0.2
    shear: float = 0.25
    zoom: float = 0.15
    shift: float = 0.1
    bend: float = 0.05
    contrast: float = 0.3
    brightness: float = 0.2
    symmetries: bool = True

    def __call__(self, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        """The batch `image` (b, c, h, w), each image varied on its own."""
        image = torch.from_numpy(arrays["image"])
        b, _, height, width = image.shape
        grid = F.affine_grid(self._affine(b, rng), [b, 1, height, width], align_corners=False)
        grid = grid + self._bent(b, height, width, rng)
        varied = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
        gain = torch.exp(_spread(b, self.contrast, rng))[:, None, None, None]
        offset = _spread(b, self.brightness, rng)[:, None, None, None]
        return {**arrays, "image": (varied * gain + offset).numpy()}

    def _affine(self, b: int, rng: np.random.Generator) -> Tensor:
        """From positions in a view to positions in the image, (b, 2, 3)."""
        angle, shear = _spread(b, self.turn, rng), _spread(b, self.shear, rng)
        zoom_x, zoom_y = (torch.exp(_spread(b, self.zoom, rng)) for _ in "xy")
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros(b)
        turn = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
        scale = torch.stack([torch.stack([zoom_x, shear], 1), torch.stack([zero, zoom_y], 1)], 1)
        linear = turn @ scale
        if self.symmetries:
            linear = linear @ symmetry(int(rng.integers(8)))
        shift = torch.stack([_spread(b, self.shift, rng), _spread(b, self.shift, rng)], 1)
        return torch.cat([linear, shift[:, :, None]], 2)

    def _bent(self, b: int, height: int, width: int, rng: np.random.Generator) -> Tensor:
        """A smooth random field of offsets, (b, height, width, 2)."""
        knots = rng.standard_normal((b, 2, BEND_POINTS, BEND_POINTS), dtype=np.float32)
        field = F.interpolate(
            torch.from_numpy(knots * np.float32(self.bend)),
            size=(height, width),
            mode="bicubic",
            align_corners=True,
        )
        return field.permute(0, 2, 3, 1)


def symmetry(number: int) -> Tensor:
    """One of the eight symmetries of a square, (2, 2): four quarter turns, plain and mirrored."""
    angle = number % 4 * math.pi / 2
    cos, sin = round(math.cos(angle)), round(math.sin(angle))
    mirrored = -1.0 if number >= 4 else 1.0
    return torch.tensor([[cos * mirrored, -sin], [sin * mirrored, cos]], dtype=torch.float32)


def _spread(b: int, largest: float, rng: np.random.Generator) -> Tensor:
    """(b,) float32, uniform in [-largest, largest]."""
    return torch.from_numpy(rng.uniform(-largest, largest, b).astype(np.float32))
