"""Layers that keep what goes into them and nothing else, and run again in the backward pass.

Memory then grows with one layer's activations instead of with those of all, for about a third more
time.

Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from gemel.errors import ConfigError

ASKED = "gradient_checkpointing"
"""What layers of `transformers` look at."""


def recompute(tower: nn.Module) -> None:
    """Have the layers of a pretrained network run again in the backward pass, while it trains.

    Raises:
        ConfigError: it has no layers that can.
    """
    layers: list[Any] = [m for m in tower.modules() if hasattr(m, ASKED)]
    if not layers:
        raise ConfigError(
            "the layers of this network cannot run again in the backward pass",
            where=f"train.{ASKED}",
            hint="train.chunk = 8 keeps the activations of so many records at a time instead",
        )
    for layer in layers:
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
