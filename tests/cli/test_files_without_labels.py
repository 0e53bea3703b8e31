"""Folders of files that nobody sorted: from init to near-duplicates, searches and a service."""

import base64
import csv
import io
import json
import os
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from sklearn.datasets import load_sample_images
from tests.cli import over_http
from tests.cli.conftest import SETTINGS, Gemel
from tests.encode import voices

from gemel.cli.main import run
from gemel.encode import modality
from gemel.release.store import Store

N, N_TWICE, SIDE = 110, 24, 40


def details(folder: Path) -> None:
    """Details of two photos; some once more, recompressed, cropped or moved; two broken files."""
    folder.mkdir()
    photos = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    at = [(x, y) for y in range(20, 380, SIDE) for x in range(20, 580, SIDE)]
    found = [(photo, x, y) for photo in photos for x, y in at]
    found.sort(key=lambda f: -np.asarray(square(*f).convert("L")).std())
    for i, (photo, x, y) in enumerate(found[:N]):
        image = square(photo, x, y)
        image.save(folder / f"{i:03}.png")
        if i >= N_TWICE:
            continue
        if i % 3 == 0:
            image.save(folder / f"{i:03} again.jpg", quality=30)
        elif i % 3 == 1:
            image.crop((2, 1, SIDE - 1, SIDE - 3)).save(folder / f"{i:03} again.png")
        else:
            square(photo, x + 3, y - 2).save(folder / f"{i:03} again.png")
    whole = io.BytesIO()
    image.save(whole, "PNG")
    (folder / "cut.png").write_bytes(whole.getvalue()[:50])
    (folder / "empty.jpg").write_bytes(b"")


def square(photo: Image.Image, x: int, y: int) -> Image.Image:
    return photo.crop((x, y, x + SIDE, y + SIDE))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unsorted")
    details(folder / "details")
    before, environ = Path.cwd(), dict(os.environ)
    os.chdir(folder)
    os.environ.update(SETTINGS)
    try:
        assert run(["init", "details", "--set", "train.image_size=24"]) == 0
        assert run(["train"]) == 0
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environ)
    return folder


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


@pytest.mark.usefixtures("inside")
def test_init_says_what_can_be_had_and_names_the_broken_files(gemel: Gemel, tmp_path: Path) -> None:
    said = gemel("init", "details", "-o", tmp_path / "gemel.toml")
    assert said.code == 0
    assert re.search(r"refused: .*cut\.png: ", said.err)
    assert re.search(r"refused: .*empty\.jpg: .*the file is empty", said.err)
    assert f"{N + N_TWICE} records of unknown identity" in said.err
    assert "learns from variants of each" in said.err and "marked as unproven" in said.err
    assert "put each class into a folder of its own" in said.err
    assert "then: gemel train" in said.err


@pytest.mark.usefixtures("inside")
def test_what_is_nearly_the_same_is_found_and_marked(gemel: Gemel, tmp_path: Path) -> None:
    out = tmp_path / "pairs.csv"
    said = gemel("duplicates", "-o", tmp_path / "clusters.csv", "--pairs", out, "--json")
    assert said.code == 0, said.err
    with out.open(newline="") as file:
        found = {(p["left"][:3], p["right"][:3]) for p in csv.DictReader(file)}
    right = {pair for pair in found if pair[0] == pair[1]}
    assert len(right) >= 0.8 * N_TWICE
    assert len(right) >= 0.7 * len(found)
    assert json.loads(said.out)["unproven"] is True
    assert gemel("duplicates", "-o", tmp_path / "clusters.html").code == 0
    page = (tmp_path / "clusters.html").read_text()
    assert page.index("Unproven: estimated from how close") < page.index("What was found")
    assert "chance that strangers come so close" in page and "link is false" not in page


@pytest.mark.usefixtures("inside")
def test_searches_and_comparisons_work_at_once_and_say_what_they_are_worth(
    gemel: Gemel, tmp_path: Path
) -> None:
    assert gemel("gallery", "enroll").code == 0
    seen = gemel("gallery", "search", "details/004 again.png", "--json")
    assert seen.code == 0 and "unproven release" in seen.err
    best = json.loads(seen.out)[:2]
    assert {hit["id"] for hit in best} == {"004.png", "004 again.png"}
    same = gemel("verify", "details/000.png", "details/000 again.jpg", "--json")
    other = gemel("verify", "details/000.png", "details/001.png", "--json")
    assert json.loads(same.out)["unproven"] is True
    assert json.loads(same.out)["probability"] > json.loads(other.out)["probability"]
    shown = gemel("release", "show").out
    assert "unproven" in shown and "closer than by chance, estimated" in shown
    assert "precision" not in shown
    card = json.loads(gemel("report", "--json").out)
    assert card["promise"].startswith("Unproven: estimated from how close records are")
    assert "variants" in card["in_full"]
    photos = {f"{i:03}": [_item(f"{i:03}.png")] for i in (30, 40, 50, 60)}
    over_http.answers(Store(".gemel").get("stable"), photos, tmp_path / "gallery")


