"""An exported network is its arithmetic and nothing of the machine it was trained on."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from gemel.train import export


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, vector: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.layer(vector), dim=1)


def test_the_network_says_nothing_of_where_it_was_trained() -> None:
    """A path in it would make another space of the same weights in another checkout."""
    torch.manual_seed(0)
    arrays = {"vector": np.ones((3, 4), np.float32)}
    network, difference = export.export(Tower(), arrays)
    assert difference <= export.TOLERANCE
    for place in (Path(__file__), Path(export.__file__), Path(torch.__file__)):
        assert str(place.parent).encode() not in network
    assert b"stack_trace" not in network
    assert b"File " not in network
