"""Pictures and texts, compared with each other: each payload is asked of its own modality."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import unit_rows
from gemel.data.dataset import Dataset
from gemel.data.sources import captions
from gemel.data.sources.columns import Columns
from gemel.encode import modality
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.image.modality import IMAGE
from gemel.encode.image_text.prepare import NAME, ImageTextPrepare
from gemel.encode.modality import THUMBNAIL, Baseline, Modality, Payload, Prepare, Tint
from gemel.encode.parts import Parts
from gemel.encode.text.modality import TEXT
from gemel.errors import InvalidInput

HINT = 'send {"image": base64} or {"text": "..."}'


class ImageTextModality(modality.Modality):
    """An item of a request is `{"image": base64}` or `{"text": "..."}`."""

    name = NAME
    nouns = ("picture or text", "pictures and texts")
    training = "gemel.train.towers.image_text:IMAGE_TEXT"
    on_command_line = "an image file, a text file, or a text of several words"
    word_hint = TEXT.word_hint
    asked_by = TEXT.asked_by
    takes_words = True

    def read(self, path: Path, said: Columns) -> Dataset:
        """The pictures and texts of a table, or of a folder."""
        return captions.read(path, said)

    def prepare(self, spec: Mapping[str, Any]) -> ImageTextPrepare:
        """That of pictures and that of texts."""
        return ImageTextPrepare.from_spec(spec)

    def pack(self, payload: Payload) -> Any:
        """The item that stands for it."""
        return _of(payload).item(payload)

    def unpack(self, packed: Any) -> Payload:
        """The payload of an item."""
        named = [*packed] if isinstance(packed, Mapping) else []
        kind = OF.get(named[0]) if len(named) == 1 else None
        if kind is None:
            unknown = next((str(name) for name in named if name not in OF), IMAGE.name)
            raise InvalidInput("neither a picture nor a text", where=unknown, hint=HINT)
        return kind.unpack(packed[kind.name])

    def item(self, payload: Payload) -> Any:
        """The item of the picture, or of the text."""
        return _of(payload).item(payload)

    def payload(self, prepare: Prepare, item: Any) -> Payload:
        """The picture or text, checked; a text may come alone."""
        if isinstance(item, str) and item.startswith("data:image/"):
            item = {IMAGE.name: item}
        return self.checked(prepare, self.unpack(item) if isinstance(item, Mapping) else item)

    def checked(self, prepare: Prepare, payload: Payload) -> Payload:
        """The picture with what the network sees of it, or the text."""
        return _of(payload).checked(_inner(prepare, payload), payload)

    def travelling(self, payload: Payload) -> Any:
        """Which of the two it is, and that."""
        kind = _of(payload)
        return kind.name, kind.travelling(payload)

    def arrived(self, prepare: Prepare, said: Any) -> Payload:
        """The picture or text."""
        name, inner = said
        both = _both(prepare)
        return OF[name].arrived(both.image if name == IMAGE.name else both.text, inner)

    def weight(self, item: Any) -> float:
        """That of the picture or text."""
        is_image = isinstance(item, Mapping) and IMAGE.name in item
        return (IMAGE if is_image else TEXT).weight(item)

    def work(self, prepare: Prepare, item: Any) -> float:
        """That of the picture or text."""
        payload = item.get(TEXT.name) if isinstance(item, Mapping) else item
        return TEXT.work(_both(prepare).text, payload) if isinstance(payload, str) else 1

    def attributes(self, prepare: Prepare, item: Any) -> dict[str, Any]:
        """Which of the two it is, so that a search can be one of pictures only."""
        payload = self.unpack(item) if isinstance(item, Mapping) else item
        return {captions.KIND: _of(payload).name}

    def schema(self, prepare: Prepare) -> dict[str, Any]:
        """An object with one of the two."""
        both = [IMAGE.schema(_both(prepare).image), TEXT.schema(_both(prepare).text)]
        properties = {name: p for half in both for name, p in half["properties"].items()}
        return {"type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1}

    def parts(self, prepare: Prepare, payload: Payload) -> Parts:
        """Regions of a picture, words of a text."""
        return _of(payload).parts(_inner(prepare, payload), payload)

    def baseline(
        self, prepare: Prepare, train: Iterable[Payload], payloads: Iterable[Payload]
    ) -> Baseline:
        """Chance: without learning, nothing that a picture and a text have in common is seen."""
        rows = [_by_chance(self.pack(payload)) for payload in payloads]
        how = "chance: what is not learned says nothing of a picture and a text"
        return Baseline("chance", how, unit_rows(np.stack(rows)), Cosine())

    def word(self, word: str, where: str) -> Any | None:
        """The image or text file that the word is the path of, or a text of several words."""
        path = modality.file_at(word)
        if path is not None and path.suffix.lower() in (".txt", ".md"):
            return TEXT.word(word, where)
        return IMAGE.word(word, where) or TEXT.word(word, where)

    def values(self, payload: Payload) -> dict[str, Any]:
        """The first characters of a text."""
        return _of(payload).values(payload)

    def picture(self, payload: Payload, tints: Sequence[Tint], size: int) -> bytes | None:
        """The picture, tinted; a text has none."""
        return _of(payload).picture(payload, tints, size)

    def thumbnail(self, payload: Payload, size: int = THUMBNAIL) -> bytes | None:
        """The picture, small; a text has none."""
        return _of(payload).thumbnail(payload, size)

    def kept(self, payload: Payload) -> Payload:
        """The picture, small; a text as it is."""
        return _of(payload).kept(payload)


OF: Mapping[str, Modality] = {kind.name: kind for kind in (IMAGE, TEXT)}


def _of(payload: Payload) -> Modality:
    return TEXT if isinstance(payload, str) else IMAGE


def _both(prepare: Prepare) -> ImageTextPrepare:
    if not isinstance(prepare, ImageTextPrepare):
        raise InvalidInput(f"a {prepare.modality} is neither a picture nor a text")
    return prepare


def _inner(prepare: Prepare, payload: Payload) -> Prepare:
    """The preprocessing of what the payload is."""
    both = _both(prepare)
    return both.text if isinstance(payload, str) else both.image


def _by_chance(packed: Any) -> Any:
    seed = zlib.crc32(json.dumps(packed).encode())
    return np.random.default_rng(seed).standard_normal(64).astype(np.float32)


IMAGE_TEXT = ImageTextModality()
