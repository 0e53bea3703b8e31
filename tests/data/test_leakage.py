from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits

from gemel.data import leakage, records, splits, wordbags
from gemel.data.records import Dataset
from gemel.data.sources import thumbnails
from gemel.data.splits import Splits
from gemel.errors import DataError, LeakageError

RNG = np.random.default_rng(0)
SYLLABLES = ["ka", "lo", "mi", "ter", "ban", "ser", "du", "vo", "ren", "ast", "ol", "gim"]


def words(n: int, size: int = 3) -> list[str]:
    return ["".join(RNG.choice(SYLLABLES, size)) for _ in range(n)]


def people(n: int = 600) -> list[dict[str, object]]:
    """Short records of few names and dates, of which different people share many."""
    first, last = words(40, 2), words(60, 3)
    years = RNG.integers(1950, 1990, n).tolist()
    return [
        {"first": first[i % 40], "last": str(RNG.choice(last)), "year": years[i]} for i in range(n)
    ]


def dataset(rows: list[dict[str, object]]) -> Dataset:
    return records.from_rows(rows, identities=[f"p{i // 2}" for i in range(len(rows))])


def at(data: Dataset, side: str, s: Splits) -> int:
    return int(s.sides()[side][0])


def planted(
    rows: list[dict[str, object]], change: Callable[..., dict[str, object]]
) -> tuple[Dataset, Splits]:
    """The dataset with an eval record replaced by a changed copy of a train record."""
    before = dataset(rows)
    s = splits.by_identity(before)
    rows[at(before, "eval", s)] = change(dict(rows[at(before, "train", s)]))
    return dataset(rows), s


def test_people_who_share_names_and_years_are_no_leak() -> None:
    data = dataset(people())
    found = leakage.find(data, splits.by_identity(data))
    assert found.near_record.n_records == 0


def test_a_copy_in_other_case_width_and_spacing_is_the_same_record() -> None:
    rows = [{**r, "no": i} for i, r in enumerate(people())]
    data, s = planted(rows, lambda r: {**r, "last": f" {str(r['last']).upper()}  "})
    found = leakage.find(data, s)
    assert (found.same_identity.n_records, found.same_record.n_records) == (0, 1)
    example = found.same_record.examples[0]
    assert (example.left_side, example.right_side) == ("eval", "train")
    with pytest.raises(LeakageError, match=r"1 record that is the same .* \(eval\) and") as e:
        found.check()
    assert "--set data.same_record=note" in e.value.hint
    found.check(allow=["same_record"])


def test_rows_that_are_the_same_are_told_and_images_refused_unless_it_is_set(
    tmp_path: Path,
) -> None:
    homonyms = [{"name": f"N{i // 2 % 40} Meyer"} for i in range(400)]
    data = dataset(homonyms)
    found = leakage.find(data, splits.by_identity(data))
    allow = leakage.accepted(data, None)
    found.check(allow)
    (note,) = found.notes(allow)
    assert note.startswith(f"{found.same_record.n_records} records that are the same")
    assert "--set data.same_record=refuse" in note
    with pytest.raises(LeakageError, match=r"Meyer.* and .*Meyer"):
        found.check(leakage.accepted(data, "refuse"))
    pixels = RNG.integers(0, 255, (6, 16, 16), dtype=np.uint8)
    for i in range(12):
        place = tmp_path / f"brand{i // 2}"
        place.mkdir(exist_ok=True)
        Image.fromarray(pixels[0 if i in (2, 8) else i // 2]).save(place / f"{i}.png")
    pictures = records.read(tmp_path)
    assert leakage.accepted(pictures, None) == ()
    assert leakage.accepted(pictures, "note") == ("same_record", "near_record")


def tickets(n: int = 400) -> list[dict[str, object]]:
    vocabulary = words(500, 4)
    return [{"body": " ".join(RNG.choice(vocabulary, 14)), "queue": "a"} for _ in range(n)]


def misspelt(r: dict[str, object]) -> dict[str, object]:
    first, *rest = str(r["body"]).split()
    return {**r, "body": " ".join([first[:3] + "x" + first[4:], *rest])}


@pytest.mark.parametrize(
    "change",
    [
        misspelt,
        lambda r: {**r, "body": str(r["body"]).replace(" ", ", ", 3) + "!"},
        lambda r: {**r, "body": " ".join(str(r["body"]).split()[1:])},
        lambda r: {**r, "body": "again " + str(r["body"])},
        lambda r: {**r, "body": " ".join(sorted(str(r["body"]).split()))},
    ],
    ids=["spelling", "punctuation", "word left out", "word added", "order"],
)
def test_a_slightly_changed_text_is_near(change: Callable[..., dict[str, object]]) -> None:
    data, s = planted(tickets(), change)
    found = leakage.find(data, s)
    assert (found.same_record.n_records, found.near_record.n_records) == (0, 1)
    with pytest.raises(LeakageError, match="nearly the same"):
        found.check()
    assert leakage.find(data, s, near=False).clean


def test_texts_that_differ_in_a_number_or_a_whole_word_are_not_near() -> None:
    for change in (
        lambda r: {**r, "body": str(r["body"]) + " 17"},
        lambda r: {**r, "body": "entirely " + str(r["body"]).split(" ", 1)[1]},
    ):
        data, s = planted(tickets(), change)
        assert leakage.find(data, s).clean


def test_an_identity_on_two_sides_is_found_even_in_other_case() -> None:
    data = records.from_rows([{"x": f"r{i}"} for i in range(6)], identities=[*"aaBBbc"])
    s = Splits(np.array([0, 2]), np.array([1, 3]), np.array([4, 5]))
    found = leakage.find(data, s)
    assert found.same_identity.n_records == 3
    assert "identity B" in str(found.same_identity.examples[2])
    with pytest.raises(LeakageError, match="3 records of an identity of an earlier side"):
        found.check()


def test_positions_must_make_sense() -> None:
    data = dataset(people(10))
    with pytest.raises(DataError, match="outside the 10 records"):
        leakage.find(data, Splits(np.array([0]), np.array([10]), np.array([1])))
    with pytest.raises(DataError, match="in train and in eval"):
        leakage.find(data, Splits(np.array([0]), np.array([2]), np.array([0])))
    with pytest.raises(DataError, match="no such finding"):
        leakage.Leakage().check(allow=["nonsense"])  # type: ignore[list-item]


def test_many_texts_without_a_copy_are_clean() -> None:
    n = 30_000
    vocabulary = np.array(words(20_000, 4))
    chosen = vocabulary[RNG.integers(0, len(vocabulary), (n, 8))]
    frame = pl.DataFrame({"text": [" ".join(row) for row in chosen]})
    data = records.read(frame)
    third = n // 3
    s = Splits(np.arange(third), np.arange(third, 2 * third), np.arange(2 * third, n))
    assert leakage.find(data, s).clean


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("", "abc", 3), ("meier", "maier", 1), ("hans", "hasn", 1)],
)
def test_letters_to_change(a: str, b: str, expected: int) -> None:
    assert wordbags.edit_distance(a, b) == wordbags.edit_distance(b, a) == expected


