"""EfficientNet-Lite0, so that its published weights can be read without the package they ship in.

Without squeeze-and-excitation and with ReLU6, as made for small devices. Names of layers are those
of the weights' file; padding is TensorFlow's "same", which they were trained with.

Source: Tan and Le 2019, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks;
    the Lite variants by Liu, 2020.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEM, FEATURES = 32, 1280
EPSILON = 1e-3


class Stage(NamedTuple):
    """Blocks of one kind: how many, kernel, stride of the first, expansion, channels out."""

    n: int
    kernel: int
    stride: int
    expand: int
    out: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class Same(nn.Conv2d):
    """A convolution padded so that its output is the input's size over the stride, rounded up."""

    def forward(self, input: Tensor) -> Tensor:
        """(b, c, h, w) to (b, out, ceil(h / stride), ceil(w / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        more = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in input.shape[2:]]
        high, wide = more
        sides = [wide // 2, wide - wide // 2, high // 2, high - high // 2]
        return super().forward(F.pad(input, sides))


class Block(nn.Module):
    """Expand, look at each channel for itself, project; added to the input where shapes allow."""

    def __init__(self, n_in: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = n_in * stage.expand
        self.expands = stage.expand > 1
        if self.expands:
            self._expand_conv = Same(n_in, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=EPSILON)
        self._depthwise_conv = Same(wide, wide, stage.kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=EPSILON)
        self._project_conv = Same(wide, stage.out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(stage.out, eps=EPSILON)
        self.adds = stride == 1 and n_in == stage.out

    def forward(self, x: Tensor) -> Tensor:
        """(b, n_in, h, w) to (b, out, h / stride, w / stride)."""
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        out: Tensor = y + x if self.adds else y
        return out


class Lite0(nn.Module):
    """RGB images (b, 3, s, s), of values (v - 127) / 128, to features (b, 1280)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = Same(3, STEM, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(STEM, eps=EPSILON)
        blocks, n_in = [], STEM
        for stage in STAGES:
            for i in range(stage.n):
                blocks.append(Block(n_in, stage, stage.stride if i == 0 else 1))
                n_in = stage.out
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = Same(n_in, FEATURES, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(FEATURES, eps=EPSILON)

    def forward(self, image: Tensor) -> Tensor:
        """Mean over the image of the last features."""
        x = F.relu6(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))


def load(path: Path) -> Lite0:
    """The network with the weights of a file; its classifier is left out."""
    found = torch.load(path, weights_only=True, map_location="cpu")
    network = Lite0()
    network.load_state_dict({k: v for k, v in found.items() if not k.startswith("_fc.")})
    return network.eval()
