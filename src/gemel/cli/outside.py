"""Numbers far outside of all that was learned from, told on stderr: of one reply or many records.

What lies outside, the modality says (`Modality.outside`); how it is told, this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import UnsetType

from gemel.cli import show
from gemel.encode import modality
from gemel.figures import number_of

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.release.release import Release

UNSEEN = "scores do not tell how far off that is"
MOST = 3
"""Records that are named."""
BATCH = 10_000


def say_of_one(outside: Sequence[str] | UnsetType) -> None:
    """Say what a reply says of its request."""
    for words in outside or ():
        show.say(f"warning: {words}; {UNSEEN}")


def say_of_many(found: Iterable[tuple[str, Sequence[str] | UnsetType]]) -> None:
    """Say which records have such numbers, the first ones by their ids, and how many there are."""
    n = 0
    for record, outside in found:
        if outside:
            n += 1
            if n <= MOST:
                say_of_one([f"record {record}: {'; '.join(outside)}"])
    if n > MOST:
        more = number_of(n - MOST, "more record has", "more records have")
        show.say(f"warning: {more} numbers far outside of those that the release learned from")


def of_datasets(release: Release, *datasets: Dataset | None) -> Iterator[tuple[str, list[str]]]:
    """Of each record its id and what is outside, in words."""
    outside, prepare = modality.named(release.modality).outside, release.encoder.prepare
    if not prepare.fields:  # what has none, such as an image, may be long to read
        return
    for dataset in filter(None, datasets):
        for start in range(0, len(dataset), BATCH):
            part = range(start, min(start + BATCH, len(dataset)))
            for i, payload in zip(part, dataset.payloads(part), strict=True):
                yield str(dataset.ids[i]), outside(prepare, payload)
