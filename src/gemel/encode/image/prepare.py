"""Images to arrays: decode, orient, put on a ground, pad to a square, resize, normalise.

The same code runs in training and serving, described by a JSON spec that is part of the space. How
a file becomes pixels is known to `data.pixels`; what cannot be one is refused as invalid input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gemel.arrays import Float32
from gemel.data.schema import Field
from gemel.data.sources import pixels
from gemel.data.sources.pixels import FORMATS, SEEN, Flattening
from gemel.errors import DataError, InvalidInput, ReleaseError

ARRAY = "image"
"""Name of the array that a network takes."""
SIZES = (16, 24, 32, 48, 64)
FITTED_IMAGES = 500
GREY_CHROMA = 2.0
"""Mean difference of colour channels, of 255, below which images count as greyscale."""
NEARLY_BLACK = 4
"""Bits that are not filled: the brightest pixel is at most a sixteenth of white."""
FULL = Flattening(16)
OLD = Flattening(16, white=True)
"""Of a spec that does not say: transparency was white, and 16 bits were taken to be full."""


class Seen(bytes):
    """An image file, with the square that a preprocessing made of it.

    Attributes:
        by: that preprocessing.
        square: (size, size) or (size, size, 3) uint8.
    """

    by: ImagePrepare
    square: NDArray[np.uint8]


class ImagePrepare:
    """Image files to `image` (n, c, size, size) float32, about zero mean and unit variance.

    Args:
        size: side of the square, in pixels.
        channels: 1 = greyscale, 3 = RGB.
        mean: of each channel, of values in [0, 1].
        std: of each channel.
        flat: what becomes of transparency and 16 bits.
    Attributes:
        normalising: factor and what is then subtracted, (c, 1, 1) float32 each, of pixels up to
            255.
    """

    modality = "image"
    fields: tuple[Field, ...] = ()

    def __init__(
        self,
        size: int,
        channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        flat: Flattening = FULL,
    ) -> None:
        if size < 1 or channels not in (1, 3) or not len(mean) == len(std) == channels:
            raise DataError(
                f"size {size}, {channels} channels, mean {mean} and std {std} make no preprocessing"
            )
        self.size = size
        self.channels = channels
        self.flat = flat
        self.mean = [float(m) for m in mean]
        self.std = [float(s) for s in std]
        shape = (channels, 1, 1)
        scale = (1 / (255 * np.array(self.std))).astype(np.float32).reshape(shape)
        shift = (np.array(self.mean) / np.array(self.std)).astype(np.float32).reshape(shape)
        self.normalising = scale, shift

    @classmethod
    def fit(cls, payloads: Sequence[bytes], size: int = 0) -> ImagePrepare:
        """The preprocessing that suits these images: their size, colour, brightness, contrast.

        Args:
            payloads: image files; at most 500 of them, evenly spread, are looked at.
            size: side of the square; 0: as large as they are, up to 64.
        Raises:
            DataError: there are none.
            InvalidInput: one cannot be decoded.
        """
        if not len(payloads):
            raise DataError("no images to choose the preprocessing from")
        some = np.unique(np.linspace(0, len(payloads) - 1, FITTED_IMAGES).astype(int))
        raw = [_opened(payloads[i], SIZES[-1]) for i in some]
        flat = Flattening(_bits(raw))
        images = [_flattened(image, flat) for image in raw]
        if not size:
            side = float(np.median([max(i.size) for i in images]))
            size = next((s for s in SIZES if s >= side), SIZES[-1])
        colour = [np.asarray(_square(i, size), np.float32) for i in images if i.mode == "RGB"]
        chroma = [float(np.ptp(values, axis=2).mean()) for values in colour]
        channels = 3 if chroma and np.mean(chroma) > GREY_CHROMA else 1
        plain = cls(size, channels, [0.0] * channels, [1.0] * channels, flat)
        squares = np.stack([plain._pixels(i) for i in images]) / np.float32(255)
        mean = squares.mean(axis=(0, 2, 3), dtype=np.float64)
        std = np.maximum(squares.std(axis=(0, 2, 3), dtype=np.float64), 1e-3)
        return cls(size, channels, np.round(mean, 6).tolist(), np.round(std, 6).tolist(), flat)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> ImagePrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: the spec is not one of images.
        """
        try:
            bits = spec.get("bits")
            flat = Flattening(None if bits is None else int(bits)) if "bits" in spec else OLD
            return cls(int(spec["size"]), int(spec["channels"]), spec["mean"], spec["std"], flat)
        except (KeyError, TypeError, ValueError, DataError) as e:
            raise ReleaseError(f"this is no preprocessing of images: {e}") from e

    def spec(self) -> dict[str, Any]:
        """Everything that decides the arrays, as JSON values."""
        return {
            "modality": self.modality,
            "version": 1,
            "size": self.size,
            "channels": self.channels,
            "mean": self.mean,
            "std": self.std,
            **({} if self.flat == OLD else {"bits": self.flat.bits}),
        }

    def check(self, payload: Any) -> None:
        """Raise InvalidInput if the payload is not an image file that can be encoded."""
        self.decode(payload)

    def outside(self, payload: bytes) -> list[str]:
        """That a file fills so few of the bits that files are read by that it is nearly black.

        Args:
            payload: checked.
        """
        bits = None if self.flat.bits is None else pixels.filled(payload)
        if bits is None or self.flat.bits is None or bits + NEARLY_BLACK > self.flat.bits:
            return []
        return [f"{bits} bits are filled, of {self.flat.bits} that are read: it is nearly black"]

    def decode(self, payload: Any) -> Image.Image:
        """A payload as this preprocessing sees it, at a size near its own; see `decode`."""
        return decode(payload, self.size, self.flat)

    def seen(self, payload: Any, square: NDArray[np.uint8] | None = None) -> Seen:
        """The payload with what the network sees of it, so that it is decoded once.

        Args:
            payload: bytes of an image file.
            square: what this preprocessing made of it already, see `Seen`.
        Raises:
            InvalidInput: it is no image file that can be encoded.
        """
        if square is None:
            square = np.asarray(self.square(self.decode(payload)))
        seen = Seen(payload)
        seen.by, seen.square = self, square
        return seen

    def __call__(self, payloads: Sequence[bytes]) -> dict[str, NDArray[Any]]:
        """`image` (n, c, size, size) float32.

        Raises:
            InvalidInput: one of the files cannot be decoded.
        """
        out = np.empty((len(payloads), self.channels, self.size, self.size), np.float32)
        scale, shift = self.normalising
        for i, payload in enumerate(payloads):
            if isinstance(payload, Seen) and payload.by is self:
                values = _planes(payload.square)
            else:
                values = self._pixels(self.decode(payload))
            np.multiply(values, scale, out=out[i])
        out -= shift
        return {ARRAY: out}

    def pixels(self, payloads: Sequence[bytes]) -> Float32:
        """Pixels in [0, 1], without the normalisation meant for the network: (n, c * h * w)."""
        image: Float32 = self(payloads)[ARRAY]
        per_channel = (1, -1, 1, 1)
        std, mean = (np.asarray(v, np.float32).reshape(per_channel) for v in (self.std, self.mean))
        return (image * std + mean).reshape(len(image), -1)

    def square(self, image: Image.Image) -> Image.Image:
        """A decoded image as the network sees it, before normalising; it is its own square."""
        mode = "L" if self.channels == 1 else "RGB"
        return _square(image if image.mode == mode else image.convert(mode), self.size)

    def _pixels(self, image: Image.Image) -> Float32:
        """(c, size, size) float32 in [0, 255]."""
        return _planes(np.asarray(self.square(image)))


