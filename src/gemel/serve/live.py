"""What answers at one moment: one release and all that goes with it, as one immutable bundle.

A request takes the bundle once, and everything in its reply comes from there; so no reply can mix
encoder, gallery and threshold of different releases, whatever moves meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from msgspec import UNSET, UnsetType

from gemel.arrays import Float32
from gemel.decide.policy import Policy
from gemel.encode.comparators import Comparator
from gemel.encode.encoder import Encoder
from gemel.encode.modality import Payload
from gemel.errors import SpaceMismatch
from gemel.gallery.gallery import Gallery
from gemel.release.items import Items
from gemel.release.release import EVIDENCE, Release
from gemel.release.words import unproven
from gemel.release.words.in_classes import in_classes
from gemel.release.words.in_gallery import above_sizes, in_gallery
from gemel.serve.cache.own import Cache
from gemel.serve.class_index import Classes

CLASS = "class"
"""Attribute that says whose a record is, where nobody named another."""


@dataclass(frozen=True, eq=False)
class Live:
    """One release, open and checked, with the gallery of its space.

    Attributes:
        release: what decides.
        encoder: a session that passed the parity check.
        comparator: of the release; what an open gallery scores with as well.
        policy: of the release.
        items: reads what requests send.
        gallery: of the same space, or None to serve without search.
        label: attribute that says whose a record is, if a request names none.
        cache: of embeddings; None encodes everything.
        classes: of that gallery, as far as they were asked for.
        tenant: whose gallery it is; empty for that of the service.
        n_noted: records that the ledger said were in that gallery when it was opened.
        n_lost: those of them that were not; who takes records out later loses none.
    """

    release: Release
    encoder: Encoder
    comparator: Comparator
    policy: Policy
    items: Items
    gallery: Gallery | None
    label: str = CLASS
    cache: Cache | None = None
    classes: Classes = field(default_factory=Classes)
    tenant: str = ""
    n_noted: int = 0
    n_lost: int = 0

    @classmethod
    def open(
        cls,
        release: Release,
        gallery: Gallery | None = None,
        *,
        previous: Live | None = None,
        threads: int = 1,
        label: str = CLASS,
        cache: Cache | None = None,
        n_noted: int = 0,
    ) -> Live:
        """The bundle of a release, ready to answer.

        Args:
            release: verified when it was opened.
            gallery: of its space, or None.
            previous: a bundle whose encoder is used again if it is of the same space.
            threads: of a new encoder, inside one call.
            label: attribute that says whose a record is, if a request names none.
            cache: of embeddings; None takes that of the previous bundle.
            n_noted: records that the ledger says are in the gallery; those that are none are lost.
        Raises:
            SpaceMismatch: the gallery is of another space.
            ParityError: the golden probes do not give what they gave.
            ReleaseError: the release cannot be read.
        """
        if gallery is not None and gallery.space_id != release.space_id:
            raise SpaceMismatch(
                f"the gallery is of space {gallery.space_id[:12]}, "
                f"the release of {release.space_id[:12]}",
                hint="enroll the records again with this release, then point at it",
            )
        if previous is not None and previous.encoder.space_id == release.space_id:
            encoder = previous.encoder
        else:
            encoder = release.encoder if threads == 1 else release.open_encoder(threads=threads)
            release.check_parity(encoder)
        items = Items.of(release, encoder.prepare)
        if cache is None and previous is not None:
            cache = previous.cache
        n_lost = 0 if gallery is None else max(0, n_noted - gallery.count())
        if previous is not None and previous.gallery is gallery:
            n_noted, n_lost = previous.n_noted, previous.n_lost
        parts = release, encoder, release.comparator, release.policy, items, gallery, label
        return cls(*parts, cache, n_noted=n_noted, n_lost=n_lost)

    def encode(self, payloads: Sequence[Payload]) -> Float32:
        """Embeddings of payloads that were read: (n, d) float32, unit rows."""
        if self.cache is None:
            return self.encoder.encode(payloads)
        return self.cache.encode(self.encoder, payloads, self.tenant)

    @property
    def of_lost(self) -> str:
        """What its gallery lacks of what the ledger says is in it; empty if nothing."""
        if self.gallery is None or not (lacking := self._lacking):
            return ""
        n = self.gallery.count()
        return f"the gallery has {n:,} of the {n + lacking:,} records that the ledger knows"

    @property
    def is_lost(self) -> bool:
        """Most of its gallery is gone, so that "unknown" means nothing."""
        return self.gallery is not None and self.gallery.count() < self._lacking

    @property
    def _lacking(self) -> int:
        """Records that were lost and not enrolled again."""
        if self.gallery is None or not self.n_lost:
            return 0
        return min(self.n_lost, max(0, self.n_noted - self.gallery.count()))

    @property
    def mark(self) -> bool | UnsetType:
        """What replies say of the release: that it is unproven, or nothing."""
        return self.release.is_unproven or UNSET

    @property
    def of_strangers(self) -> str:
        """Why a match in the gallery may well be a stranger; empty if nothing known says so."""
        if self.gallery is None or EVIDENCE not in self.release.manifest.files:
            return ""
        return in_gallery(self.release.evidence, self.gallery.count())

    @property
    def of_gallery(self) -> str:
        """Why a decision about the gallery is not what it may seem; empty if nothing known."""
        n = 0 if self.gallery is None else self.gallery.count()
        return above_sizes(self.policy.largest_gallery, n) or self.of_strangers

    @property
    def of_unknown(self) -> str:
        """Why a class may well be named for an item of none, by its policy of classes."""
        known = EVIDENCE in self.release.manifest.files
        return in_classes(self.release.evidence) if known else ""

    def warnings(self, today: date) -> list[str]:
        """Why its thresholds should not be relied on as they are; it serves all the same."""
        policy = self.policy
        found = [*filter(None, [self.of_lost])]
        if self.release.is_unproven:
            found.append(unproven.WARNING)
        if policy.has_expired(today):
            found.append(f"the thresholds of {self.release.short_id} expired on {policy.expires}")
        return [*found, *filter(None, [self.of_gallery])]
