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
Share = Annotated[float, Meta(gt=0, lt=1)]
"""Neither none nor all."""
LEAST_PRIOR = 1e-12
"""More pairs than any use compares; far below it, rates are lost to rounding."""
Prior = Annotated[float, Meta(ge=LEAST_PRIOR, le=1 - LEAST_PRIOR)]
"""A share of genuine pairs, as somebody names it."""
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of `gemel.toml`."""
