"""What a gallery is, wherever its records are kept: a Protocol, and the way to open one.

`LocalGallery` (`gallery/local/`) is the one that gemel brings. Another, for a database server, is
registered under the entry point group `gemel.galleries` by the scheme of its addresses, and passes
`gemel.testing.check_gallery`. Nobody outside reads how a gallery keeps its records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from numpy.typing import NDArray

from gemel.encode.comparators import Comparator
from gemel.errors import GalleryError
from gemel.gallery.attributes import Scalar, Where
from gemel.gallery.candidates import Hit
from gemel.gallery.groups import Groups
from gemel.gallery.record import Enrolled, Record, Stats
from gemel.registry import Registry

LOCAL = "file"
REGISTRY = Registry(
    "kind of gallery",
    "gemel.galleries",
    {LOCAL: "gemel.gallery.local.gallery:LocalGallery"},
    error=GalleryError,
)
"""Classes by scheme; each has `open`, with the parameters of `Gallery.open`."""


class Gallery(Protocol):
    """Records of one space. Open one with `Gallery.open` and close it, or use it in a `with`.

    What a call acknowledged is durable. Any number of threads may search while one changes; a
    search sees one state.

    Attributes:
        space_id: the space that the embeddings are of.
        dim: length of an embedding.
    """

    space_id: str
    dim: int

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        space_id: str | None = None,
        dim: int | None = None,
        comparator: Comparator | None = None,
        write: bool = True,
    ) -> Gallery:
        """The gallery at an address; a new one is made if space_id and dim are given.

        Args:
            where: a directory, or an address such as `postgresql://...` whose scheme a package
                registered.
            space_id: the space that the gallery must belong to; None takes the one it has.
            dim: length of an embedding, likewise.
            comparator: scores candidates; cosine if not given.
            write: be allowed to change it.
        Raises:
            GalleryError: there is none, it cannot be opened, or nobody knows the scheme.
            SpaceMismatch: it holds embeddings of another space or dimension.
        """
        scheme, is_address, rest = str(where).partition("://")
        if not is_address or scheme == LOCAL:
            scheme, where = LOCAL, rest or where
        kind: type[Gallery] = REGISTRY.load(scheme, where=str(where))
        return kind.open(where, space_id=space_id, dim=dim, comparator=comparator, write=write)

    def enroll(
        self,
        ids: Sequence[str],
        embeddings: NDArray[Any],
        attributes: Sequence[Mapping[str, Scalar] | None] | None = None,
    ) -> Enrolled:
        """Add records, or change those whose id is known; all of them or, on an error, none.

        What is stored under an id already stays untouched, so a batch may be sent twice.

        Args:
            ids: n different ids.
            embeddings: (n, d) unit rows of the space of the gallery.
            attributes: what can be filtered by and is shown with a hit, one mapping per record.
        Raises:
            DuplicateRecord: an id stands twice in the batch.
            DataError: ids, embeddings or attributes are not what they must be.
            GalleryError: opened read-only, or it cannot be stored.
        """

    def delete(self, ids: Iterable[str]) -> int:
        """Take records out; ids that are not there are no error; how many were there.

        Raises:
            GalleryError: opened read-only, or it cannot be stored.
        """

    def search(
        self,
        query: NDArray[Any],
        k: int = 10,
        where: Where | None = None,
        *,
        comparator: Comparator | None = None,
    ) -> list[list[Hit]]:
        """The k records most like each query, best first, ties in the order of their ids.

        Args:
            query: (d,) or (q, d) unit rows of the space of the gallery.
            k: at least 1; a smaller gallery gives fewer hits.
            where: only records whose attributes equal these values (a list: one of these).
            comparator: that of the release which asks, if not the one the gallery was opened with.
        Returns:
            A list of hits for each query; one list for a single (d,) query.
        Raises:
            DataError: the query is not an embedding of this gallery.
            InvalidInput: k or where is not what it must be, or where names an attribute that no
                record has, or none as that kind of value. That is known of enrolled records only:
                where there are none, nothing is found; an attribute that the first record is still
                to bring is refused.
        """

    def get(self, record: str) -> Record:
        """What is enrolled under an id.

        Raises:
            UnknownRecord: nothing is.
        """

    def count(self, where: Where | None = None) -> int:
        """How many records there are, or match a filter.

        Raises:
            InvalidInput: where is not what `search` takes.
        """

    def groups(self, name: str, where: Where | None = None) -> Groups:
        """The records by the value of an attribute; a record without one, or with null, has none.

        Args:
            name: of the attribute.
            where: only records that pass this filter.
        Raises:
            InvalidInput: no record has it, or where is not what `search` takes.
        """

    def is_at(self, state: object) -> bool:
        """Whether nothing changed since somebody was given this `Groups.state`."""

    def stats(self) -> Stats:
        """The gallery in figures."""

    def refresh(self) -> int:
        """Read what another process changed; how many changes there were."""

    def close(self) -> None:
        """Give everything back. Closing twice is no error."""

    def __enter__(self) -> Self:
        """The gallery itself."""

    def __exit__(self, *_: object) -> None:
        """Close it."""


@runtime_checkable
class Dated(Protocol):
    """A gallery that numbers its changes, which an experiment needs."""

    def position(self) -> int:
        """Number of the last change; 0 before the first."""

    def as_of(self, position: int) -> Gallery:
        """What is there of what the change of that number, or one before, has written.

        Later records are not seen, nor those that were changed or deleted since. Changes are made
        in the gallery itself.
        """


@runtime_checkable
class Listed(Protocol):
    """A gallery that can say which records are in it."""

    def ids(self) -> Sequence[str]:
        """Every record, by its id, as they are now."""
