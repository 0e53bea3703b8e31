"""What a user asks of the decisions of a release: one struct, kept in its evidence."""

from __future__ import annotations

import msgspec

from gemel.calibrate.thresholds import Target
from gemel.errors import ConfigError


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """What the decisions of a release have to reach.

    Args:
        verify: goal of the threshold for one comparison.
        search: goal for a candidate of a search; None = the same threshold. With kind `fpir` the
            threshold grows with the gallery, up to `gallery_size` (None: as far as data prove).
        valid_days: days until the thresholds should be measured again.
    Raises:
        ConfigError: a goal of searches for one comparison, or no days.
    """

    verify: Target = Target()
    search: Target | None = None
    valid_days: int = 365

    def __post_init__(self) -> None:
        if self.verify.kind == "fpir":
            raise ConfigError(
                "an FPIR is of a search, not of one comparison",
                where="goals.verify",
                hint="give it as the goal of the search",
            )
        if self.valid_days < 1:
            raise ConfigError(f"valid for {self.valid_days} days", where="calibrate.valid_days")
