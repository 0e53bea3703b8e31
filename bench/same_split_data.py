"""The sets of `bench_same_split.py`: records, how they are split, how both sides learn.

Each is cut to what one core learns from in minutes. The files lie outside of the repository, see
`fewshot_data.py`; patents come out of the wheel that `records_data.py` names.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import records_data
from bench_backbones import texts
from fewshot_data import DATA
from PIL import Image

from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits, by_identity
from gemel.settings import TrainSettings

CACHE = Path(__file__).parents[1] / ".cache" / "bench-same-split"
SEED = 0
WORDS, VERSES, LONGEST = 800, 600, 400
"""Of the dictionary, of the Bible, and characters of a function."""
EMOJI, CHARACTERS, TYPEFACES = 500, 400, 8

MULTI_SIMILARITY, TRIPLET = "multi-similarity", "triplet"
SENTENCES = "sentence-transformers"
GEMEL, BEHIND = "gemel", "gemel, layer behind it"
OF_PML = (MULTI_SIMILARITY, TRIPLET)

MINILM = TrainSettings(backbone="all-MiniLM-L6-v2", tune="all")
PIXELS = TrainSettings(image_size=32, max_epochs=20)


@dataclass(frozen=True)
class Set:
    """One set and its lesson.

    Attributes:
        what: the records, in words.
        read: its dataset, with the help of an empty folder.
        backbone: what both sides start from, in words.
        settings: of `gemel train`, and what the peer takes epochs, batch, rate and decay from.
        peers: that learn on it.
    """

    what: str
    read: Callable[[Path], Dataset]
    backbone: str
    settings: TrainSettings
    peers: tuple[str, ...]

    @property
    def learners(self) -> tuple[str, ...]:
        """All that learn on it, gemel first; with a backbone also its default, a layer behind."""
        return (GEMEL, *((BEHIND,) if self.settings.backbone else ()), *self.peers)


def split(name: str, dataset: Dataset) -> Splits:
    """60/20/20 by identity; patents by connected name blocks as in `bench_records.py`."""
    if name == "patents":
        return _patents().split(SEED)
    return by_identity(dataset, dev=0.2, eval=0.2, seed=SEED)


def definitions(scratch: Path) -> Dataset:
    frame = pl.read_parquet(DATA / "dictionary_definitions" / "definitions.parquet")
    frame = frame.sample(WORDS, seed=SEED)
    return _both(frame, "word", ("wordnet_gloss", "gcide_definition"), scratch)


def verses(scratch: Path) -> Dataset:
    frame = pl.read_parquet(DATA / "verse_paraphrase" / "verses.parquet").sample(VERSES, seed=SEED)
    return _both(frame, "ref", ("kjv", "web"), scratch)


def _both(frame: pl.DataFrame, of: str, columns: tuple[str, str], scratch: Path) -> Dataset:
    """Two texts of each identity."""
    sides = [frame.select(pl.col(of).alias("of"), pl.col(c).alias("text")) for c in columns]
    return texts(pl.concat(sides), scratch)


def code(scratch: Path) -> Dataset:
    """Functions without their names, short ones that have another of their class."""
    frame = pl.read_parquet(DATA / "code_clones" / "clones.parquet")
    frame = frame.filter(pl.col("code_anon").str.len_chars() <= LONGEST)
    frame = frame.filter(pl.len().over("class") > 1)
    return texts(
        frame.select(pl.col("class").alias("of"), pl.col("code_anon").alias("text")), scratch
    )


def emoji(scratch: Path) -> Dataset:
    frame = pl.read_parquet(DATA / "emoji_vendors" / "emoji.parquet")
    kept = _some(frame["class_id"].to_numpy(), EMOJI)
    rows = zip(frame["class_id"], frame["png"], strict=True)
    return _files(
        (row for row, keep in zip(rows, kept, strict=True) if keep), scratch, "png", "image"
    )


def glyphs(scratch: Path) -> Dataset:
    """Characters of all scripts, each in a few typefaces that are drawn."""
    frame = pl.read_parquet(DATA / "font_glyphs" / "glyphs.parquet")
    with np.load(DATA / "font_glyphs" / "glyphs_48x48_u8.npz", allow_pickle=False) as z:
        images = z["X"]
    named = frame["class"].to_numpy().astype(str)
    rng = np.random.default_rng(SEED)
    found = []
    for name in np.unique(named[_some(named, CHARACTERS)]):
        idx = rng.permutation(np.flatnonzero(named == name))[:TYPEFACES]
        found += [("-".join(f"{ord(c):05x}" for c in name), _png(images[i])) for i in idx]
    return _files(found, scratch, "png", "image")


def speakers(scratch: Path) -> Dataset:
    frame = pl.read_parquet(DATA / "speech_speakers" / "speech.parquet")
    return _files(zip(frame["speaker"], frame["ogg"], strict=True), scratch, "ogg", "audio")


def patents(scratch: Path) -> Dataset:
    return _patents().dataset()


def _patents() -> records_data.Table:
    return records_data.load("patents", CACHE.parent / "bench-records")


def _some(named: np.ndarray, n: int) -> np.ndarray:
    """Which records are of n drawn classes, each of two records or more."""
    classes, size = np.unique(named, return_counts=True)
    drawn = np.random.default_rng(SEED).permutation(classes[size > 1])[:n]
    return np.isin(named, drawn)


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _files(rows: Iterable[tuple[str, bytes]], scratch: Path, suffix: str, kind: str) -> Dataset:
    """A folder for each identity."""
    for i, (name, content) in enumerate(rows):
        path = scratch / name.replace("/", "_") / f"{i:05}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return records.read(scratch, kind=kind, max_bad_ratio=1.0)


SETS = {
    "definitions": Set(
        f"{WORDS} words, each as two dictionaries define it",
        definitions,
        "all-MiniLM-L6-v2, all of it fine-tuned",
        MINILM,
        (SENTENCES,),
    ),
    "emoji": Set(
        f"{EMOJI} emoji as up to eight vendors draw them",
        emoji,
        "gemel's tower of images, 32 pixels",
        PIXELS,
        OF_PML,
    ),
    "glyphs": Set(
        f"{CHARACTERS} characters of 28 scripts in up to {TYPEFACES} typefaces",
        glyphs,
        "gemel's tower of images, 32 pixels",
        PIXELS,
        OF_PML,
    ),
    "speakers": Set(
        "34 voices, prompts of 1.3 to 4 s at 8 kHz",
        speakers,
        "gemel's tower of recordings",
        TrainSettings(),
        OF_PML,
    ),
    "patents": Set(
        "inventors without their names",
        patents,
        "gemel's tower of rows",
        TrainSettings(),
        OF_PML,
    ),
    "verses": Set(
        f"{VERSES} verses in two translations, 340 years apart",
        verses,
        "all-MiniLM-L6-v2, all of it fine-tuned",
        MINILM,
        (SENTENCES,),
    ),
    "code": Set(
        f"functions of at most {LONGEST} characters by different people, names taken out",
        code,
        "all-MiniLM-L6-v2, all of it fine-tuned",
        MINILM,
        (SENTENCES,),
    ),
}
