"""What the words of a command line ask about: one item, or values that a search goes by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemel.cli import reading
from gemel.data.schema import as_text
from gemel.encode import modality
from gemel.errors import InvalidInput, quoted

if TYPE_CHECKING:
    from gemel.data.schema import Field
    from gemel.gallery.gallery import Gallery
    from gemel.release.release import Release

FEW = 10
"""Values of an attribute that are listed."""


def item_of(release: Release, word: str, where: str) -> Any | None:
    """The item that a word is; None if it is none, but perhaps an id. A file in it can be encoded.

    Raises:
        InvalidInput: it is meant to be an item and cannot be read, or is many records.
    """
    kind = modality.named(release.modality)
    item = kind.word(word, where)
    if item is None:
        reading.refuse_many(word, where, takes_words=kind.takes_words)
    elif modality.file_at(word) is not None:
        try:
            kind.payload(release.encoder.prepare, item)
        except InvalidInput as e:
            hint = f"name {kind.on_command_line} that can be read"
            raise InvalidInput(e.what, where=word, hint=hint) from e
    return item


def parse_item(release: Release, words: Sequence[str]) -> Any:
    """The item of a request that the words of a command line mean.

    Raises:
        InvalidInput: a word that means none.
    """
    kind, n = modality.named(release.modality), len(words)
    item = kind.word(words[0], "query") if n > 1 else item_of(release, words[0], "query")
    if item is None and release.encoder.prepare.fields:
        return typed(release, words, "query")
    if item is None and kind.takes_words and n > 1:
        hint = f"put a text in quotes: {quoted(' '.join(words), 80)}"
        raise InvalidInput(f"{n} words, expected one query", where="query", hint=hint)
    if item is None and kind.takes_words and not _is_like_a_path(words[0]):
        return kind.item(words[0])
    if item is None or n > 1:
        several = f"{n} {kind.nouns[1]}, expected one"
        what = f"{quoted(words[0], 80)} is not {kind.on_command_line}" if item is None else several
        hint = kind.word_hint if item is None else "ask one after the other"
        raise InvalidInput(what, where="query", hint=hint)
    return item


def _is_like_a_path(word: str) -> bool:
    """Whether a word may well be the name of a file that is not there."""
    return "/" in word or "\\" in word or 2 <= len(Path(word).suffix) <= 5


def typed(release: Release, words: Sequence[str], where: str) -> dict[str, Any]:
    """NAME=VALUE words as values, read as the fields of a release read them."""
    fields = {f.name: f for f in release.encoder.prepare.fields}
    found: dict[str, Any] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator:
            raise InvalidInput(
                f"{word!r} is not NAME=VALUE", where=where, hint="for example name=Anna"
            )
        field = fields.get(name)
        found[name] = value if field is None else field.value(value)
        if field is None or field.kind != "number" or not value or found[name] != value:
            continue
        if field.reading is None or where != "query":  # of a query it is missing, and said so
            found[name] = _number(field, value, f"{where} {name}")
    return found


def _number(field: Field, text: str, where: str) -> float:
    """A number of a command line where the field does not say how it is written."""
    try:
        if field.reading is None:
            return float(text)
    except ValueError:
        pass
    raise InvalidInput(f"expected a {field.expected}, got {text!r}", where=where)


def why_nothing(gallery: Gallery, only: dict[str, Any]) -> str:
    """Why a search found nothing, in words."""
    if not gallery.count():
        return "nothing found: the gallery is empty; fill it with gemel gallery enroll"
    asked = " and ".join(f"{name}={as_text(value)}" for name, value in only.items())
    text = f"nothing found: no record has {asked}"
    if len(only) == 1:
        (name,) = only
        values = sorted({str(as_text(value)) for value in gallery.groups(name).values})
        if 0 < len(values) <= FEW:
            text += f"; {name} is {' or '.join(values)}"
    return text
