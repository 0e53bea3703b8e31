"""Records of different lengths learn what they would learn together, with less padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.encode.ragged import THERE
from gemel.train.scale import gradients


class Mean(nn.Module):
    """The mean vector of the words of a text; notes how much it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 8)
        self.mix = nn.Linear(8, 8)
        self.n_places = 0

    def forward(self, token: Tensor, there: Tensor) -> Tensor:
        self.n_places += token.numel()
        weight = there[..., None].to(torch.float32)
        mean = (torch.tanh(self.mix(self.table(token))) * weight).sum(1) / weight.sum(1)
        return F.normalize(mean, dim=1)


def batch() -> dict[str, Tensor]:
    """Forty texts of 2 to 200 words, long and short ones in turn."""
    generator = torch.Generator().manual_seed(0)
    n = torch.randint(2, 30, (40,), generator=generator)
    n[::7] = 200
    there = (torch.arange(200) < n[:, None]).to(torch.uint8)
    token = torch.randint(0, 50, (40, 200), generator=generator) * there
    return {"token": token, THERE: there}


def test_runs_of_like_length_have_the_rows_and_gradients_of_the_whole_batch() -> None:
    torch.manual_seed(0)
    net, inputs = Mean(), batch()
    aim = torch.randn(40, 8)
    found = []
    for forward in (lambda: (net(**inputs), None), lambda: gradients.forward(net, inputs, 0)):
        net.zero_grad()
        net.n_places = 0
        rows, _ = forward()
        (rows * aim).sum().backward()
        slopes = torch.cat([p.grad.reshape(-1) for p in net.parameters()])
        found.append((rows.detach(), slopes, net.n_places))
    (rows, slopes, n_places), (others, other_slopes, n_fewer) = found
    assert torch.allclose(rows, others, atol=1e-6)
    assert torch.allclose(slopes, other_slopes, atol=1e-6 * float(slopes.abs().max()))
    assert n_fewer < n_places / 2
