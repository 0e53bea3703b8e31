"""Settings in the making, and what single columns say of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gemel.config import Config
from gemel.figures import number_of

if TYPE_CHECKING:
    import polars as pl

MANY_WORDS = 15
"""Of texts, which differ in some of them; names, addresses and most titles have fewer."""


@dataclass
class Draft:
    """A guess in the making.

    Attributes:
        given: the settings that were said.
        known: keys of those that are no default.
        settings: that will be written.
    """

    given: Config
    known: set[str]
    settings: dict[str, Any]
    columns: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    remarks: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def propose(self, key: str, value: Any) -> bool:
        """Whether a setting was free, and is now the value."""
        free = key not in self.known and value is not None
        if free:
            self.settings[key] = value
        return free


def id_of(draft: Draft, key: str, frame: pl.DataFrame, taken: Collection[str | None]) -> None:
    """The column of ids goes to a setting, if one looks so; what was found is noted."""
    from gemel.data.proposals import labels

    if key not in draft.known:
        flag = "--other-id" if key == "other.id" else "--id"
        proposed, note = labels.id_of(frame, taken, draft.given.data.max_bad_ratio, flag)
        draft.notes.append(note)
        if draft.propose(key, proposed) and proposed is not None:
            _few_bad(draft, frame[proposed])


def _few_bad(draft: Draft, ids: pl.Series) -> None:
    """Rows without an id, which are few, do not stop the reading."""
    from gemel.data.schema import without_gaps
    from gemel.data.sources import refusals

    n = without_gaps(ids, ()).null_count()
    share = n / len(ids)
    if share > draft.given.data.max_bad_ratio and draft.propose(
        "data.max_bad_ratio", refusals.above(share)
    ):
        draft.notes.append(
            f"{number_of(n, 'record')} without {ids.name}: more than usual may be "
            "refused, data.max_bad_ratio says how many"
        )


def note_pairs(draft: Draft, frame: pl.DataFrame) -> None:
    """A table that may be one of pairs, of which no column surely says the answers, is noted."""
    from gemel.data.proposals import given

    if (found := given.may_be_pairs(frame)) is None:
        return
    left, right, words = found
    answers = " or ".join(f"--set data.same={column!r}" for column in words)
    draft.notes.append(
        f"{left!r} and {right!r} may be two sides of a pair; if each row is one: --kind pairs "
        f"{answers}, the column that says whether both are the same"
    )


def leave_out_index(draft: Draft, frame: pl.DataFrame) -> None:
    """A column that only counts the rows is left out, unless it is something else."""
    from gemel.data.proposals import labels

    data, index = draft.given.data, labels.index_of(frame)
    taken = {draft.settings.get("data.id"), data.id, draft.settings.get("data.identity")}
    if index is None or index in {
        *taken,
        data.identity,
        data.category,
        *data.groups,
        *data.columns,
    }:
        return
    if draft.propose("data.ignore", [index]):
        draft.notes.append(f"column {index!r} counts the rows: left out; change data.ignore if not")


def leave_out_nobody(draft: Draft, *identities: pl.Series) -> None:
    """Texts that are no identity are missing values."""
    from gemel.data.proposals import placeholders

    found: dict[str, int] = {}
    for values in identities:
        for text, n in placeholders.nobody(values).items():
            found[text] = found.get(text, 0) + n
    if found and draft.propose("data.missing", [*found]):
        rows = ", ".join(f"{text!r} in {number_of(n, 'record')}" for text, n in found.items())
        draft.notes.append(
            f"column {identities[0].name!r} names nobody with {rows}: read as no value, in all "
            "columns; change data.missing if not"
        )


def note_moments(draft: Draft, frame: pl.DataFrame) -> None:
    """Columns that may say when a record was written are compared, and said to be."""
    from gemel.data.proposals import moments

    data = draft.given.data
    taken = {draft.settings.get(f"data.{name}") for name in ("id", "identity")} | {data.id}
    for column in moments.of(frame):
        if column not in {*taken, data.identity, data.category, *data.ignore, *data.groups}:
            draft.notes.append(
                f"column {column!r} holds days or times, and is compared: if they say when a "
                f"record was written, and not what it is of, --set 'data.ignore=[\"{column}\"]'"
            )


def texts_of(draft: Draft, frame: pl.DataFrame) -> None:
    """The file holds texts if all that is compared is one column of texts of many words."""
    from gemel.data.schema import as_strings

    data = draft.given.data
    labels = {draft.settings.get(f"data.{name}") for name in ("id", "identity")}
    left_out = {*labels, data.id, data.identity, data.category, *data.groups, *data.ignore}
    compared = set(frame.columns) - left_out - {*draft.settings.get("data.ignore", ())}
    if len(compared) != 1 or "data.kind" in draft.known:
        return
    (column,) = compared
    n_words = as_strings(frame[column]).drop_nulls().str.count_matches(r"\S+").median()
    if isinstance(n_words, float) and n_words >= MANY_WORDS and column not in data.columns:
        draft.settings["data.kind"] = "text"
        draft.notes.append(
            f"texts: column {column!r} is all that is compared, and half of its values have "
            f"{n_words:.0f} words or more; if they are not to be compared as texts, --kind rows"
        )
