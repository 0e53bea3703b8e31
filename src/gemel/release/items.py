"""What an item of a request is to a release: the payload to encode, checked, and its category.

Decided here and nowhere else, so that services, scripts and commands read an item alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gemel.data.schema import as_text
from gemel.decide.categories import Categories
from gemel.encode import modality
from gemel.encode.modality import Modality, Payload, Prepare
from gemel.errors import InvalidInput
from gemel.release.release import Release

Payloads = Callable[[Prepare, Any], Payload]
"""The payload that an item of a request stands for, see `Modality.payload`."""


class Read(msgspec.Struct, frozen=True):
    """An item as it was read.

    Attributes:
        payload: what the encoder takes.
        category: as stated, else its own; None if it has none or the release knows none.
        unfit: places of values that do not fit their field and are missing in the payload.
    """

    payload: Payload
    category: str | None
    unfit: tuple[str, ...] = ()


@dataclass(frozen=True)
class Items:
    """How a release reads items.

    Attributes:
        modality: what it compares.
        prepare: preprocessing of its space.
        categories: by which it decides; None for one threshold.
    """

    modality: Modality
    prepare: Prepare
    categories: Categories | None

    @classmethod
    def of(cls, release: Release, prepare: Prepare) -> Items:
        """The items of a release, with the preprocessing of an open encoder of its space."""
        return cls(modality.named(release.modality), prepare, release.policy.categories)

    def read(
        self, item: Any, place: str, stated: str | None = None, made: Payloads | None = None
    ) -> Read:
        """What an item is.

        Args:
            item: of a request, or a payload.
            place: where in the request it stands.
            stated: category that comes with it.
            made: makes payloads of items; left out, the modality does, here.
        Raises:
            InvalidInput: the release cannot encode it; `where` is its place, with the field.
        """
        try:
            payload = (made or self.modality.payload)(self.prepare, item)
        except InvalidInput as e:
            where = f"{place}.{e.where}" if e.where else place
            raise InvalidInput(e.what, where=where, hint=e.hint) from e
        unfit = self.modality.unfit(self.prepare, item, payload)
        places = tuple(f"{place}.{name}" for name in unfit)
        return Read(payload, self.category(payload, stated), places)

    def category(self, values: Any, stated: str | None = None) -> str | None:
        """The category that is stated, else the value that is named like it, if there is one."""
        if stated is not None or self.categories is None or not isinstance(values, Mapping):
            return stated
        return as_text(values.get(self.categories.column))

    def attributes(self, item: Any) -> dict[str, Any]:
        """What an enrolled record is found by besides its embedding."""
        return self.modality.attributes(self.prepare, item)

    def outside(self, payload: Payload, whose: str = "") -> list[str]:
        """What of a payload is far outside of all that was learned from, in words.

        Args:
            payload: that was read.
            whose: what the words begin with; empty where there is one payload.
        """
        said = self.modality.outside(self.prepare, payload)
        return [f"{whose} {words}" for words in said] if whose else said

    def schema(self) -> dict[str, Any]:
        """The JSON schema of an item."""
        return self.modality.schema(self.prepare)
