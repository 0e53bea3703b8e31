"""Image files to pixels: opened carefully, upright, on a ground on which they can be seen.

Files are untrusted: only a few raster formats are opened, sizes are checked before pixels are
decoded, and whatever is broken is refused with its reason. Every reader of images decodes here, so
that a file is refused for the same reason by whoever looks at it first.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
MAX_PIXELS = 50_000_000
"""Images with more pixels are refused before they are decoded."""
DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and scanners fill of the 16 that a file has."""
LEAST_READS = 10_000
BYTES_A_READ = 256
"""Of a file, on average: one of millions of empty parts would keep a decoder busy for seconds."""
MAX_PROFILES = 8
"""Colour profiles of a file: one of a kilobyte may unpack to a megabyte."""
DEFLATE = 1032
"""Bytes that one compressed byte stands for, at most, in a PNG."""
FAINT = 32
"""Mean darkness, of 255, below which a drawing is lost on white."""

_UNREAD = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heif": "HEIC",
    b"mif1": "HEIC",
    b"avif": "AVIF",
    b"avis": "AVIF",
}
_STARTS = ((b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"\0\0\1\0", "ICO"), (b"8BPS", "PSD"))
LEAST_SIDE, MOST_ASPECT = 8, 50
"""Pixels, and sides to each other, beyond which little of a picture is left in a square."""


class Unusable(ValueError):
    """Bytes are no image that is read; the message says why."""


@dataclass(frozen=True)
class Flattening:
    """How pixels become greyscale or RGB of 8 bits without transparency.

    Args:
        bits: that 16-bit files fill; None: as many as the brightest pixel of each file needs.
        white: transparency is white for every drawing, however light, as it once was.
    """

    bits: int | None = None
    white: bool = False

    def __call__(self, image: Image.Image) -> Image.Image:
        """The image as `L` or `RGB`.

        Raises:
            Unusable: pixels are floating-point numbers.
        """
        if image.mode in ("RGB", "L"):
            if "transparency" not in image.info:
                return image
        elif image.mode == "1":
            return image.convert("L")
        elif image.mode.startswith("I"):
            deep = np.clip(np.asarray(image, np.int64), 0, 65535)
            bits = self.bits or bits_of(int(deep.max()))
            return Image.fromarray((np.minimum(deep, 2**bits - 1) >> (bits - 8)).astype(np.uint8))
        elif image.mode == "F":
            raise Unusable("pixels are floating-point numbers of unknown range")
        if not image.has_transparency_data:
            return image.convert("RGB")
        grey = image.mode in ("L", "LA", "La")
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (255,) * 4 if self.white else _ground(layer))
        return Image.alpha_composite(ground, layer).convert("L" if grey else "RGB")


SEEN = Flattening()
"""For people: whatever can be seen of a file is seen."""


def opened(data: bytes, size: int | None = None) -> Image.Image:
    """The image in a file, decoded and upright; of an animation or several pages, the first.

    Args:
        data: bytes of the file.
        size: side that it will be resized to; lets JPEG decoders skip detail.
    Raises:
        Unusable: no image, of a format that is not read, damaged, or of too many pixels.
    """
    if not data:
        raise Unusable("not an image: the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(_File(data), formats=FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise Unusable(
                    f"{image.width} x {image.height} pixels, at most {MAX_PIXELS:,} are read"
                )
            if image.format == "JPEG" and size is not None:
                image.draft(None, (2 * size, 2 * size))
            if _is_short(image, len(data)):
                raise Unusable("broken image: most of its pixels are missing")
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return image
    except Unusable:
        raise
    except UnidentifiedImageError as e:
        raise Unusable(unread(data[:16]) or "not an image, or of an unknown format") from e
    except Image.DecompressionBombError as e:
        raise Unusable(f"more pixels than the {MAX_PIXELS:,} that are read") from e
    except Exception as e:
        # Pillow's decoders raise nearly every kind of exception on damaged files.
        raise Unusable(f"broken image: {e}") from e


