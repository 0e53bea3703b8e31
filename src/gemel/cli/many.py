"""Verbs asked about each record of a file or folder, which are encoded a batch at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gemel.cli import reading, show
from gemel.cli.project import Project
from gemel.encode import modality

if TYPE_CHECKING:
    from gemel.release.release import Release
    from gemel.serve.context import Context
    from gemel.serve.service import Service
    from gemel.serve.steps import Steps

BodyT = TypeVar("BodyT")
ReplyT = TypeVar("ReplyT")


def file_in(release: Release, query: Sequence[str]) -> Path | None:
    """The file or folder of records that a query is; None where it is one item."""
    word, kind = query[0], modality.named(release.modality)
    path = Path(word)
    is_many = len(query) == 1 and kind.word(word, "query") is None and path.exists()
    is_text = path.is_dir() and reading.may_be_text(word, takes_words=kind.takes_words)
    return path if is_many and not is_text else None


def of_file(
    service: Service,
    project: Project,
    records: tuple[Path, str | None],
    verb: Callable[[Context, BodyT], Steps[ReplyT]],
    body: Callable[[Any, str | None], BodyT],
) -> Iterator[tuple[str, ReplyT]]:
    """The id of each record, and what is answered about it.

    Args:
        service: that answers.
        project: says how files are read.
        records: their file or folder, and its column of ids.
        verb: that is asked.
        body: of the request about an item, and of its category where the release decides by one.
    """
    path, id = records
    dataset = project.records_for(service.pick().release, path, id=id)
    batch, of = project.config.gallery.batch, dataset.category
    with show.progress("asking", "records") as tick:
        for start in range(0, len(dataset), batch):
            part = range(start, min(start + batch, len(dataset)))
            own = [None if of is None else of.of(i) for i in part]
            bodies = [body(*one) for one in zip(dataset.payloads(part), own, strict=True)]
            for i, reply in zip(part, service.ask_all(verb, bodies), strict=True):
                yield str(dataset.ids[i]), reply
            tick(part.stop, len(dataset))


def say_outcomes(outcomes: Iterable[str]) -> None:
    """Say how many records there are of each outcome, the commonest first."""
    show.say(", ".join(f"{n:,} {outcome}" for outcome, n in Counter(outcomes).most_common()))
