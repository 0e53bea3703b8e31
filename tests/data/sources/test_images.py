from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from gemel.data import records
from gemel.data.sources import images
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
        "text.png": "not an image",
        "empty.gif": "the file is empty",
        "huge.png": f"9000 x 9000 pixels, at most {images.MAX_PIXELS:,} are read",
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
    with pytest.raises(DataError, match=r"0\.png: cannot read the image"):
        data.payloads([0])
