"""`gemel explain`: rows, record ids, image files, a picture, and what is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image
from tests.serve import small

import gemel as package
from gemel.data.records import read
from gemel.encode.image.modality import IMAGE
from gemel.release.explanation import Explanation
from gemel.release.store import Store

Gemel = Callable[..., Any]


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a live release of images, and two image files."""
    folder = tmp_path / "images"
    folder.mkdir()
    monkeypatch.chdir(folder)
    store = Store(folder / ".gemel")
    release = store.put(small.image_release(folder / "new").folder)
    store.point("stable", release.id, actor="me", reason="a test")
    for i in range(2):
        (folder / f"{i}.png").write_bytes(small.picture(i))
    return folder


def explained(said: Any) -> Explanation:
    assert said.code == 0, said.err
    return msgspec.json.decode(said.out.encode(), type=Explanation)


def test_ids_and_rows_mean_the_same_and_agree_with_python(project: Path, gemel: Gemel) -> None:
    dataset = read("people.csv", identity="person", id="id")
    at = [int(np.flatnonzero(dataset.ids == record)[0]) for record in ("r1.0", "r1.1")]
    left, right = dataset.payloads(at)
    by_id = explained(gemel("explain", "r1.0", "r1.1", "--json"))
    assert by_id == explained(gemel("explain", json.dumps(left), json.dumps(right), "--json"))
    assert by_id == package.explain(Store(".gemel").get("stable"), left, right)
    assert {part.name for part in by_id.parts} == {"first", "last", "town", "born"}
    assert by_id.margin is not None and by_id.nearest
    assert by_id.outcome == "match"


def test_a_person_reads_the_values_the_worth_and_the_margin(project: Path, gemel: Gemel) -> None:
    said = gemel("explain", "r1.0", "r3.0")
    assert said.code == 0
    first, margin, known = said.out.splitlines()[:3]
    assert first.startswith("no match: score ")
    assert "impostor comparisons instead of" in margin
    assert known.startswith("of 100 known comparisons")
    lines = {line.split()[0]: line for line in said.out.splitlines() if line.startswith("born")}
    assert "19" in lines["born"] and ("█" in lines["born"] or "▒" in lines["born"])
    assert "nearest genuine: r" in said.out


def test_a_picture_shows_both_images(images: Path, gemel: Gemel) -> None:
    said = gemel("explain", "0.png", "1.png", "-o", "map.png", "--json")
    found = explained(said)
    with Image.open(images / "map.png") as image:
        assert image.size == (2 * 256 + 8, 256)
    assert "blue speaks for a match" in said.err
    assert found == package.explain(
        Store(".gemel").get("stable"), small.picture(0), small.picture(1)
    )
    assert "row 1, column 1 of 4" in gemel("explain", "0.png", "1.png").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["r1.0", "nobody"], "no record 'nobody'"),
        (["r1.0", "r1.00"], "did you mean 'r1.0'?"),
        (["r1.0", '{"frist": "anna"}'], "right.frist: unknown field"),
        (['{"first": ', "r1.0"], "left: no JSON object"),
        (["r1.0", "{}"], "right: the row has no value"),
        (["r1.0", "r1.1", "-o", "x.png"], "records have no picture"),
    ],
)
def test_a_mistake_is_named(project: Path, gemel: Gemel, words: list[str], says: str) -> None:
    said = gemel("explain", *words)
    assert said.code == 1 and said.out == ""
    assert says in said.err and "Traceback" not in said.err


def test_what_is_neither_a_file_nor_a_record_is_named(images: Path, gemel: Gemel) -> None:
    (images / "broken.png").write_bytes(b"no image")
    said = gemel("explain", "0.png", "broken.png")
    assert said.code == 1 and "error: broken.png: not an image" in said.err
    assert gemel("explain", "0.png", "nothing.png").code == 1


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("photos/a/0.png", "would be written into photos, which is read"),
        ("photos/a/new.png", "would be written into photos"),
        ("1.png", "would be written over 1.png"),
        ("map.bmp", "has to end in .png"),
        ("nowhere/map.png", "no such folder"),
    ],
)
def test_a_picture_is_not_written_over_what_is_read(
    images: Path, gemel: Gemel, output: str, says: str
) -> None:
    (images / "photos" / "a").mkdir(parents=True)
    for name in ("photos/a/0.png", "1.png"):
        (images / name).write_bytes(small.picture(1))
    said = gemel("explain", "0.png", "1.png", "-o", output, "--set", "data.path=photos")
    assert said.code == 1 and says in said.err, said.err
    assert (images / "photos/a/0.png").read_bytes() == small.picture(1)
    assert (images / "1.png").read_bytes() == small.picture(1)


def test_the_tint_is_where_the_images_differ() -> None:
    from gemel.tasks.explain import Part
    from gemel.watch.charts import heatmap

    def region(name: str, lost: float, box: tuple[float, float, float, float]) -> Part:
        return Part(name=name, lost=lost, left=lost, right=None, outcome="match", box=box)

    file = io.BytesIO()
    Image.new("L", (8, 4), 128).save(file, "PNG")
    parts = [region("a", 0.2, (0.0, 0.0, 0.5, 1.0)), region("b", -0.1, (0.5, 0.0, 1.0, 0.5))]

    def drawn(side: heatmap.Side) -> Image.Image:
        shown = IMAGE.picture(file.getvalue(), heatmap.tints(parts, side), 256)
        return Image.open(io.BytesIO(shown or b""))

    pixels = np.asarray(drawn("left")).astype(int)
    assert pixels.shape == (128, 256, 3)
    blue, orange, plain = pixels[64, 64], pixels[32, 192], pixels[96, 192]
    assert blue[2] > blue[0] and orange[0] > orange[2] and plain.tolist() == [128] * 3
    other = np.asarray(drawn("right"))
    assert (other == 128).all()