def digits_folder(folder: Path, n: int = 1797) -> Path:
    digits = load_digits()
    for i, (image, label) in enumerate(zip(digits.images[:n], digits.target[:n], strict=True)):
        path = folder / str(label) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image / 16 * 255).astype(np.uint8)).save(path)
    return folder


def saved(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, **options)  # type: ignore[arg-type]
    return out.getvalue()


def test_digits_of_different_classes_are_not_alike_and_copies_are(tmp_path: Path) -> None:
    folder = digits_folder(tmp_path)
    data = records.read(folder)
    s = splits.by_identity(data, eval_identities=["5", "6", "7", "8", "9"])
    assert len(data) == 1797
    assert leakage.find(data, s).clean
    originals = s.train[:4]
    copies = {
        "jpeg.jpg": lambda im: saved(im, format="JPEG", quality=60),
        "bright.png": lambda im: saved(ImageEnhance.Brightness(im).enhance(1.1), format="PNG"),
        "large.png": lambda im: saved(im.resize((32, 32), Image.Resampling.BICUBIC), format="PNG"),
        "same.bmp": lambda im: saved(im, format="BMP"),
    }
    for i, (name, make) in zip(originals, copies.items(), strict=True):
        with Image.open(data.contents.files[i].path) as image:
            (folder / "9" / name).write_bytes(make(image))
    data = records.read(folder)
    s = splits.by_identity(data, eval_identities=["5", "6", "7", "8", "9"])
    found = leakage.find(data, s)
    assert {e.left for e in found.near_record.examples} == {
        "9/jpeg.jpg",
        "9/bright.png",
        "9/large.png",
    }
    assert {e.left for e in found.same_record.examples} == {"9/same.bmp"}


def test_the_window_misses_no_pair_that_a_full_comparison_finds() -> None:
    rows = RNG.normal(size=(300, 288)).astype(np.float32)
    rows = np.concatenate([rows, rows + RNG.normal(scale=0.12, size=rows.shape)])
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    side = RNG.permutation(np.arange(600) % 4 - 1)
    pairs, alike = thumbnails.near(rows, side)
    scores = rows @ rows.T
    scores[(side[:, None] <= side[None]) | (side[None] < 0)] = -1
    expected = np.flatnonzero(scores.max(axis=1) >= thumbnails.NEAR)
    assert len(expected) > 20
    assert np.array_equal(np.sort(pairs[:, 0]), expected)
    np.testing.assert_allclose(alike, scores.max(axis=1)[pairs[:, 0]], rtol=1e-5)


def test_colour_tells_pictures_apart_and_transparency_is_white() -> None:
    red, blue = (Image.new("RGB", (32, 32), "white") for _ in range(2))
    red.paste((200, 0, 0), (8, 8, 24, 24))
    blue.paste((0, 60, 220), (8, 8, 24, 24))
    see_through = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    see_through.paste((200, 0, 0, 255), (8, 8, 24, 24))
    digests, rows = thumbnails.thumbnails(
        saved(im, format="PNG") for im in (red, blue, see_through, Image.new("L", (5, 5)))
    )
    assert rows[0] @ rows[1] < 0.9
    assert digests[0] == digests[2]
    assert not rows[3].any()
