"""The image tower: what it computes is what its sources say, however it is written down."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F

from gemel.train import export
from gemel.train.towers.image import EDGE_SCALE, Descriptor, ImageTower


@pytest.mark.parametrize(("size", "channels"), [(9, 1), (28, 1), (32, 3)])
def test_edges_are_derivatives_of_a_gaussian(size: int, channels: int) -> None:
    """Against convolutions with its kernels of two dimensions, beyond the border as it ends."""
    image = torch.from_numpy(np.random.default_rng(0).random((3, channels, size, size), np.float32))
    sigma = max(0.8, EDGE_SCALE * size)
    radius = int(np.ceil(3 * sigma))
    at = torch.arange(-radius, radius + 1, dtype=torch.float32)
    bell = torch.exp(-0.5 * (at / sigma) ** 2)
    bell, slope = bell / bell.sum(), (-at * bell) / (at * bell).abs().sum()
    kernels = torch.stack([torch.outer(bell, slope), torch.outer(slope, bell)])[:, None]
    grey = F.pad(image.mean(dim=1, keepdim=True), (radius,) * 4, mode="replicate")
    x, y = F.conv2d(grey, kernels).unbind(1)
    strength = torch.sqrt(x * x + y * y + 1e-5)
    angles = torch.arange(8) * (2 * np.pi / 8)
    expected = torch.stack(
        [strength * ((x * a.cos() + y * a.sin()) / strength).clamp(min=0) ** 4 for a in angles], 1
    )
    torch.testing.assert_close(
        Descriptor(size, channels).energies(image), expected, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("size", [21, 28, 32])
def test_no_operator_of_the_exported_network_is_a_pool(size: int) -> None:
    """They are slow in ONNX Runtime. `export` holds what stands for them against torch's own."""
    torch.manual_seed(0)
    arrays = {"image": np.random.default_rng(1).random((6, 1, size, size), np.float32)}
    tower = ImageTower(SimpleNamespace(size=size, channels=1), arrays, size="tiny")  # type: ignore[arg-type]
    torch.nn.init.normal_(tower.head.weight, std=0.1)
    network, difference = export.export(tower, arrays)
    operators = {node.op_type for node in onnx.load_from_string(network).graph.node}
    assert "Conv" in operators and not {o for o in operators if o.endswith("Pool")}
    assert difference < 1e-5
