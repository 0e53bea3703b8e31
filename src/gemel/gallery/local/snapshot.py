"""A gallery as it was after one change, for searches; what is changed is changed in the whole.

Rows that were written later are not there, and neither are those that were changed or deleted
since: what somebody wants erased is gone here at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from gemel.encode.comparators import Comparator
from gemel.errors import UnknownRecord, quoted
from gemel.gallery.attributes import Scalar, Where
from gemel.gallery.candidates import Hit
from gemel.gallery.groups import Groups
from gemel.gallery.local.memory import View, ids_of
from gemel.gallery.record import Enrolled, Record, Stats

if TYPE_CHECKING:
    from gemel.gallery.local.gallery import LocalGallery


class Snapshot:
    """The `Gallery` up to a position; see there for what each method promises.

    Args:
        whole: the gallery, open for as long as this is used.
        position: number of the last change that is seen.
    """

    def __init__(self, whole: LocalGallery, position: int) -> None:
        self.whole, self.position = whole, position
        self.space_id, self.dim = whole.space_id, whole.dim
        now = whole.view()
        self._seen = now, now.upto(position)

    def view(self) -> View:
        """The rows that are seen; the same object as long as nothing changes."""
        now, (of, seen) = self.whole.view(), self._seen
        if of is not now:
            seen = now.upto(self.position)
            self._seen = now, seen
        return seen

    def search(
        self,
        query: NDArray[Any],
        k: int = 10,
        where: Where | None = None,
        *,
        comparator: Comparator | None = None,
    ) -> list[list[Hit]]:
        """The k records most like each query."""
        return self.whole.search(query, k, where, comparator=comparator, view=self.view())

    def get(self, record: str) -> Record:
        """What is enrolled under an id."""
        if not self.whole.is_within(record, self.position):
            raise UnknownRecord(f"no record {quoted(record, 80)}")
        return self.whole.get(record)

    def ids(self) -> list[str]:
        """Every record, by its id."""
        return ids_of(self.view())

    def count(self, where: Where | None = None) -> int:
        """How many records there are, or match a filter."""
        return self.whole.count(where, view=self.view())

    def groups(self, name: str, where: Where | None = None) -> Groups:
        """The records by the value of an attribute."""
        return self.whole.groups(name, where, view=self.view())

    def is_at(self, state: object) -> bool:
        """Whether nothing changed since somebody read this state."""
        return self.view() is state

    def enroll(
        self,
        ids: Sequence[str],
        embeddings: NDArray[Any],
        attributes: Sequence[Mapping[str, Scalar] | None] | None = None,
    ) -> Enrolled:
        """Add records to the whole, or change them."""
        return self.whole.enroll(ids, embeddings, attributes)

    def delete(self, ids: Iterable[str]) -> int:
        """Take records out of the whole."""
        return self.whole.delete(ids)

    def stats(self) -> Stats:
        """The whole in figures."""
        return self.whole.stats()

    def refresh(self) -> int:
        """Read what another process changed in the whole."""
        return self.whole.refresh()

    def close(self) -> None:
        """Nothing: whoever opened the whole closes it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""
