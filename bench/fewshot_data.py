"""Handwritten characters and font glyphs as image folders, for the few-shot bench.

Omniglot (MIT) and rendered glyphs of free fonts lie outside of the repository, in the folder that
GEMEL_BENCH_DATA names (`../shared/data` beside the checkout if unset). A class is a folder; nothing
is drawn or cleaned here.
"""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DATA = Path(os.environ.get("GEMEL_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data"))
RUNS = "*runs*.zip"
"""Lake's one-shot runs, all twenty or some, in one file or several."""
N_WAYS = 20
SIDE = 32
"""Pixels that drawings are trained at: a quarter of the work of the 64 that would be chosen."""
HELD_OUT = ("Gujr", "Hebr", "Khmr", "Mlym", "Taml", "Tfng")
"""Scripts of which no glyph is trained on."""


def check() -> None:
    """Leave with a word on what to fetch unless the data is there."""
    wanted = (("omniglot", RUNS), ("font_glyphs", "glyphs.parquet"))
    missing = [
        f"{DATA / room / name}" for room, name in wanted if not any((DATA / room).glob(name))
    ]
    if missing:
        raise SystemExit(
            f"not there: {', '.join(missing)}\nhint: from github.com/brendenlake/omniglot, put the "
            "two images_background_small zips and the one-shot runs into omniglot/ of a folder, "
            "and name the folder in GEMEL_BENCH_DATA"
        )


@dataclass(frozen=True)
class Episode:
    """One episode: encoded PNG files of supports and queries, and the support that is right.

    Attributes:
        group: run or script.
        supports: one image per class.
        queries: images.
        truth: (q,) position of the right support.
    """

    group: str
    supports: list[bytes]
    queries: list[bytes]
    truth: NDArray[np.int64]


def omniglot_runs() -> list[Episode]:
    """Lake's one-shot runs: 20 characters of one alphabet, one drawing each, drawn by another."""
    found: dict[str, Episode] = {}
    for path in sorted((DATA / "omniglot").glob(RUNS)):
        with zipfile.ZipFile(path) as z:
            names = [PurePosixPath(n) for n in z.namelist() if n.endswith("class_labels.txt")]
            found |= {at.parent.name: _run(z, at.parent) for at in names}
    return [found[name] for name in sorted(found)]


def _run(z: zipfile.ZipFile, folder: PurePosixPath) -> Episode:
    """The run in a folder of an archive; its files are named from the folder of all runs."""
    lines = z.read(f"{folder}/class_labels.txt").decode().split()
    items, right = lines[::2], lines[1::2]
    names = sorted(set(right))
    if not len(items) == len(names) == N_WAYS:
        raise SystemExit(f"{folder} has {len(items)} items of {len(names)} classes")
    truth = np.array([names.index(name) for name in right], np.int64)
    supports, queries = ([z.read(f"{folder.parent / n}") for n in some] for some in (names, items))
    return Episode(folder.name, supports, queries, truth)


def background(which: str, folder: Path) -> list[str]:
    """Write the characters of a background set as an image folder, made smaller; its alphabets.

    Args:
        which: `small1`, `small2` or `both`.
        folder: becomes `alphabet-character/drawing.png`.
    """
    alphabets = set()
    for part in ("small1", "small2") if which == "both" else (which,):
        with zipfile.ZipFile(DATA / "omniglot" / f"images_background_{part}.zip") as z:
            for name in z.namelist():
                if name.endswith(".png"):
                    _, alphabet, character, file = PurePosixPath(name).parts
                    alphabets.add(alphabet)
                    to = folder / f"{alphabet}-{character}" / file
                    to.parent.mkdir(parents=True, exist_ok=True)
                    to.write_bytes(smaller(z.read(name)))
    return sorted(alphabets)


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """An image as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def grey(png: bytes) -> Image.Image:
    """A drawing in grey levels."""
    return Image.open(io.BytesIO(png)).convert("L")


def smaller(png: bytes) -> bytes:
    """A drawing at the size that it is trained at, resized as the encoder would."""
    return as_png(np.asarray(grey(png).resize((SIDE, SIDE), Image.Resampling.BICUBIC)))


def negative(png: bytes) -> bytes:
    """A drawing with black and white exchanged."""
    return as_png(255 - np.asarray(grey(png)))


@dataclass(frozen=True)
class Glyphs:
    """Glyphs: (n, 48, 48) uint8 images, and script, character and typeface of each, (n,) str."""

    images: NDArray[np.uint8]
    script: NDArray[np.str_]
    character: NDArray[np.str_]
    family: NDArray[np.str_]

    def take(self, chosen: NDArray[np.bool_]) -> Glyphs:
        """Some of them."""
        parts = (self.images, self.script, self.character, self.family)
        return Glyphs(*(part[chosen] for part in parts))

    def png(self, i: int) -> bytes:
        """One glyph as a PNG file."""
        return as_png(self.images[i])

    def write(self, folder: Path, *, most: int) -> None:
        """Write an image folder, at most so many glyphs of each character, made smaller."""
        rng = np.random.default_rng(0)
        for name in np.unique(self.character):
            idx = rng.permutation(np.flatnonzero(self.character == name))[:most]
            to = folder / "-".join(f"{ord(c):05x}" for c in str(name))
            to.mkdir(parents=True, exist_ok=True)
            for i in idx:
                (to / f"{i:05}.png").write_bytes(smaller(self.png(int(i))))


def glyphs() -> Glyphs:
    """All glyphs."""
    import polars as pl

    table = pl.read_parquet(DATA / "font_glyphs" / "glyphs.parquet")
    with np.load(DATA / "font_glyphs" / "glyphs_48x48_u8.npz", allow_pickle=False) as z:
        images = z["X"]
    named = [table[c].to_numpy().astype(str) for c in ("script", "class", "font_family")]
    return Glyphs(images, *named)


def glyph_episodes(held_out: Glyphs, n: int, seed: int = 0) -> list[Episode]:
    """Episodes inside a script: 20 characters, one typeface as supports, another as queries.

    Args:
        held_out: of scripts that are not trained on.
        n: episodes of each script.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    episodes = []
    for script in np.unique(held_out.script):
        of_script = np.flatnonzero(held_out.script == script)
        families = np.unique(held_out.family[of_script])
        for _ in range(n):
            drawn = _two_typefaces(held_out, of_script, rng.permutation(families), rng)
            if drawn is not None:
                supports, queries = drawn
                order = rng.permutation(N_WAYS)
                episodes.append(
                    Episode(
                        str(script),
                        [held_out.png(int(i)) for i in supports],
                        [held_out.png(int(i)) for i in queries[order]],
                        order.astype(np.int64),
                    )
                )
    return episodes


def _two_typefaces(
    data: Glyphs, idx: NDArray[np.int64], families: NDArray[np.str_], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Positions of 20 characters in one typeface, and of the same 20 in another."""
    for i, one in enumerate(families):
        for two in families[i + 1 :]:
            left, right = (idx[data.family[idx] == family] for family in (one, two))
            both = np.intersect1d(data.character[left], data.character[right])
            if len(both) >= N_WAYS:
                picked = rng.permutation(both)[:N_WAYS]
                return _of(data, left, picked, rng), _of(data, right, picked, rng)
    return None


def _of(
    data: Glyphs, idx: NDArray[np.int64], characters: NDArray[np.str_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """One glyph of each character among some positions."""
    shuffled = rng.permutation(idx)
    first = {str(name): int(i) for i, name in zip(shuffled, data.character[shuffled], strict=True)}
    return np.array([first[str(name)] for name in characters], np.int64)