def _planes(square: NDArray[np.uint8]) -> Float32:
    """Pixels of a square, channel by channel: (c, size, size) float32 in [0, 255]."""
    values = square.astype(np.float32)
    return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))


def decode(payload: Any, size: int = SIZES[-1], flat: Flattening = SEEN) -> Image.Image:
    """The image, upright, without transparency, as greyscale (`L`) or `RGB`.

    Args:
        payload: bytes of an image file; of an animation, the first frame counts.
        size: side that it will be resized to; lets JPEG decoders skip detail.
        flat: what becomes of transparency and 16 bits.
    Raises:
        InvalidInput: not bytes, not an image, damaged, or larger than 50 million pixels.
    """
    return _flattened(_opened(payload, size), flat)


def _opened(payload: Any, size: int) -> Image.Image:
    if not isinstance(payload, bytes | bytearray | memoryview):
        raise _invalid(f"a {type(payload).__name__} is not the bytes of an image file")
    try:
        return pixels.opened(bytes(payload), size)
    except pixels.Unusable as e:
        raise _invalid(str(e)) from e


def _flattened(image: Image.Image, flat: Flattening) -> Image.Image:
    try:
        return flat(image)
    except pixels.Unusable as e:
        raise _invalid(str(e)) from e


def _bits(images: Sequence[Image.Image]) -> int | None:
    """Depth of the 16-bit files among some images; None where there are none."""
    deep = [i.getextrema()[1] for i in images if i.mode.startswith("I")]
    if not deep:
        return None
    brightest = max((int(v) for v in deep if isinstance(v, int | float)), default=65535)
    return pixels.bits_of(min(max(brightest, 0), 65535))


def _invalid(what: str) -> InvalidInput:
    return InvalidInput(what, where="image", hint=f"send a file of {', '.join(FORMATS)}")


def _square(image: Image.Image, size: int) -> Image.Image:
    """The whole image, resized, on a square of the mean colour of its border."""
    longest = max(image.size)
    if longest != size:
        # Resized before it is padded: a long thin image would make a square of gigabytes.
        sides = [max(1, round(side * size / longest)) for side in image.size]
        small = image.resize((sides[0], sides[1]), Image.Resampling.BICUBIC)
    else:
        small = image
    if small.size == (size, size):
        return small
    padded = Image.new(image.mode, (size, size), border(image))
    padded.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return padded


def border(image: Image.Image) -> int | tuple[int, ...]:
    """Mean colour of the outermost pixels: what stands for "nothing" around an image."""
    values = np.asarray(image)
    edges = (values[0], values[-1], values[:, 0], values[:, -1])
    mean = np.concatenate(edges).mean(axis=0).round().astype(int)
    return int(mean) if mean.ndim == 0 else tuple(int(v) for v in mean)
