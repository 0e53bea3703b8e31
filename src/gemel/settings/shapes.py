"""What settings are made of: a section, and ranges that several have."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Ratio = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[float, Meta(gt=0)]
LEAST_SHARE = 1e-15
"""Among a billion records, each with one mate, a share of 1e-9 of all pairs is genuine; with shares
from 1e-300 down, odds come to nothing and probabilities to no number."""
Share = Annotated[float, Meta(ge=LEAST_SHARE, lt=1)]
"""Neither none nor all."""
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of `gemel.toml`."""
