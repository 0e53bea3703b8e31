"""A folder of images as it comes: what is not read is named by every command that reads it."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.cli import over_http

from gemel.release.store import Store

Gemel = Callable[..., Any]
FEW = ("--set", "train.max_epochs=1", "--set", "train.image_size=24")
FEW += ("--set", "train.identities_per_batch=4", "--set", "train.views_per_identity=2")


def drawing(seed: int, copy: int) -> Image.Image:
    """One of a class of patterns, with some noise."""
    pattern = np.random.default_rng(seed).integers(0, 255, (6, 6)).repeat(4, 0).repeat(4, 1)
    noise = np.random.default_rng(1000 * seed + copy).normal(0, 12, pattern.shape)
    return Image.fromarray(np.clip(pattern + noise, 0, 255).astype(np.uint8))


def photos(folder: Path, n_classes: int = 12) -> Path:
    for i in range(n_classes):
        (folder / f"c{i:02}").mkdir(parents=True)
        for copy in range(4):
            drawing(i, copy).save(folder / f"c{i:02}" / f"{copy}.png")
    return folder


def spoilt(folder: Path) -> Path:
    """Four readable images, one of them a TIFF, and two that are not read."""
    (folder / "c00").mkdir(parents=True)
    for copy in range(3):
        drawing(0, 10 + copy).save(folder / "c00" / f"{copy}.png")
    drawing(0, 20).save(folder / "c00" / "scan.tif")
    (folder / "c00" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    buffer = io.BytesIO()
    drawing(0, 30).save(buffer, "PNG")
    (folder / "c00" / "cut.png").write_bytes(buffer.getvalue()[:60])
    return folder


@pytest.fixture(scope="module")
def images_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


def test_refused_files_are_named_by_every_command(
    images_project: Path, monkeypatch: pytest.MonkeyPatch, gemel: Gemel
) -> None:
    monkeypatch.chdir(images_project)
    photos(Path("photos"))
    assert gemel("init", "photos").code == 0
    (Path("photos") / "c00" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    spoilt(Path("odd"))
    loose = ("--set", "data.max_bad_ratio=0.5")
    refusal = f"{Path('photos/c00/phone.heic')}: HEIC is not read: save it as JPEG or PNG"

    trained = gemel("train", *loose, *FEW)
    assert trained.code == 0, trained.err
    assert refusal in trained.err and re.search(r"image size +24", trained.out)
    made = gemel("calibrate", *loose, *FEW, "--json")
    assert made.code == 0, made.err
    (release,) = (Path(".gemel") / "releases").iterdir()
    forced = ("--force", "--reason", "a test")
    assert gemel("release", "promote", release.name, *forced).code == 0

    strict = gemel("gallery", "enroll", "odd")
    assert strict.code == 1 and "2 of 6 records cannot be used" in strict.err
    for words in (
        ("gallery", "enroll", "odd"),
        ("gallery", "classify", "odd"),
        ("duplicates", "odd"),
        ("duplicates", "odd", "photos", "-o", "two.parquet"),
    ):
        said = gemel(*words, *loose)
        assert said.code == 0, said.err
        named = [x for x in said.err.splitlines() if x.startswith("refused: ")]
        assert any("phone.heic" in x for x in named), said.err
        assert any("cut.png" in x for x in named), said.err
    a_name_stands_for_one_picture(gemel)
    shown = {name: [item(Path("photos") / name / f"{i}.png") for i in (0, 1)] for name in CLASSES}
    over_http.answers(Store(".gemel").get("stable"), shown, Path("served"))


def a_name_stands_for_one_picture(gemel: Gemel) -> None:
    """Cameras give one name to many pictures, and the earlier one was lost without a word."""
    for shop, seed in (("first", 40), ("second", 41)):
        (Path(shop) / "alien").mkdir(parents=True)
        drawing(seed, 0).save(Path(shop) / "alien" / "IMG_0001.png")
    assert gemel("gallery", "enroll", "first").code == 0
    assert "unchanged" in gemel("gallery", "enroll", "first").out
    before = gemel("gallery", "search", "first/alien/IMG_0001.png", "-k", "1", "--json").out
    lost = gemel("gallery", "enroll", "second")
    assert lost.code == 1 and "alien/IMG_0001.png" in lost.err and "--replace" in lost.err
    after = gemel("gallery", "search", "first/alien/IMG_0001.png", "-k", "1", "--json").out
    assert before == after
    meant = gemel("gallery", "enroll", "second", "--replace", "--json")
    assert meant.code == 0 and json.loads(meant.out)["updated"] == 1
    alone = gemel("gallery", "enroll", "first/alien")
    assert alone.code == 0 and "1 record without a class" in alone.err, alone.err
    assert str(Path("first").absolute()) in alone.err


CLASSES = ("c02", "c05", "c08")


def item(path: Path) -> dict[str, str]:
    return {"image": base64.b64encode(path.read_bytes()).decode()}


def test_a_size_is_for_images(people: Path, gemel: Gemel) -> None:
    assert gemel("init", "people.csv").code == 0
    said = gemel("train", "--set", "train.image_size=32")
    assert said.code == 1 and "row records have no size" in said.err
