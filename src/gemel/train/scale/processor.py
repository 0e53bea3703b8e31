"""Where a network learns: the CPU, or a card that torch sees. What is exported runs on any CPU."""

from __future__ import annotations

import torch

from gemel.errors import ConfigError
from gemel.settings import Device
from gemel.train.scale import ranks


def chosen(named: Device | None) -> Device:
    """The device that training takes.

    Args:
        named: by the settings; None: a card if torch sees one and one process trains, else the CPU.
    Raises:
        ConfigError: a card is named, and there is none that training can take.
    """
    if named == "cpu" or (named is None and ranks.are_launched()):
        return "cpu"
    seen = torch.cuda.is_available()
    if named == "cuda" and ranks.are_launched():
        raise ConfigError(
            "processes of torchrun share a batch on CPUs only",
            where="train.device",
            hint='start one process without torchrun, or say train.device = "cpu"',
        )
    if named == "cuda" and not seen:
        built = torch.version.cuda
        raise ConfigError(
            f"torch {torch.__version__} "
            + ("sees no card" if built else "was built without support for cards"),
            where="train.device",
            hint='leave train.device out, or say train.device = "cpu"; nvidia-smi lists cards, '
            "and torch for them is on pytorch.org",
        )
    return "cuda" if seen else "cpu"
