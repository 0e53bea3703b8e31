"""Images, as everything outside training knows them: a payload is the bytes of an image file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from gemel.arrays import unit_rows
from gemel.data.dataset import Dataset
from gemel.data.sources import images, pixels
from gemel.data.sources.columns import Columns
from gemel.encode import modality
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.image import display
from gemel.encode.image.parts import ImageParts
from gemel.encode.image.prepare import ImagePrepare, Seen
from gemel.encode.modality import (
    THUMBNAIL,
    Baseline,
    Payload,
    Prepare,
    Tint,
    packed_bytes,
    unpacked_bytes,
)
from gemel.encode.ragged import CACHED_BYTES
from gemel.errors import InvalidInput

BATCH = 256
"""Images that a baseline holds decoded at a time."""
HINT = 'send {"image": base64}'


class ImageModality(modality.Modality):
    """An item of a request is `{"image": base64}`, or the base64 alone."""

    name = "image"
    nouns = ("image", "images")
    training = "gemel.train.towers.image:IMAGE"
    on_command_line = "an image file"
    n_bytes_at_once = CACHED_BYTES

    def read(self, path: Path, said: Columns) -> Dataset:
        """The images below a folder; the first sub-folder is the identity."""
        return images.read(path, said)

    def prepare(self, spec: Mapping[str, Any]) -> ImagePrepare:
        """Size, channels and brightness, as they were fitted."""
        return ImagePrepare.from_spec(spec)

    def pack(self, payload: Payload) -> Any:
        """The file in base64."""
        return packed_bytes(payload)

    def unpack(self, packed: Any) -> Payload:
        """The bytes of base64, which may be a data URL."""
        return unpacked_bytes(packed, where=self.name, hint=HINT)

    def payload(self, prepare: Prepare, item: Any) -> Payload:
        """The bytes of the file, decoded once to see that they can be."""
        return super().payload(prepare, {self.name: item} if isinstance(item, str) else item)

    def checked(self, prepare: Prepare, payload: Payload) -> Payload:
        """The bytes of the file, with what the network sees of it: decoded here and not again."""
        if isinstance(prepare, ImagePrepare):
            return prepare.seen(payload)
        return super().checked(prepare, payload)

    def outside(self, prepare: Prepare, payload: Payload) -> list[str]:
        """That so few of its bits are filled that it is nearly black."""
        return prepare.outside(payload) if isinstance(prepare, ImagePrepare) else []

    def travelling(self, payload: Payload) -> Any:
        """The bytes of the file, and the pixels that the network sees."""
        if not isinstance(payload, Seen):
            return (payload,)
        return bytes(payload), payload.square.shape, payload.square.tobytes()

    def arrived(self, prepare: Prepare, said: Any) -> Payload:
        """The file, with those pixels."""
        file, *square = said
        if not square or not isinstance(prepare, ImagePrepare):
            return file
        return prepare.seen(file, np.frombuffer(square[1], np.uint8).reshape(square[0]))

    def weight(self, item: Any) -> int:
        """Millions of pixels that its file says it has, or quarters of a megabyte."""
        try:
            packed = item.get(self.name) if isinstance(item, Mapping) else item
            file: bytes = self.unpack(packed)
            return math.ceil(max(1, pixels.promised(file) / 1e6, len(file) / (256 << 10)))
        except InvalidInput:
            return 1  # reading it says what is wrong

    def schema(self, prepare: Prepare) -> dict[str, Any]:
        """An object with the file in base64."""
        image = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}
        return {"type": "object", "properties": {self.name: image}, "required": [self.name]}

    def parts(self, prepare: Prepare, payload: Payload) -> ImageParts:
        """Regions, and quarters of regions."""
        if not isinstance(prepare, ImagePrepare):
            raise InvalidInput(f"a {prepare.modality} is no image")
        return ImageParts(prepare, payload)

    def baseline(
        self, prepare: Prepare, train: Iterable[Payload], payloads: Iterable[Payload]
    ) -> Baseline:
        """Pixels, at the size the encoder sees them."""
        if not isinstance(prepare, ImagePrepare):
            raise InvalidInput(f"a {prepare.modality} is no image")
        files = iter(payloads)
        rows = [prepare.pixels(batch) for batch in iter(lambda: list(islice(files, BATCH)), [])]
        how = "cosine of the pixels, at the size the encoder sees them"
        return Baseline("pixels", how, unit_rows(np.concatenate(rows)), Cosine())

    def word(self, word: str, where: str) -> Any | None:
        """The image file that the word is the path of."""
        path = modality.file_at(word)
        return None if path is None else self.item(path.read_bytes())

    def picture(self, payload: Payload, tints: Sequence[Tint], size: int) -> bytes | None:
        """The image in grey, its regions tinted."""
        return display.tinted(payload, tints, size)

    def thumbnail(self, payload: Payload, size: int = THUMBNAIL) -> bytes | None:
        """The image, smaller."""
        return display.thumbnail(payload, size)

    def kept(self, payload: Payload) -> Payload:
        """Its thumbnail."""
        return display.thumbnail(payload)


IMAGE = ImageModality()