@pytest.mark.usefixtures("inside")
def test_doubtful_pairs_are_for_people_where_asking_them_has_a_cost(gemel: Gemel) -> None:
    asked = json.loads(gemel("calibrate", "--review-cost", "0.1", "--json").out)
    at, point = asked["policy"]["verify"], asked["operating_points"][0]["dev"]
    assert at["review_low"] < at["review_high"]
    assert point["n_review"] > 0


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("goal", ["--recall", "--fnmr"])
def test_no_share_of_found_pairs_is_promised_where_only_closeness_is_told(
    gemel: Gemel, goal: str
) -> None:
    said = gemel("calibrate", goal, "0.2")
    assert said.code == 1
    assert "how many of the pairs that belong together are found cannot be told" in said.err
    assert "a lower --precision finds more" in said.err


def _item(name: str) -> dict[str, str]:
    return {"image": base64.b64encode(Path("details", name).read_bytes()).decode()}


def test_where_nothing_is_there_twice_training_says_so(
    gemel: Gemel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("apart").mkdir()
    photos = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    at = [(p, x, y) for p in photos for y in range(10, 380, 45) for x in range(0, 600, 45)]
    for i, (photo, x, y) in enumerate(at[:: len(at) // 34][:34]):
        square(photo, x, y).save(f"apart/{i:03}.png")
    assert gemel("init", "apart", "--set", "train.image_size=16").code == 0
    said = gemel("train", "--set", "train.max_epochs=1")
    assert said.code == 1
    assert "no two of these records are closer than strangers come by chance" in said.err
    assert "nothing here seems to be there twice" in said.err


def notes(folder: Path) -> None:
    """Paragraphs about the data sets of scikit-learn; some once more, with typing errors."""
    folder.mkdir()
    place = files("sklearn.datasets.descr")
    told = (
        " ".join(p.split())
        for f in place.iterdir()
        if f.name.endswith(".rst")
        for p in re.split(r"\n\s*\n", f.read_text())
    )
    found = sorted({p for p in told if 100 < len(p) < 500 and "|" not in p})
    starts = {p[:20]: p for p in found}  # boilerplate that many of them have, once
    for i, text in enumerate(list(starts.values())[:70]):
        (folder / f"{i:03}.txt").write_text(text)
        if i < 15:
            words = text.split()
            words[3], words[-2] = words[3][::-1], words[-2].upper()
            (folder / f"{i:03} again.txt").write_text(" ".join(words[:5] + words[6:]))


def voices_of(folder: Path) -> None:
    """Recordings; some once more, quieter and with noise."""
    folder.mkdir()
    for i, pitch in enumerate(np.geomspace(80, 320, 50)):
        data = voices.said(float(pitch), i)
        (folder / f"{i:03}.wav").write_bytes(data)
        if i < 12:
            sound, rate = soundfile.read(io.BytesIO(data))
            noise = 0.002 * np.random.default_rng(i).standard_normal(len(sound))
            soundfile.write(folder / f"{i:03} again.wav", 0.6 * sound + noise, rate)


@pytest.mark.parametrize(("make", "n"), [(notes, 15), (voices_of, 12)])
def test_texts_and_recordings_start_the_same_way(
    make: Callable[[Path], None],
    n: int,
    gemel: Gemel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "folder")
    assert gemel("init", "folder").code == 0  # and finds out what kind of files they are
    said = gemel("train", "--set", "train.max_epochs=1")
    assert said.code == 0, said.err
    assert "Unproven: estimated from how close records are" in " ".join(said.out.split())
    told = gemel("duplicates", "-o", "clusters.csv", "--pairs", "pairs.csv")
    assert told.code == 0 and "close by chance, expected" in told.out
    with Path("pairs.csv").open(newline="") as file:
        pairs = list(csv.DictReader(file))
    found = {(p["left"][:3], p["right"][:3]) for p in pairs}
    assert {p["probability_is"] for p in pairs} == {"of no chance"}
    card = json.loads(gemel("report", "--json").out)
    assert "share of close pairs" in told.out and "genuine" not in told.out
    for words in (said.out, told.out, card["promise"], card["in_full"]):
        assert "are right" not in words, "closeness does not say what is right"
    right = [pair for pair in found if pair[0] == pair[1]]
    assert len(right) >= 0.8 * n, found
    assert len(right) >= 0.6 * len(found), found
    assert gemel("gallery", "enroll").code == 0
    some = sorted((tmp_path / "folder").iterdir())[::7]
    seen = json.loads(gemel("gallery", "search", some[0], "--json").out)
    assert seen[0]["id"] == some[0].name
    release = Store(".gemel").get("stable")
    asked_by = modality.named(release.modality).asked_by
    assert "NAME=VALUE" not in said.err and f"gallery search {asked_by}" in said.err
    assert release.evidence.unproven
    kind = modality.named(release.modality)
    items = [kind.item(path.read_bytes() if n == 12 else path.read_text()) for path in some]
    over_http.answers(release, {p.name: [i] for p, i in zip(some, items, strict=True)}, Path("g"))