def promised(data: bytes) -> int:
    """Pixels that the head of a file promises; 0 for no image. Nothing is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(_File(data), formats=FORMATS) as image:
                return image.width * image.height
    except Exception:  # as in `opened`, where it is told
        return 0


class _File(io.BytesIO):
    """The bytes of a file that has no more parts than an image needs.

    Raises:
        Unusable: it has, when it is read.
    """

    def __init__(self, data: bytes) -> None:
        if data.count(b"iCCP") > MAX_PROFILES:
            raise Unusable("broken image: many colour profiles")
        super().__init__(data)
        self._left = LEAST_READS + len(data) // BYTES_A_READ

    def read(self, size: int | None = -1, /) -> bytes:
        """Some of the bytes."""
        self._left -= 1
        if self._left < 0:
            raise Unusable("broken image: it consists of too many small parts")
        return super().read(size)


def _is_short(image: Image.Image, n_bytes: int) -> bool:
    """Whether a PNG has fewer bytes than its pixels come to at the best compression there is.

    Pillow fills up with black what is missing behind a sound end of the compressed data.
    """
    bits = 1 if image.mode == "1" else 8 * len(image.getbands())
    packed = 1 if image.mode == "P" else bits  # a palette may have one bit a pixel
    return image.format == "PNG" and image.width * image.height * packed / 8 > DEFLATE * n_bytes


def unread(start: bytes) -> str:
    """What to do about a file that starts so, if it is an image of a format that is not read."""
    name = _UNREAD.get(start[8:12]) if start[4:8] == b"ftyp" else None
    name = name or next((what for sign, what in _STARTS if start.startswith(sign)), None)
    return f"{name} is not read: save it as JPEG or PNG" if name else ""


def remark(data: bytes) -> str:
    """What a user should know of a usable file, in words that many share; empty if nothing."""
    (width, height), _ = _head(data)
    if min(width, height) < LEAST_SIDE:
        return f"a side of fewer than {LEAST_SIDE} pixels"
    if max(width, height) > MOST_ASPECT * min(width, height):
        return f"one side more than {MOST_ASPECT} times the other, so that a square shows a line"
    bits = filled(data)
    if bits is None or bits == DEPTHS[-1]:
        return ""
    return f"{bits} of 16 bits are filled: darker than in 8 bits beside files that fill more"


def filled(data: bytes) -> int | None:
    """The depth that a usable file of 16 bits fills; None for one of 8."""
    if data.startswith(b"\xff\xd8") or not _head(data)[1].startswith("I"):  # a JPEG has 8
        return None
    return bits_of(int(np.clip(np.asarray(opened(data), np.int64).max(), 0, 65535)))


def _head(data: bytes) -> tuple[tuple[int, int], str]:
    """Width and height, and the mode, that the head of a usable file says; nothing is decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(_File(data), formats=FORMATS) as image:
            return image.size, image.mode


def starts_an_image(start: bytes) -> bool:
    """Whether a file that starts so, 16 bytes of it, says that it is an image that is read."""
    signs = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
    return start.startswith(signs) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def bits_of(brightest: int) -> int:
    """The depth that a value fills.

    Example:
        >>> bits_of(200), bits_of(4095), bits_of(65535)
        (8, 12, 16)
    """
    return next(bits for bits in DEPTHS if brightest < 2**bits)


def _ground(layer: Image.Image) -> tuple[int, int, int, int]:
    """White, or black where what is drawn would be lost on white."""
    pixels = np.asarray(layer)
    opacity = pixels[..., 3].astype(np.float64)
    darkness = 255.0 - np.asarray(layer.convert("RGB").convert("L"), np.float64)
    drawn = float(opacity.sum())
    faint = drawn > 0 and float((darkness * opacity).sum()) / drawn < FAINT
    return (0, 0, 0, 255) if faint else (255, 255, 255, 255)
