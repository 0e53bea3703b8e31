"""What answers at one moment: one release and all that goes with it, as one immutable bundle.

A request takes the bundle once, and everything in its reply comes from there; so no reply can mix
encoder, gallery and threshold of different releases, whatever moves meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from gemel.data.schema import Field
from gemel.data.tables import as_text
from gemel.decide.policy import Policy
from gemel.encode import modality
from gemel.encode.comparators import Comparator
from gemel.encode.encoder import Encoder
from gemel.encode.modality import Modality, Payload
from gemel.errors import ReleaseError, SpaceMismatch
from gemel.gallery.candidates import Near
from gemel.gallery.gallery import Gallery
from gemel.release.release import Release


@dataclass(frozen=True, eq=False)
class Live:
    """One release, open and checked, with the gallery of its space.

    Attributes:
        release: what decides.
        encoder: a session that passed the parity check.
        comparator: of the release.
        policy: of the release.
        gallery: of the same space, or None to serve without search.
        fields: of a row; empty for images.
    """

    release: Release
    encoder: Encoder
    comparator: Comparator
    policy: Policy
    gallery: Gallery | None
    fields: tuple[Field, ...]

    @classmethod
    def open(
        cls,
        release: Release,
        gallery: Gallery | None = None,
        *,
        previous: Live | None = None,
        threads: int = 1,
    ) -> Live:
        """The bundle of a release, ready to answer.

        Args:
            release: verified when it was opened.
            gallery: of its space, or None.
            previous: a bundle whose encoder is used again if it is of the same space.
            threads: of a new encoder, inside one call.
        Raises:
            SpaceMismatch: the gallery is of another space.
            ParityError: the golden probes do not give what they gave.
            ReleaseError: the release cannot be served here.
        """
        if gallery is not None and gallery.space_id != release.space_id:
            raise SpaceMismatch(
                f"the gallery is of space {gallery.space_id[:12]}, "
                f"the release of {release.space_id[:12]}",
                hint="enroll the records again with this release, then point at it",
            )
        if previous is not None and previous.encoder.space_id == release.space_id:
            _check_comparator(release, previous.release, gallery)
            encoder = previous.encoder
        else:
            encoder = release.open_encoder(threads=threads)
            release.check_parity(encoder)
        fields = encoder.prepare.fields
        return cls(release, encoder, release.comparator, release.policy, gallery, fields)

    @property
    def modality(self) -> Modality:
        """What the release compares, and how that is read."""
        return modality.named(self.encoder.modality)

    def warnings(self, today: date) -> list[str]:
        """Why its thresholds should not be relied on as they are; it serves all the same."""
        found, policy = [], self.policy
        if policy.has_expired(today):
            found.append(f"the thresholds of {self.release.short_id} expired on {policy.expires}")
        largest, gallery = policy.largest_gallery, self.gallery
        if largest is not None and gallery is not None and gallery.count() > largest:
            found.append(
                f"the gallery has {gallery.count():,} records, thresholds are certified for up to "
                f"{largest:,}: what would match is for review"
            )
        return found

    @property
    def first(self) -> Near | None:
        """The stage before the comparator in a large gallery, if the policy has one."""
        first = self.policy.first
        return None if first is None else Near(first.bits, first.max_distance)

    def payload(self, item: Any) -> Payload:
        """The payload that an item of a request stands for, checked.

        Args:
            item: as the modality of the release has it.
        Raises:
            InvalidInput: the release cannot encode it; `where` names the field.
        """
        return self.modality.payload(self.encoder.prepare, item)

    def attributes(self, item: Any) -> dict[str, Any]:
        """What an enrolled record of this item is found by."""
        return self.modality.attributes(self.encoder.prepare, item)

    def category(self, item: Any, stated: str | None = None) -> str | None:
        """Category of an item: as stated, else the value of its own that is named like it."""
        categories = self.policy.categories
        if stated is not None or categories is None or not isinstance(item, dict):
            return stated
        return as_text(item.get(categories.column))


def _check_comparator(release: Release, previous: Release, gallery: Gallery | None) -> None:
    """Raise if an open gallery would go on scoring with another comparator."""
    if gallery is None or release.scale_id == previous.scale_id:
        return
    raise ReleaseError(
        "another comparator in the same space cannot be taken over while serving",
        where=release.short_id,
        hint="restart the service to serve it",
    )
