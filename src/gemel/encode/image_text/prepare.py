"""Pictures and texts to the arrays of both, and which of the two each payload is.

What a payload is not is zero in the arrays of the other kind, so that one network takes both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Bool
from gemel.data.schema import Field
from gemel.data.sources import captions
from gemel.encode.image.prepare import ImagePrepare
from gemel.encode.modality import Prepare
from gemel.encode.text.prepare import TextPrepare
from gemel.errors import InvalidInput, ReleaseError

NAME = captions.NAME
IS_TEXT = "is_text"


class ImageTextPrepare:
    """Payloads to `image`, `gram`, `count` and `is_text` (n,) uint8.

    Args:
        image: preprocessing of pictures.
        text: of texts.
    """

    modality = NAME
    fields: tuple[Field, ...] = ()

    def __init__(self, image: ImagePrepare, text: TextPrepare) -> None:
        self.image = image
        self.text = text

    @classmethod
    def fit(cls, payloads: Sequence[bytes | str], size: int = 0) -> ImageTextPrepare:
        """The preprocessing that suits these pictures and these texts."""
        pictures = [p for p in payloads if not isinstance(p, str)]
        texts = [p for p in payloads if isinstance(p, str)]
        return cls(ImagePrepare.fit(pictures, size), TextPrepare.fit(texts))

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> ImageTextPrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: the spec is not one of pictures and texts.
        """
        try:
            image, text = spec["image"], spec["text"]
        except KeyError as e:
            raise ReleaseError(f"this is no preprocessing of pictures and texts: {e}") from e
        return cls(ImagePrepare.from_spec(image), TextPrepare.from_spec(text))

    def spec(self) -> dict[str, Any]:
        """Everything that decides the arrays, as JSON values."""
        return {
            "modality": self.modality,
            "size": self.image.size,
            "image": self.image.spec(),
            "text": self.text.spec(),
        }

    def check(self, payload: Any) -> None:
        """Raise InvalidInput if the payload is neither a picture nor a text that encodes."""
        if not isinstance(payload, str | bytes | bytearray | memoryview):
            what = f"a {type(payload).__name__} is neither a picture nor a text"
            hint = 'send {"image": base64} or {"text": "..."}'
            raise InvalidInput(what, where="image", hint=hint)
        (self.text if isinstance(payload, str) else self.image).check(payload)

    def __call__(self, payloads: Sequence[bytes | str]) -> dict[str, NDArray[Any]]:
        """The arrays of both, first axis = payloads."""
        is_text = np.array([isinstance(p, str) for p in payloads], np.bool_)
        out: dict[str, NDArray[Any]] = {IS_TEXT: is_text.astype(np.uint8)}
        halves: tuple[tuple[Prepare, Bool], ...] = (
            (self.image, ~is_text),
            (self.text, is_text),
        )
        for prepare, there in halves:
            places = np.flatnonzero(there)
            for name, a in prepare([payloads[i] for i in places.tolist()]).items():
                out[name] = np.zeros((len(payloads), *a.shape[1:]), a.dtype)
                out[name][places] = a
        return out
