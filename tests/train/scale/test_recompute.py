"""Layers that run again in the backward pass: the same gradients, next to nothing kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gemel.errors import ConfigError
from gemel.train.scale.recompute import recompute


class Read(nn.Module):
    """Texts by a small transformer, with dropout as it trains."""

    def __init__(self) -> None:
        from transformers import BertConfig, BertModel

        super().__init__()
        config = BertConfig(
            vocab_size=50,
            hidden_size=32,
            num_hidden_layers=6,
            num_attention_heads=2,
            intermediate_size=64,
            attn_implementation="eager",
        )
        self.transformer = BertModel(config, add_pooling_layer=False)

    def forward(self, token: Tensor) -> Tensor:
        hidden = self.transformer(input_ids=token).last_hidden_state
        return nn.functional.normalize(hidden.mean(dim=1), dim=1)


@pytest.mark.parametrize("bf16", [False, True])
def test_gradients_are_the_same_and_fewer_activations_are_kept(bf16: bool) -> None:
    token = torch.randint(50, (4, 12), generator=torch.Generator().manual_seed(0))
    gradients, kept = [], []
    for again in (False, True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            tower = Read().train()
            if again:
                recompute(tower)
            sizes: list[int] = []

            def pack(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
                sizes.append(tensor.numel() * tensor.element_size())
                return tensor

            with (
                torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
                torch.autocast("cpu", torch.bfloat16, enabled=bf16),
            ):
                rows = tower(token)
            (rows.float() @ rows[:1].float().T).exp().sum().backward()
        gradients.append(torch.cat([p.grad.reshape(-1) for p in tower.parameters()]))
        kept.append(sum(sizes))
    assert (gradients[0] - gradients[1]).abs().max() <= 1e-6
    assert gradients[0].abs().max() > 1e-2
    assert kept[1] < kept[0] / 5


def test_a_network_without_such_layers_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot run again") as caught:
        recompute(nn.Linear(2, 2))
    assert "train.chunk" in caught.value.hint
