"""Images become the same array every time; what cannot be one is refused with its reason."""

from __future__ import annotations

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from gemel.encode.encoder import prepare_from_spec
from gemel.encode.image.prepare import ImagePrepare, decode
from gemel.errors import DataError, InvalidInput, ReleaseError


def file(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def noise(size: tuple[int, int], channels: int = 3, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels))
    return Image.fromarray(pixels.astype(np.uint8).squeeze())


def plain(size: int = 16, channels: int = 1) -> ImagePrepare:
    return ImagePrepare(size, channels, [0.0] * channels, [1.0] * channels)


def pixels(payload: bytes, prepare: ImagePrepare | None = None) -> np.ndarray:
    return (prepare or plain())([payload])["image"][0]


def chunk(name: bytes, body: bytes) -> bytes:
    """A part of a PNG file."""
    whole = name + body
    return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))


def png_header(width: int, height: int) -> bytes:
    """The start of a PNG of that size: what a decompression bomb looks like before it goes off."""

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


def test_values_are_scaled_to_mean_zero_and_unit_variance() -> None:
    files = [file(noise((20, 20), 1, seed=i)) for i in range(30)]
    got = ImagePrepare.fit(files)(files)["image"]
    assert got.dtype == np.float32
    assert got.shape == (30, 1, 24, 24)
    assert abs(got.mean()) < 1e-3
    assert abs(got.std() - 1) < 1e-3


@pytest.mark.parametrize(("side", "size"), [(8, 16), (16, 16), (28, 32), (64, 64), (300, 64)])
def test_the_size_follows_the_images(side: int, size: int) -> None:
    assert ImagePrepare.fit([file(noise((side, side), 1))]).size == size


def test_colour_is_kept_only_where_there_is_colour() -> None:
    grey = noise((16, 16), 1)
    assert ImagePrepare.fit([file(grey), file(grey.convert("RGB"))]).channels == 1
    assert ImagePrepare.fit([file(noise((16, 16), 3))]).channels == 3


def test_orientation_of_the_camera_is_undone() -> None:
    upright = noise((16, 24), 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = file(upright.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    prepare = plain(16, 3)
    assert np.array_equal(pixels(turned, prepare), pixels(file(upright), prepare))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 8, 16))
    got = pixels(file(image if mode == "RGBA" else image.convert(mode)))
    assert np.all(got[0, :, 8:] == 1)
    assert np.all(got[0, :, :8] == 0)


def drawing(ink: int, mode: str = "RGBA") -> bytes:
    """A ring of one shade on transparency."""
    image = Image.new("RGBA", (16, 16), (ink, ink, ink, 0))
    ImageDraw.Draw(image).ellipse((3, 3, 12, 12), outline=(ink, ink, ink, 255), width=2)
    return file(image.convert(mode))


@pytest.mark.parametrize("ink", [255, 240, 0, 90])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_drawing_on_transparency_is_seen_whatever_its_shade(ink: int, mode: str) -> None:
    got = pixels(drawing(ink, mode), plain(16))[0]
    assert np.ptp(got) > 0.5
    assert np.array_equal(got > 0.5, pixels(drawing(0, mode))[0] > 0.5) == (ink < 200)


def test_a_spec_from_before_grounds_were_chosen_encodes_as_it_did() -> None:
    spec = {k: v for k, v in plain(16).spec().items() if k != "bits"}
    before = ImagePrepare.from_spec(spec)
    assert before.spec() == spec
    assert pixels(drawing(255), before).min() == 1
    deep = file(Image.fromarray(np.full((16, 16), 4095, np.uint16)))
    assert abs(pixels(deep, before).max() - 15 / 255) < 1e-6


def test_the_depth_of_sixteen_bit_files_is_fitted_and_kept() -> None:
    """12-bit data in 16-bit files are not black; the depth is the data's, not a file's."""
    ramp = np.linspace(0, 4095, 256).reshape(16, 16)
    files = [file(Image.fromarray((ramp * share).astype(np.uint16))) for share in (1, 0.5)]
    prepare = ImagePrepare.fit(files)
    assert prepare.spec()["bits"] == 12
    bright, dark = prepare.pixels(files)
    assert abs(bright - ramp.ravel() / 4095).max() < 0.01
    assert abs(dark - ramp.ravel() / 8190).max() < 0.01


def test_without_sixteen_bit_files_to_learn_from_each_is_read_at_the_depth_it_fills() -> None:
    """12 bits in 16 were nearly black beside the same picture in 8."""
    ramp = np.linspace(0, 1, 256).reshape(16, 16)
    plain, of_12 = (
        file(Image.fromarray((ramp * (2**bits - 1)).astype(kind)))
        for bits, kind in ((8, np.uint8), (12, np.uint16))
    )
    prepare = ImagePrepare.from_spec(ImagePrepare.fit([plain]).spec())
    assert prepare.spec()["bits"] is None
    eight, twelve = prepare.pixels([plain, of_12])
    assert abs(eight - twelve).max() < 0.01
    assert prepare.outside(of_12) == []
    earlier = ImagePrepare.from_spec({**prepare.spec(), "bits": 16})
    assert earlier.outside(plain) == []
    assert earlier.outside(of_12) == ["12 bits are filled, of 16 that are read: it is nearly black"]


