"""How good what is trained is: sentences of the STS benchmark, and Omniglot's one-shot runs.

Both are sets that lie outside of the repository, see `fewshot_data.py`. Part of `bench_train.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import fewshot_data as data
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from train_costs import interval

from gemel.arrays import Float32, unit_rows
from gemel.cli.main import run
from gemel.encode.encoder import Encoder
from gemel.encode.text.tokens import TokenPrepare
from gemel.settings import TrainSettings
from gemel.train import export
from gemel.train.arrays import embed
from gemel.train.backbones import sentence, source
from gemel.train.shrink import int8, projection

MODEL = "all-MiniLM-L6-v2"
STSB = data.DATA / "stsb"
RANGED = 256
"""Sentences that set the ranges of 8 bits, and train-file sentences that give the axes: all."""
DIM = 128
DRAWS = 300
SEED = 0
PARITY = 0.0005
OMNIGLOT = """[data]
path = "drawings"

[train]
{settings}
[split]
dev = 0.05
eval = 0.02
"""
RUNS_TARGET = 0.93
CACHE = Path(__file__).parents[1] / ".cache" / "bench-train"
"""Where the drawings and the run are kept: one that is stopped goes on."""


def stsb() -> dict[str, Any]:
    """Spearman's correlation with the grades of the dev file, in every form of one model."""
    folder = source.find(TrainSettings(backbone=MODEL, tune="none"), Path()).folder
    recipe = sentence.read(folder, "truncate")
    prepare, tower = TokenPrepare(recipe.tokens), sentence.load(recipe)
    left, right, grades = pairs_of("sts-dev.csv")
    train = sorted({text for side in pairs_of("sts-train.csv")[:2] for text in side})
    whole, difference = export.export(tower, prepare(left[:64]))
    axes = projection.principal(embed(tower, prepare(train[::5])), DIM)
    small = int8.quantized(whole, prepare(train[:: len(train) // RANGED]))
    forms: dict[str, Callable[[list[str]], Float32]] = {
        "sentence-transformers": theirs(folder),
        "torch": lambda texts: embed(tower, prepare(texts)),
        "ONNX": Encoder(prepare, whole).encode,
        "int8": Encoder(prepare, small).encode,
        f"PCA-{DIM}": Encoder(prepare, projection.appended(whole, axes)).encode,
        f"int8, PCA-{DIM}": Encoder(prepare, projection.appended(small, axes)).encode,
    }
    cosines = {}
    for name, encode in forms.items():
        cosines[name] = (encode(left) * encode(right)).sum(axis=1)
        print(name, spearmanr(cosines[name], grades).statistic, flush=True)
    base = cosines["sentence-transformers"]
    rows = {name: _beside(score, base, grades) for name, score in cosines.items()}
    apart = max(abs(rows[name]["change"]["mean"]) for name in ("torch", "ONNX"))
    return {
        "protocol": "STS benchmark, dev file, Spearman's correlation of the cosine with the grade; "
        f"95 % intervals of {DRAWS} draws of pairs; ranges of int8 and axes of PCA from sentences "
        "of the train file",
        "baseline": "sentence-transformers with the same weights",
        "at_most": {"torch and ONNX apart": PARITY},
        "export_differs_by": float(f"{difference:.1e}"),
        "figures": rows,
        "met": apart <= PARITY,
    }


def pairs_of(file: str) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Lefts, rights and grades, 0 to 5, of a file of the STS benchmark."""
    lines = [line.split("\t") for line in (STSB / file).read_text("utf-8").splitlines()]
    grades = np.array([float(line[4]) for line in lines])
    return [line[5] for line in lines], [line[6] for line in lines], grades


def theirs(folder: Path) -> Callable[[list[str]], Float32]:
    """What sentence-transformers makes of texts: (n, d) unit rows."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    return lambda texts: unit_rows(model.encode(texts, show_progress_bar=False))


def _beside(score: Float32, base: Float32, grades: NDArray[np.float64]) -> dict[str, Any]:
    """A correlation and how much it is above another, with intervals."""
    rng = np.random.default_rng(SEED)
    own, changes = [], []
    for _ in range(DRAWS):
        at = rng.integers(len(grades), size=len(grades))
        own.append(spearmanr(score[at], grades[at]).statistic)
        changes.append(own[-1] - spearmanr(base[at], grades[at]).statistic)
    value = float(spearmanr(score, grades).statistic)
    change = value - float(spearmanr(base, grades).statistic)
    return {"spearman": _between(value, own), "change": _between(change, changes)}


def _between(value: float, draws: list[float]) -> dict[str, float]:
    low, high = np.quantile(draws, (0.025, 0.975))
    said = {"mean": value, "low": float(low), "high": float(high)}
    return {name: round(v, 5) for name, v in said.items()}


def omniglot(settings: str) -> dict[str, Any]:
    """Lake's within-alphabet one-shot runs, trained by the command on both small backgrounds."""
    data.check()
    toml = OMNIGLOT.format(settings=settings)
    CACHE.mkdir(parents=True, exist_ok=True)
    with _inside(CACHE):
        if not Path("drawings").is_dir():
            _drawings(Path("unfinished"))
            Path("unfinished").rename("drawings")
        Path("gemel.toml").write_text(toml)
        if run(["train"]):
            sys.exit("gemel train failed")
        made = max(Path(".gemel/runs").glob("*/train.json"), key=lambda path: path.stat().st_mtime)
        encoder, said = Encoder.open(made.parent / "encoder"), json.loads(made.read_text())
    shares = {}
    for episode in data.omniglot_runs():
        cosine = encoder.encode(episode.queries) @ encoder.encode(episode.supports).T
        shares[episode.group] = float((cosine.argmax(axis=1) == episode.truth).mean())
    found = interval(list(shares.values()))
    return {
        "protocol": f"Lake's within-alphabet 20-way one-shot runs, {len(shares)} of 20; trained by "
        "gemel train on the eight alphabets of the two small background sets alone, from the files "
        "as they are; the cosine's nearest; 95 % t interval over runs",
        "baseline": "modified Hausdorff distance .62 on the runs 1-10, see fewshot.json",
        "gemel.toml": toml,
        "at_least": RUNS_TARGET,
        "figures": {"right": found, "by_run": shares},
        "epochs": len(said["history"]) - 1,
        "dev_map_at_r": round(max(e["metric"] for e in said["history"]), 4),
        "seconds": said["seconds"],
        "met": found["mean"] >= RUNS_TARGET,
    }


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _drawings(folder: Path) -> None:
    """Both small backgrounds as they are, a folder for each character."""
    for part in ("small1", "small2"):
        with zipfile.ZipFile(data.DATA / "omniglot" / f"images_background_{part}.zip") as z:
            for name in z.namelist():
                if name.endswith(".png"):
                    _, alphabet, character, file = PurePosixPath(name).parts
                    to = folder / f"{alphabet}-{character}" / file
                    to.parent.mkdir(parents=True, exist_ok=True)
                    to.write_bytes(z.read(name))
