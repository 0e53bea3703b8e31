"""Texts, as everything outside training knows them: a payload is a str of any length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gemel.data.dataset import Dataset
from gemel.data.sources import texts
from gemel.data.sources.columns import Columns
from gemel.encode import modality
from gemel.encode.modality import Baseline, Payload, Prepare
from gemel.encode.ngrams import ngrams
from gemel.encode.ragged import CACHED_BYTES
from gemel.encode.text.parts import TextParts
from gemel.encode.text.prepare import HINT, Known, TextPrepare
from gemel.encode.text.tokens import TokenPrepare
from gemel.errors import InvalidInput

UNIT = 16 << 10
"""Characters that weigh as much as a small image: some 5 ms."""
EXPLAINED = 4 * UNIT
"""Characters of a text that is taken apart, at most: it is encoded some 60 times."""
SHOWN = 400
"""Characters of a text that people are shown."""


class TextModality(modality.Modality):
    """An item of a request is `{"text": "..."}`, or the text alone."""

    name = "text"
    nouns = ("text", "texts")
    training = "gemel.train.towers.text:TEXT"
    on_command_line = "a text file, or a text of several words"
    word_hint = """name a file that is there, or write '{"text": "hello"}' for a single word"""
    asked_by = '"SOME WORDS"'
    takes_words = True
    n_bytes_at_once = CACHED_BYTES

    def read(self, path: Path, said: Columns) -> Dataset:
        """The texts of a table, or the text files below a folder."""
        return texts.read(path, said)

    def prepare(self, spec: Mapping[str, Any]) -> Prepare:
        """How many n-grams of a text are looked at, as fitted; or a tokenizer."""
        return (TokenPrepare if "tokenizer" in spec else TextPrepare).from_spec(spec)

    def pack(self, payload: Payload) -> Any:
        """The text itself."""
        return str(payload)

    def unpack(self, packed: Any) -> Payload:
        """The text itself, if it is one."""
        if not isinstance(packed, str):
            raise InvalidInput("no text", where=self.name, hint=HINT)
        return packed

    def payload(self, prepare: Prepare, item: Any) -> Payload:
        """The text, checked."""
        return super().payload(prepare, {self.name: item} if isinstance(item, str) else item)

    def checked(self, prepare: Prepare, payload: Payload) -> Payload:
        """The text; a long one with what it has, looked through here and not again."""
        payload = super().checked(prepare, payload)
        if len(payload) < UNIT or not isinstance(prepare, TextPrepare | TokenPrepare):
            return payload
        return prepare.known(payload)

    def travelling(self, payload: Payload) -> Any:
        """The text, and what is known of it and by whom."""
        if not isinstance(payload, Known):
            return payload, "", []
        return str(payload), payload.by, [part.tobytes() for part in payload.found]

    def arrived(self, prepare: Prepare, said: Any) -> Payload:
        """The text, with that."""
        text, by, found = said
        if not found:
            return text
        kinds = zip(found, (np.int32, np.uint8), strict=True)
        values, counts = (np.frombuffer(part, kind) for part, kind in kinds)
        return Known.of(text, by, (values, counts))

    def weight(self, item: Any) -> float:
        """Its length."""
        text = item.get(self.name) if isinstance(item, Mapping) else item
        return len(text) / UNIT if isinstance(text, str) else 1

    def work(self, prepare: Prepare, item: Any) -> float:
        """That of its n-grams or tokens."""
        text = item.get(self.name) if isinstance(item, Mapping) else item
        if isinstance(prepare, TextPrepare | TokenPrepare) and isinstance(text, str):
            return prepare.work(text)
        return 1

    def schema(self, prepare: Prepare) -> dict[str, Any]:
        """An object with the text."""
        text = {"type": "string", "minLength": 1}
        return {"type": "object", "properties": {self.name: text}, "required": [self.name]}

    def parts(self, prepare: Prepare, payload: Payload) -> TextParts:
        """Runs of words, and words."""
        if not isinstance(payload, str):
            raise InvalidInput("that is no text")
        if len(payload) > EXPLAINED:
            raise InvalidInput(
                f"a text of {len(payload):,} characters; up to {EXPLAINED:,} are explained",
                where=self.name,
                hint="ask about the passages that matter",
            )
        return TextParts(payload)

    def baseline(
        self, prepare: Prepare, train: Iterable[Payload], payloads: Iterable[Payload]
    ) -> Baseline:
        """Character n-grams, weighted by TF-IDF."""
        return ngrams(train, payloads, of="the text")

    def word(self, word: str, where: str) -> Any | None:
        """The text file that the word is the path of, or a text of several words."""
        if word.lstrip().startswith("{"):
            return super().word(word, where)
        path = modality.file_at(word)
        if path is not None:
            return self.item(texts.text_of(path))
        return self.item(word) if len(word.split()) > 1 else None

    def values(self, payload: Payload) -> dict[str, Any]:
        """Its first characters."""
        return {"text": payload if len(payload) <= SHOWN else f"{payload[:SHOWN]}..."}


TEXT = TextModality()
