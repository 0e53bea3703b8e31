"""What clients may send to a release, beside what another one takes: fields, and how they are read.

What one refuses that the other takes makes an error of every request that goes on sending it.
"""

from __future__ import annotations

from typing import Any

from gemel.data.schema import Field
from gemel.encode import modality
from gemel.release.release import Release

TEXTS = ("text", "category")
"""Kinds that take the same values."""


def takes(candidate: Release, stable: Release) -> tuple[bool, str]:
    """Whether one takes all that the other does, read alike; and what it does not."""
    ours, theirs = _schema(candidate), _schema(stable)
    gone = [name for name in theirs["properties"] if name not in ours["properties"]]
    said = [f"no longer takes {', '.join(gone)}"] if gone else []
    needed = [name for name in ours.get("required", ()) if name not in theirs.get("required", ())]
    said += [f"does not do without {', '.join(needed)}"] if needed and not gone else []
    if _are_words(stable) and not _are_words(candidate) and not gone:
        said.append("no longer takes a text without the name of its field")
    kept = {field.name: field for field in candidate.prepare.fields}
    said += [
        f"reads {old.name} as {_called(kept[old.name])}, stable as {_called(old)}"
        for old in stable.prepare.fields
        if old.name in kept and not _reads_alike(kept[old.name], old)
    ]
    if said:
        return False, "; ".join(said)
    return True, f"every field that {stable.short_id} takes"


def _schema(release: Release) -> dict[str, Any]:
    return modality.named(release.modality).schema(release.prepare)


def _are_words(release: Release) -> bool:
    """Whether a bare text is an item: there is one field, of text."""
    return [field.kind for field in release.prepare.fields] == ["text"]


def _reads_alike(new: Field, old: Field) -> bool:
    """Whether a value means the same to both; one that takes more forms of it is no other."""
    if new.kind in TEXTS and old.kind in TEXTS:
        return True
    if new.kind != old.kind:
        return False
    if old.reading is None or new.reading is None:
        return old.reading is None
    if old.kind == "date":
        return old.reading.order in (None, new.reading.order)
    currencies = old.reading.currency, new.reading.currency
    return old.reading.decimal == new.reading.decimal and currencies[0] in (None, currencies[1])


def _called(field: Field) -> str:
    """Its kind and how it is written."""
    return field.kind if field.kind in TEXTS else field.expected
