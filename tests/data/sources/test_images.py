from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.data import records
from gemel.data.sources import pixels
from gemel.data.splits import by_identity
from gemel.errors import DataError


def encoded(kind: str, size: tuple[int, int] = (24, 24), shade: int = 100) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, shade).convert("RGB").save(out, kind)
    return out.getvalue()


def folder_of(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def bomb() -> bytes:
    """A small file with a large image."""
    out = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(out, "PNG")
    return out.getvalue()


def test_sub_folders_are_identities_and_paths_are_ids(tmp_path: Path) -> None:
    kinds = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
    folder_of(tmp_path, {f"cat/{k}.{k.lower()}": encoded(k) for k in kinds})
    folder_of(tmp_path, {"dog/deep/x.PNG": encoded("PNG"), ".hidden/y.png": b""})
    data = records.read(tmp_path)
    assert (data.modality, len(data), data.n_bad) == ("image", 6, 0)
    assert data.identity_names == ("cat", "dog")
    assert data.ids.tolist()[-1] == "dog/deep/x.PNG"
    assert data.payloads([5]) == [(tmp_path / "dog/deep/x.PNG").read_bytes()]


def test_files_that_are_no_usable_image_are_reported(tmp_path: Path) -> None:
    jpeg = encoded("JPEG", (200, 200))
    folder_of(tmp_path, {f"ok/{i}.png": encoded("PNG", shade=i) for i in range(20)})
    folder_of(
        tmp_path,
        {
            "a/cut.jpg": jpeg[: len(jpeg) // 2],
            "a/text.png": b"hello",
            "a/empty.gif": b"",
            "a/huge.png": bomb(),
            "stray.png": encoded("PNG"),
            "a/notes.txt": b"no image",
        },
    )
    with pytest.raises(DataError, match="5 of 25 records cannot be used"):
        records.read(tmp_path)
    data = records.read(tmp_path, max_bad_ratio=0.5)
    reasons = {Path(b.file).name: b.reason for b in data.bad}
    assert reasons.pop("cut.jpg").startswith("broken image")
    assert reasons == {
        "text.png": "not an image, or of an unknown format",
        "empty.gif": "not an image: the file is empty",
        "huge.png": f"9000 x 9000 pixels, at most {pixels.MAX_PIXELS:,} are read",
        "stray.png": "not in the sub-folder of an identity",
    }
    assert len(data) + data.n_bad == data.n_read == 25
    assert data.notes == ("not read, no image by its name: a/notes.txt",)


def test_a_folder_without_images_is_refused_and_one_without_sub_folders_has_no_identities(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError, match="no images"):
        records.read(tmp_path)
    folder_of(tmp_path, {"a.png": encoded("PNG"), "b.png": encoded("PNG")})
    assert records.read(tmp_path).identities.tolist() == [-1, -1]


def test_the_digest_follows_the_content_of_the_files(tmp_path: Path) -> None:
    files = {f"{c}/{i}.png": encoded("PNG") for c in "ab" for i in range(3)}
    first = records.read(folder_of(tmp_path / "1", files))
    second = records.read(folder_of(tmp_path / "2", files))
    third = records.read(folder_of(tmp_path / "3", {**files, "a/0.png": encoded("PNG")}))
    assert first.digest == second.digest != third.digest


def test_an_image_that_went_away_is_named(tmp_path: Path) -> None:
    data = records.read(folder_of(tmp_path, {"a/0.png": encoded("PNG")}))
    (tmp_path / "a/0.png").unlink()
    with pytest.raises(DataError, match=r"0\.png: cannot read the file"):
        data.payloads([0])


@pytest.mark.parametrize("format", ["TIFF", "PNG", "JPEG", "WEBP"])
def test_tiff_and_names_without_an_ending_are_read(tmp_path: Path, format: str) -> None:
    folder_of(tmp_path, {f"a/scan.{format.lower()}": encoded(format), "b/scan": encoded(format)})
    (tmp_path / "b/readme").write_text("no image")
    data = records.read(tmp_path)
    assert data.ids.tolist() == [f"a/scan.{format.lower()}", "b/scan"]
    assert data.notes == ("not read, no image by its name: b/readme",)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)


def test_formats_that_are_not_read_are_refused_by_name_with_what_to_do(tmp_path: Path) -> None:
    folder_of(tmp_path, {f"a/{i}.png": encoded("PNG", shade=i) for i in range(3)})
    folder_of(tmp_path, {"a/phone.HEIC": HEIC, "a/renamed.jpg": HEIC, "a/new.avif": b"x"})
    data = records.read(tmp_path, max_bad_ratio=0.9)
    assert {Path(b.file).name: b.reason for b in data.bad} == {
        "phone.HEIC": "HEIC is not read: save it as JPEG or PNG",
        "renamed.jpg": "HEIC is not read: save it as JPEG or PNG",
        "new.avif": "AVIF is not read: save it as JPEG or PNG",
    }


def test_what_training_could_not_decode_is_refused_when_it_is_read(tmp_path: Path) -> None:
    """One limit of pixels and one list of formats for whoever opens a file first."""
    large, other, floats = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.new("1", (8_000, 7_000)).save(large, "PNG")
    Image.new("L", (9, 9)).save(other, "TGA")
    Image.new("F", (9, 9)).save(floats, "TIFF")
    files = {"large.png": large, "other.png": other, "floats.tif": floats}
    folder_of(tmp_path, {f"a/{name}": file.getvalue() for name, file in files.items()})
    folder_of(tmp_path, {"a/good.png": encoded("PNG")})
    data = records.read(tmp_path, max_bad_ratio=0.9)
    assert data.ids.tolist() == ["a/good.png"]
    assert {Path(b.file).name: b.reason for b in data.bad} == {
        "large.png": "8000 x 7000 pixels, at most 50,000,000 are read",
        "other.png": "not an image, or of an unknown format",
        "floats.tif": "pixels are floating-point numbers of unknown range",
    }


def test_names_that_cannot_be_ids_are_refused_and_shown_escaped(tmp_path: Path) -> None:
    folder_of(tmp_path, {"a/good.png": encoded("PNG"), "a/two\nlines.png": encoded("PNG")})
    (tmp_path / "a" / os.fsdecode(b"caf\xe9.png")).write_bytes(encoded("PNG"))
    data = records.read(tmp_path, max_bad_ratio=0.9)
    assert data.ids.tolist() == ["a/good.png"]
    assert [b.reason for b in data.bad] == [
        "its name is not UTF-8: rename it",
        "its name has unprintable characters: rename it",
    ]
    assert len(data.bad) == 2 and all(str(b).isprintable() for b in data.bad)


def test_the_depth_of_classes_can_be_chosen(tmp_path: Path) -> None:
    places = [f"{maker}/{model}/{i}.png" for maker in "ab" for model in "xy" for i in range(2)]
    folder_of(tmp_path, {p: encoded("PNG") for p in places})
    plain = records.read(tmp_path)
    assert plain.identity_names == ("a", "b")
    assert plain.notes == ("a/x/0.png is of class 'a': data.depth = 2 makes it 'a/x'",)
    deep = records.read(tmp_path, depth=2)
    assert deep.identity_names == ("a/x", "a/y", "b/x", "b/y") and not deep.notes
    assert records.read(tmp_path, depth=0).identity_names == deep.identity_names
    folder_of(tmp_path, {"a/shallow.png": encoded("PNG")})
    (bad,) = records.read(tmp_path, depth=2, max_bad_ratio=0.5).bad
    assert bad.reason == "not in 2 sub-folders, which data.depth asks for"


def test_one_file_in_two_classes_is_said(tmp_path: Path) -> None:
    same = encoded("PNG")
    folder_of(tmp_path, {"a/1.png": same, "b/2.png": same, "b/3.png": encoded("PNG", shade=1)})
    (note,) = records.read(tmp_path).notes
    assert note == (
        "equal files are in two classes: one is wrong, unless two things look just so "
        "(blank, mirrored): a/1.png and b/2.png"
    )


def test_links_to_folders_are_said(tmp_path: Path) -> None:
    folder_of(tmp_path / "all", {"a/1.png": encoded("PNG")})
    folder_of(tmp_path / "far", {"2.png": encoded("PNG")})
    (tmp_path / "all" / "b").symlink_to(tmp_path / "far")
    data = records.read(tmp_path / "all")
    assert len(data) == 1 and data.notes == ("not read, a link to a folder: b",)


def test_what_a_folder_holds_besides_is_said(tmp_path: Path) -> None:
    """Hidden pictures, links to nothing and empty classes were dropped without a line."""
    folder_of(tmp_path, {"a/1.png": encoded("PNG"), "a/.2.png": encoded("PNG")})
    (tmp_path / "a" / "3.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "b").mkdir()
    assert records.read(tmp_path).notes == (
        "not read, hidden: a/.2.png",
        "not read, a link to nothing: a/3.png",
        "not read, a folder without images: b",
    )


def test_pictures_of_which_little_is_seen_are_said(tmp_path: Path) -> None:
    deep = io.BytesIO()
    Image.fromarray(np.full((16, 16), 4095, np.uint16)).save(deep, "PNG")
    folder_of(
        tmp_path,
        {
            "a/dot.png": encoded("PNG", (1, 1)),
            "a/line.png": encoded("PNG", (3000, 40)),
            "a/deep.png": deep.getvalue(),
            "a/plain.png": encoded("PNG"),
        },
    )
    assert records.read(tmp_path).notes == (
        "12 of 16 bits are filled: darker than in 8 bits beside files that fill more: a/deep.png",
        "a side of fewer than 8 pixels: a/dot.png",
        "one side more than 50 times the other, so that a square shows a line: a/line.png",
    )


@pytest.mark.parametrize(("kind", "name"), [("ICO", "ICO"), ("JPEG2000", "JPEG 2000")])
def test_a_picture_of_a_format_that_is_not_read_is_called_by_it(kind: str, name: str) -> None:
    with pytest.raises(pixels.Unusable, match=f"{name} is not read: save it as"):
        pixels.opened(encoded(kind))


def test_one_picture_a_class_says_what_can_be_done(tmp_path: Path) -> None:
    folder_of(tmp_path, {f"c{i}/1.png": encoded("PNG", shade=i) for i in range(9)})
    with pytest.raises(DataError, match="9 files is alone in its class") as caught:
        by_identity(records.read(tmp_path), seed=0)
    assert "gemel gallery enroll" in caught.value.hint


def test_a_picture_without_a_line_in_its_table_is_said(tmp_path: Path) -> None:
    folder_of(tmp_path, {f"{name}.png": encoded("PNG", shade=i) for i, name in enumerate("abc")})
    (tmp_path / "captions.csv").write_text("file,text\na.png,one\nb.png,two\n")
    data = records.read(tmp_path, kind="image_text")
    assert "not read, 1 picture has no line in captions.csv: c.png" in data.notes
