"""Low-rank additions to the layers of a pretrained network, and the network with them added in.

Only the additions are trained, a hundredth of the weights or so. Before the network is exported
they are added to the weights that they belong to: a release knows nothing of them.

Source: Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from gemel.errors import ConfigError

RANK, ALPHA = 16, 32


def adapted(network: Any) -> Any:
    """The network with additions to its layers, which alone have gradients.

    They go to all linear layers, or, where there are none, to all convolutions of whole channels.

    Raises:
        ConfigError: `peft` is not installed, or finds no layer that it knows.
    """
    try:
        import peft
    except ImportError as e:
        raise ConfigError(
            'train.tune = "lora" needs the package peft',
            where="train.tune",
            hint="pip install 'gemel[lora]'",
        ) from e
    layers = list(network.named_modules())
    names = [name for name, m in layers if isinstance(m, nn.Linear)]
    names = names or [n for n, m in layers if isinstance(m, nn.Conv2d) and m.groups == 1]
    said = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=names)
    try:
        return peft.inject_adapter_in_model(said, network)
    except ValueError as e:
        hint = 'train.tune = "head" or "all" takes any network'
        raise ConfigError(f"no additions: {e}", where="train.tune", hint=hint) from e


def merged(network: Any) -> Any:
    """The network with its additions added in; one without any as it is."""
    added = {n: m for n, m in network.named_modules() if hasattr(m, "get_base_layer")}
    for name, layer in added.items():
        layer.merge()
        network.set_submodule(name, layer.get_base_layer())
    return network
