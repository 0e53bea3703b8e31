"""A network that learns with its products in bfloat16: half the memory, on hardware that has them.

Weights, their gradients and what the optimizer keeps stay float32, and so do the rows that a loss
is taken of; what is judged and exported runs in float32 altogether.

Source: Micikevicius et al. 2018, Mixed Precision Training; Kalamkar et al. 2019, A Study of
BFLOAT16 for Deep Learning Training (no scaling of the loss is needed).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class InBfloat16(nn.Module):
    """A tower that multiplies in bfloat16.

    Args:
        tower: takes arrays by name, gives (b, d) unit rows.
        device: that it is on.
    """

    def __init__(self, tower: nn.Module, device: str) -> None:
        super().__init__()
        self.tower = tower
        self.device_type = torch.device(device).type

    def forward(self, **inputs: Tensor) -> Tensor:
        """Unit rows, (b, d) float32."""
        with torch.autocast(self.device_type, torch.bfloat16):
            rows = self.tower(**inputs)
        return F.normalize(rows.float(), dim=1)
