"""Parts by name: those that gemel brings, and those that installed packages add.

A plug point is a group of entry points. What gemel brings is imported when it is asked for, and
comes first: no package takes its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from gemel.errors import ConfigError, GemelError


@dataclass(frozen=True)
class Registry:
    """The parts of one plug point.

    Args:
        noun: what a part is, in messages.
        group: of entry points, by which packages add theirs.
        built_in: places of gemel's own, `module:attribute` by name.
        error: raised for an unknown name.
        where: the setting or file that names a part, in messages.
    """

    noun: str
    group: str
    built_in: Mapping[str, str]
    error: type[GemelError] = ConfigError
    where: str = ""

    def names(self) -> tuple[str, ...]:
        """Every name that can be loaded."""
        return tuple(sorted({*self.built_in, *entry_points(group=self.group).names}))

    def load(self, name: str, *, where: str = "") -> Any:
        """The part of that name.

        Args:
            name: of a part.
            where: what named it; by default that of the registry.
        Raises:
            GemelError: nobody has it, or its package cannot be imported; of the class `error`.
        """
        if name in self.built_in:
            return EntryPoint(name, self.built_in[name], self.group).load()
        points = entry_points(group=self.group)
        if name not in points.names:
            raise self.error(
                f"unknown {self.noun} {name!r}",
                where=where or self.where,
                hint=f"known: {', '.join(self.names())}; packages add theirs under {self.group}",
            )
        try:
            return points[name].load()
        except (ImportError, AttributeError) as e:
            raise self.error(
                f"{self.noun} {name!r} cannot be imported: {e}",
                where=where or self.where,
                hint=f"it is in {points[name].value}",
            ) from e


MODALITIES = Registry(
    "modality",
    "gemel.modalities",
    {
        "row": "gemel.encode.row.modality:ROW",
        "image": "gemel.encode.image.modality:IMAGE",
        "text": "gemel.encode.text.modality:TEXT",
        "audio": "gemel.encode.audio.modality:AUDIO",
        "image_text": "gemel.encode.image_text.modality:IMAGE_TEXT",
    },
)
"""What can be compared. It stands here since data, which knows none, reads what a package adds."""
