"""Images to arrays: decode, orient, put on white, pad to a square, resize, normalise.

The same Pillow code runs in training and serving, described by a JSON spec that is part of the
space. Files are untrusted: only a few raster formats are opened, sizes are checked before pixels
are decoded, and whatever is broken is refused as invalid input.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gemel.arrays import Float32
from gemel.data.schema import Field
from gemel.errors import DataError, InvalidInput, ReleaseError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 50_000_000
SIZES = (16, 24, 32, 48, 64)
FITTED_IMAGES = 500
GREY_CHROMA = 2.0
"""Mean difference of colour channels, of 255, below which images count as greyscale."""
WHITE = (255, 255, 255, 255)


class ImagePrepare:
    """Image files to `image` (n, c, size, size) float32, about zero mean and unit variance.

    Args:
        size: side of the square, in pixels.
        channels: 1 = greyscale, 3 = RGB.
        mean: of each channel, of values in [0, 1].
        std: of each channel.
    """

    modality = "image"
    fields: tuple[Field, ...] = ()

    def __init__(
        self, size: int, channels: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        if size < 1 or channels not in (1, 3) or not len(mean) == len(std) == channels:
            raise DataError(
                f"size {size}, {channels} channels, mean {mean} and std {std} make no preprocessing"
            )
        self.size = size
        self.channels = channels
        self.mean = [float(m) for m in mean]
        self.std = [float(s) for s in std]
        shape = (channels, 1, 1)
        self._scale = (1 / (255 * np.array(self.std))).astype(np.float32).reshape(shape)
        self._shift = (np.array(self.mean) / np.array(self.std)).astype(np.float32).reshape(shape)

    @classmethod
    def fit(cls, payloads: Sequence[bytes]) -> ImagePrepare:
        """The preprocessing that suits these images: their size, colour, brightness, contrast.

        Args:
            payloads: image files; at most 500 of them, evenly spread, are looked at.
        Raises:
            DataError: there are none.
            InvalidInput: one cannot be decoded.
        """
        if not len(payloads):
            raise DataError("no images to choose the preprocessing from")
        some = np.unique(np.linspace(0, len(payloads) - 1, FITTED_IMAGES).astype(int))
        images = [decode(payloads[i]) for i in some]
        side = float(np.median([max(i.size) for i in images]))
        size = next((s for s in SIZES if s >= side), SIZES[-1])
        colour = [np.asarray(_square(i, size), np.float32) for i in images if i.mode == "RGB"]
        chroma = [float(np.ptp(pixels, axis=2).mean()) for pixels in colour]
        channels = 3 if chroma and np.mean(chroma) > GREY_CHROMA else 1
        plain = cls(size, channels, [0.0] * channels, [1.0] * channels)
        pixels = np.stack([plain._pixels(i) for i in images]) / np.float32(255)
        mean = pixels.mean(axis=(0, 2, 3), dtype=np.float64)
        std = np.maximum(pixels.std(axis=(0, 2, 3), dtype=np.float64), 1e-3)
        return cls(size, channels, np.round(mean, 6).tolist(), np.round(std, 6).tolist())

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> ImagePrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: the spec is not one of images.
        """
        try:
            return cls(int(spec["size"]), int(spec["channels"]), spec["mean"], spec["std"])
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
        }

    def check(self, payload: Any) -> None:
        """Raise InvalidInput if the payload is not an image file that can be encoded."""
        decode(payload)

    def __call__(self, payloads: Sequence[bytes]) -> dict[str, NDArray[Any]]:
        """`image` (n, c, size, size) float32.

        Raises:
            InvalidInput: one of the files cannot be decoded.
        """
        out = np.empty((len(payloads), self.channels, self.size, self.size), np.float32)
        for i, payload in enumerate(payloads):
            np.multiply(self._pixels(decode(payload, self.size)), self._scale, out=out[i])
        out -= self._shift
        return {"image": out}

    def pixels(self, payloads: Sequence[bytes]) -> Float32:
        """Pixels in [0, 1], without the normalisation meant for the network: (n, c * h * w)."""
        image: Float32 = self(payloads)["image"]
        per_channel = (1, -1, 1, 1)
        std, mean = (np.asarray(v, np.float32).reshape(per_channel) for v in (self.std, self.mean))
        return (image * std + mean).reshape(len(image), -1)

    def square(self, image: Image.Image) -> Image.Image:
        """A decoded image as the network sees it, before normalising; it is its own square."""
        mode = "L" if self.channels == 1 else "RGB"
        return _square(image if image.mode == mode else image.convert(mode), self.size)

    def _pixels(self, image: Image.Image) -> Float32:
        """(c, size, size) float32 in [0, 255]."""
        pixels = np.asarray(self.square(image), np.float32)
        return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def decode(payload: Any, size: int = SIZES[-1]) -> Image.Image:
    """The image, upright, without transparency, as greyscale (`L`) or `RGB`.

    Args:
        payload: bytes of an image file; of an animation, the first frame counts.
        size: side that it will be resized to; lets JPEG decoders skip detail.
    Raises:
        InvalidInput: not bytes, not an image, damaged, or larger than 50 million pixels.
    """
    if not isinstance(payload, bytes | bytearray | memoryview):
        raise _invalid(f"a {type(payload).__name__} is not the bytes of an image file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(payload), formats=FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise _invalid(
                    f"{image.width} x {image.height} pixels, at most 50 million are read"
                )
            if image.format == "JPEG":
                image.draft(None, (2 * size, 2 * size))
            image.load()
            return _plain(ImageOps.exif_transpose(image))
    except InvalidInput:
        raise
    except UnidentifiedImageError as e:
        raise _invalid("not an image, or of an unknown format") from e
    except Image.DecompressionBombError as e:
        raise _invalid("more pixels than the 50 million that are read") from e
    except Exception as e:
        # Pillow's decoders raise nearly every kind of exception on damaged files.
        raise _invalid(f"broken image: {e}") from e


def _invalid(what: str) -> InvalidInput:
    return InvalidInput(what, where="image", hint=f"send a file of {', '.join(FORMATS)}")


def _plain(image: Image.Image) -> Image.Image:
    """Greyscale or RGB, transparency put on white, 16 bits reduced to 8."""
    if image.mode in ("RGB", "L"):
        if "transparency" not in image.info:
            return image
    elif image.mode == "1":
        return image.convert("L")
    elif image.mode.startswith("I"):
        deep = np.asarray(image, np.int64)
        return Image.fromarray((np.clip(deep, 0, 65535) >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise _invalid("pixels are floating-point numbers of unknown range")
    if image.has_transparency_data:
        grey = image.mode in ("L", "LA", "La")
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
        return image.convert("L" if grey else "RGB")
    return image.convert("RGB")


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
    pixels = np.asarray(image)
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    mean = np.concatenate(edges).mean(axis=0).round().astype(int)
    return int(mean) if mean.ndim == 0 else tuple(int(v) for v in mean)
