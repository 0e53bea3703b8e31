"""What decisions are for, and how rare genuine pairs are there: a decision by a threshold is not
worth the same where two things are held up against each other and where all of a set are.
"""

from __future__ import annotations

import msgspec
import numpy as np

from gemel.arrays import Int64
from gemel.errors import ConfigError
from gemel.figures import number_of
from gemel.settings import For
from gemel.settings.shapes import LEAST_PRIOR

EVEN = 0.5
"""Share of genuine pairs where two things are held up against each other, if nobody names one."""

MEASURES: dict[For | None, tuple[str, ...]] = {
    None: ("f1", "precision", "recall"),
    "verify": ("fmr", "fnmr"),
    "search": ("precision", "recall"),
    "duplicates": ("precision", "recall"),
}
"""What an operating point is judged by in each use, and where none was named."""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What decisions are for.

    Args:
        kind: `verify`: are these two the same? `search`: which of a gallery is this? `duplicates`:
            which of a set are the same?
        records: in the gallery or in the set; None where the share of genuine pairs was named.
    Raises:
        ConfigError: a size that does not go with it.
    """

    kind: For
    records: int | None = None

    def __post_init__(self) -> None:
        if self.records is not None and (self.kind == "verify" or self.records < 2):
            some = number_of(self.records, "record does", "records do")
            raise ConfigError(
                f"{some} not go with the use {self.kind}",
                where="calibrate.gallery_size",
                hint="a size of 2 or more goes with search and duplicates",
            )

    def share(self, identities: Int64) -> float | None:
        """The share of genuine pairs in this use, by records of its kind; None if none is known.

        Each record has about as many mates whatever the size of a set, so that the share falls as
        one over the number of records. Those without a known identity are taken to have as many
        (`release.make.in_part` says how far off that may be).

        Args:
            identities: (n,) int64 codes of the records, below 0 where unknown.
        Example:
            >>> codes = np.array([0, 0, 1, 1, 2, 2])
            >>> Use(kind="search", records=101).share(codes), Use(kind="verify").share(codes)
            (0.01, 0.5)
        """
        if self.kind == "verify":
            return EVEN
        known = identities[identities >= 0]
        sizes = np.bincount(known).astype(np.float64)
        if self.records is None or not (sizes > 1).any():
            return None
        mates = float((sizes * (sizes - 1)).sum()) / len(known)
        return float(np.clip(mates / (self.records - 1), LEAST_PRIOR, EVEN))