@pytest.mark.parametrize("size", [0, 24, 48])
def test_a_size_can_be_asked_for(size: int) -> None:
    prepare = ImagePrepare.fit([file(noise((30, 30), 1))], size)
    assert prepare.size == (size or 32)


def test_sixteen_bits_are_reduced_to_eight() -> None:
    deep = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    got = pixels(file(Image.fromarray(deep)))
    assert abs(got[0] - deep / 65535).max() < 1 / 255


def test_the_whole_picture_is_kept_and_padded_with_its_border() -> None:
    wide = Image.new("L", (16, 4), 51)
    assert abs(pixels(file(wide)) - 0.2).max() < 1e-6


def test_a_long_thin_image_costs_no_more_than_its_pixels() -> None:
    long = pixels(file(Image.new("L", (1, 400_000), 128)))  # a square of it would be 160 GB
    assert long.shape == (1, 16, 16)
    assert np.allclose(long, 128 / 255, atol=1e-6)


def test_the_result_does_not_depend_on_the_batch() -> None:
    files = [file(noise((16, 16), 3, seed=i), "JPEG") for i in range(5)]
    prepare = ImagePrepare.fit(files)
    together = prepare(files)["image"]
    assert np.array_equal(together, np.stack([pixels(f, prepare) for f in files]))
    assert prepare([])["image"].shape == (0, 3, 16, 16)


def test_the_spec_gives_the_same_preprocessing() -> None:
    files = [file(noise((16, 16), 3, seed=i)) for i in range(5)]
    prepare = ImagePrepare.fit(files)
    again = prepare_from_spec(json.loads(json.dumps(prepare.spec())))
    assert again.spec() == prepare.spec()
    assert np.array_equal(again(files)["image"], prepare(files)["image"])


def within(data: bytes, at: int, part: bytes, n: int) -> bytes:
    """A file with a part n times in it."""
    return data[:at] + part * n + data[at:]


GOOD = file(noise((64, 64), 3))
MEGABYTE = zlib.compress(bytes(1_000_000), 9)
PHOTO, PAGE = file(noise((8, 8)), "JPEG"), file(noise((8, 8), 1), "GIF")
BAD = {
    "text": (b"hello", "not an image"),
    "nothing": (b"", "not an image"),
    "a row": ({"name": "Ann"}, "not the bytes"),
    "None": (None, "not the bytes"),
    "truncated": (GOOD[: len(GOOD) // 2], "broken image"),
    "flipped bits": (GOOD[:200] + bytes(b ^ 255 for b in GOOD[200:400]) + GOOD[400:], "broken"),
    "bomb": (png_header(30_000, 30_000), "pixels"),
    "larger than read": (png_header(8000, 7000), "8000 x 7000 pixels"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    "texts that unpack to much": (
        within(GOOD, 33, chunk(b"zTXt", b"k\0\0" + MEGABYTE), 90),
        "text chunks",
    ),
    "a text that unpacks to much": (
        within(GOOD, 33, chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(9_000_000))), 1),
        "too large",
    ),
    "colour profiles that unpack to much": (
        within(GOOD, 33, chunk(b"iCCP", b"k\0\0" + MEGABYTE), 90),
        "many colour profiles",
    ),
    "parts without end, PNG": (within(GOOD, 33, chunk(b"prVt", b""), 30_000), "small parts"),
    "parts without end, JPEG": (within(PHOTO, 2, b"\xff\xfe\0\2", 30_000), "small parts"),
    "parts without end, GIF": (
        within(PAGE, PAGE.index(b",", 13), b"!\xfe\1a\0", 30_000),
        "small parts",
    ),
    "parts without end, PPM": (b"P5\n#" + b"a" * 30_000 + b"\n8 8\n255\n", "small parts"),
    "floats": (file(Image.new("F", (9, 9)), "TIFF"), "floating-point"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_refused(name: str) -> None:
    payload, reason = BAD[name]
    with pytest.raises(InvalidInput, match=reason) as caught:
        plain().check(payload)
    assert caught.value.where == "image"
    assert caught.value.hint


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_usual_formats_are_read(format: str) -> None:
    assert decode(file(noise((16, 16)), format)).size == (16, 16)


def test_no_images_to_look_at_is_said() -> None:
    with pytest.raises(DataError, match="no images"):
        ImagePrepare.fit([])


@pytest.mark.parametrize("broken", [{"size": 0}, {"std": [1, 1]}, {"channels": 2}, {"mean": "x"}])
def test_a_spec_that_is_none_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ReleaseError):
        ImagePrepare.from_spec({**plain().spec(), **broken})
