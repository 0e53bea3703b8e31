"""A modality, whole: what a thing to compare is, from a file or a request to what people see of it.

One object a kind of payload (rows, images...), found by name. Every other module asks the object
and names no kind. Its training half (see `train.towers`) is named here by its place and loaded by
`train` alone. A package adds a modality by an entry point of the group `gemel.modalities`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import msgspec
from numpy.typing import NDArray

from gemel.arrays import Float32
from gemel.data.dataset import Dataset
from gemel.data.schema import Field
from gemel.data.sources import tables
from gemel.data.sources.columns import Columns
from gemel.data.sources.formats.objects import key_twice
from gemel.encode import ragged
from gemel.encode.comparators import Scorer
from gemel.encode.parts import Box, Parts
from gemel.errors import ConfigError, InvalidInput
from gemel.registry import MODALITIES

Payload = Any
"""One thing to encode, as its modality has it: a dict for a row, the bytes of an image file."""

THUMBNAIL = 96
"""Pixels of the longer side of a small picture."""
Tint = tuple[Box, float]
"""A region of a picture and how it speaks: from -1, against a match, to 1, for it."""


class Prepare(Protocol):
    """Preprocessing: payloads to the arrays that the network takes."""

    modality: str
    fields: tuple[Field, ...] = ()

    def spec(self) -> dict[str, Any]:
        """Everything that decides the result, as JSON values; part of `space_id`."""

    def check(self, payload: Any) -> None:
        """Raise InvalidInput, naming the field, if the payload cannot be encoded."""

    def __call__(self, payloads: Sequence[Any]) -> dict[str, NDArray[Any]]:
        """Arrays by network input name, first axis = payloads."""


@dataclass(frozen=True)
class Baseline:
    """Records as they can be compared without learning anything.

    Attributes:
        name: of the baseline, for a table.
        how: one sentence for the report.
        rows: (n, d) float32, one per record, as the comparator wants them.
        comparator: what scores a pair of rows.
    """

    name: str
    how: str
    rows: Float32
    comparator: Scorer


class Modality(Protocol):
    """One kind of payload. What has a body here is what most kinds want.

    Attributes:
        name: by which it is found; `Prepare.modality` of its preprocessing is the same word.
        nouns: what people call one and several.
        training: place of its training half, `module:attribute`.
        on_command_line: what a word of a command line may be, for messages.
        word_hint: what to write instead of a word that is no item.
        asked_by: an example of a query on a command line.
        takes_words: a word that is no file is a text to search for.
        n_explained: mistakes of a kind that a report explains; few where encoding is slow.
        is_light: every item weighs 1, see `weight`.
        n_bytes_at_once: of prepared arrays, that a network takes at once, see `ragged`.
    """

    name: str
    nouns: tuple[str, str]
    training: str = ""
    on_command_line: str = "a JSON object"
    word_hint: str = "name a file that is there"
    asked_by: str = "FILE"
    takes_words: bool = False
    n_explained: int = 8
    is_light: bool = False
    n_bytes_at_once: int = ragged.BYTES

    def read(self, path: Path, said: Columns) -> Dataset:
        """The records in a file or folder, with what was refused.

        Args:
            path: there is such a file or folder.
            said: what the user said about columns, of which any may be moot.
        Raises:
            DataError: unreadable, or something was said that cannot be.
        """

    def prepare(self, spec: Mapping[str, Any]) -> Prepare:
        """The preprocessing that `Prepare.spec` described.

        Raises:
            ReleaseError: it describes none of this modality.
        """

    def pack(self, payload: Payload) -> Any:
        """The payload as JSON values."""

    def unpack(self, packed: Any) -> Payload:
        """The payload that `pack` was given.

        Raises:
            InvalidInput: it was given none.
        """

    def schema(self, prepare: Prepare) -> dict[str, Any]:
        """The JSON schema of an item of a request."""

    def parts(self, prepare: Prepare, payload: Payload) -> Parts:
        """The parts of a checked payload, to explain a score by.

        Raises:
            InvalidInput: the preprocessing is of another kind.
        """

    def baseline(
        self, prepare: Prepare, train: Iterable[Payload], payloads: Iterable[Payload]
    ) -> Baseline:
        """The payloads as they can be compared without learning.

        Args:
            prepare: of the release.
            train: what frequencies and the like are counted on.
            payloads: n payloads to describe; like `train`, each is asked for once.
        """

    def item(self, payload: Payload) -> Any:
        """The item of a request that stands for a payload, as JSON values."""
        return {self.name: self.pack(payload)}

    def payload(self, prepare: Prepare, item: Any) -> Payload:
        """The payload that an item of a request stands for, checked.

        Args:
            prepare: of the release that has to encode it.
            item: as `item` makes it, or a payload.
        Raises:
            InvalidInput: it cannot be encoded; `where` names the field.
        """
        if isinstance(item, Mapping):
            unknown = [name for name in item if name != self.name]
            if unknown:
                raise InvalidInput("unknown field", where=str(unknown[0]), hint=self._hint)
            if self.name not in item:
                raise InvalidInput(f"no {self.name}", where=self.name, hint=self._hint)
            item = self.unpack(item[self.name])
        return self.checked(prepare, item)

    def unfit(self, prepare: Prepare, item: Any, payload: Payload) -> list[str]:
        """Names of values of an item that do not fit, and are missing in the payload it gave."""
        return []

    def checked(self, prepare: Prepare, payload: Payload) -> Payload:
        """The payload, or one with what its check found out that encoding needs again.

        Raises:
            InvalidInput: it cannot be encoded.
        """
        prepare.check(payload)
        return payload

    def outside(self, prepare: Prepare, payload: Payload) -> list[str]:
        """What of a checked payload is far outside of all that was learned from, in words."""
        return []

    def travelling(self, payload: Payload) -> Any:
        """A checked payload as values that msgpack has, with what its check found out."""
        return payload

    def arrived(self, prepare: Prepare, said: Any) -> Payload:
        """The checked payload that `travelling` was given, in another process."""
        return said

    def weight(self, item: Any) -> float:
        """Work that it is to read an item, in units of a small one, found without reading it."""
        return 1

    def work(self, prepare: Prepare, item: Any) -> float:
        """Work that it is to encode an item or payload, in units of a small one."""
        return 1

    def word(self, word: str, where: str) -> Any | None:
        """The item that one word of a command line is; None if it is none, but perhaps an id.

        Raises:
            InvalidInput: it is meant to be an item, and cannot be read.
        """
        if not word.lstrip().startswith("{"):
            return None
        try:
            item = msgspec.json.decode(word)
        except msgspec.DecodeError as e:
            raise InvalidInput(f"no JSON object of values: {e}", where=where) from e
        if problem := key_twice(word):
            raise InvalidInput(problem, where=where, hint="say it once")
        return item

    def attributes(self, prepare: Prepare, item: Any) -> dict[str, Any]:
        """What an enrolled record is found by besides its embedding, of an item that encodes."""
        return {}

    def values(self, payload: Payload) -> dict[str, Any]:
        """What people read of a payload: texts and numbers by name, some of the names of parts."""
        return {}

    def picture(self, payload: Payload, tints: Sequence[Tint], size: int) -> bytes | None:
        """A PNG file of the payload with regions tinted; None for what has no picture.

        Args:
            payload: to be drawn.
            tints: regions, blue where they speak for a match and orange where against it.
            size: pixels of the longer side.
        """
        return None

    def thumbnail(self, payload: Payload, size: int = THUMBNAIL) -> bytes | None:
        """A small picture of the payload as a PNG file; None for what has no picture.

        Args:
            payload: to be drawn.
            size: pixels of the longer side at most.
        """
        return None

    def sound(self, payload: Payload) -> bytes | None:
        """What a person hears of the payload, as a WAV file; None for what has no sound."""
        return None

    def kept(self, payload: Payload) -> Payload:
        """The payload as evidence keeps it: what looks like it, and may be smaller."""
        return payload

    @property
    def _hint(self) -> str:
        return f'send {{"{self.name}": ...}}'


def packed_bytes(payload: Payload) -> str:
    """A file in base64."""
    return base64.b64encode(payload).decode()


def unpacked_bytes(packed: Any, *, where: str, hint: str) -> bytes:
    """The bytes of base64, which may be a data URL.

    Raises:
        InvalidInput: that it is not.
    """
    if not isinstance(packed, str):
        raise InvalidInput(f"no {where}", where=where, hint=hint)
    text = packed.partition(",")[2] if packed.startswith("data:") else packed
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as e:
        hint = "send the file's bytes in base64"
        raise InvalidInput("not base64", where=where, hint=hint) from e


def file_at(word: str) -> Path | None:
    """The file of one item that a word of a command line is the path of; a table has many."""
    path = path_at(word)
    return path if path is not None and path.is_file() and not is_table(word) else None


def is_table(word: str) -> bool:
    """Whether a word of a command line is the path of a table of records; `.txt` is one text."""
    path = path_at(word)
    if path is None or not path.is_file():
        return False
    return path.suffix.lower() != ".txt" and tables.is_table(path)


def path_at(word: str) -> Path | None:
    """The file or folder that a word of a command line is the path of."""
    try:
        path = Path(word)
        return path if path.exists() else None
    except (OSError, ValueError):  # longer than a path can be
        return None


@cache
def named(name: str) -> Modality:
    """The modality of that name.

    Raises:
        ConfigError: neither gemel nor an installed package has it, or what it has is none.
    """
    found = MODALITIES.load(name)
    if getattr(found, "name", None) != name:
        kind = type(found).__name__
        raise ConfigError(f"the entry point {name!r} gives a {kind}, no modality of that name")
    modality: Modality = found
    return modality
