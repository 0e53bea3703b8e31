"""Certified thresholds on identities that chose nothing: is the promised FMR kept?

    OMP_NUM_THREADS=1 python bench/bench_certified.py [--images FOLDER] [--sets NAME ...]

Rows: RLdata10000, FEBRL 2 and 3 by names, patent inventors without names; the encoder of `gemel
train` with few epochs, trained once per set. Images: Omniglot, font glyphs, emoji of several
vendors, made small; the same. The identities that trained nothing are split ten times: 30 % (dev)
choose the threshold, 70 % (eval) say what it does. Beside it the naive one: the loosest threshold
whose observed FMR on dev is within the target. What must hold: eval FMR within the target in at
least the promised share of the runs. Writes results/certified.json.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image
from records_data import load

from gemel.arrays import Float32, Int64
from gemel.calibrate.goals.choose import choose
from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.operating_point import measure
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.calibrate.scores.scores import Scores
from gemel.calibrate.scores.sweep import sweep
from gemel.data import records, splits
from gemel.data.dataset import Dataset
from gemel.encode import comparators
from gemel.encode.encoder import Encoder
from gemel.errors import TargetRefused
from gemel.settings import TrainSettings

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache"
RESULT = Path(__file__).parent / "results" / "certified.json"
SEEDS = range(10)
LIMITS = (1e-2, 1e-3, 1e-4)
CONFIDENCE = 0.95
DEV_SHARE = 0.3
MAX_COMPARISONS = 20_000_000
MAX_EPOCHS = 4
SIZE, PER_CLASS = 24, 12
PROTOCOL = (
    f"identities that trained nothing are split {len(SEEDS)} times, {DEV_SHARE:.0%} dev and the "
    f"rest eval; kept: FMR on eval within the target; confidence {CONFIDENCE}; encoder of at most "
    f"{MAX_EPOCHS} epochs on 50 % of the identities (images: 30 %), 10 % select; images: grey, "
    f"{SIZE} x {SIZE}, at most {PER_CLASS} of a class"
)


Picture = tuple[str, Image.Image]
"""Class and picture."""


@dataclass(frozen=True)
class World:
    """All comparisons among the identities that trained nothing."""

    scores: Scores
    n_records: int


def rows(name: str, _: Path) -> World:
    """A set of records."""
    return _trained(name, load(name, CACHE / "packages").dataset(), eval=0.4)


def omniglot(name: str, folder: Path) -> World:
    return _pictures(name, omniglot_pictures(folder))


def omniglot_pictures(folder: Path) -> list[Picture]:
    pictures = []
    for part in ("images_background_small1.zip", "images_background_small2.zip"):
        with zipfile.ZipFile(folder / "omniglot" / part) as archive:
            pictures += [
                ("/".join(path.split("/")[-3:-1]), _small(archive.read(path)))
                for path in sorted(archive.namelist())
                if path.endswith(".png") and not path.startswith("__")
            ]
    return pictures


def glyphs(name: str, folder: Path) -> World:
    return _pictures(name, glyph_pictures(folder))


def glyph_pictures(folder: Path) -> list[Picture]:
    classes = pl.read_parquet(folder / "font_glyphs" / "glyphs.parquet")["class"]
    with np.load(folder / "font_glyphs" / "glyphs_48x48_u8.npz") as file:
        small = file["X"].reshape(-1, SIZE, 2, SIZE, 2).mean(axis=(2, 4)).astype(np.uint8)
    return list(zip(classes, map(Image.fromarray, small), strict=True))


def emoji(name: str, folder: Path) -> World:
    found = pl.read_parquet(folder / "emoji_vendors" / "emoji.parquet")
    return _pictures(name, zip(found["class_id"], map(_small, found["png"]), strict=True))


SETS: dict[str, Callable[[str, Path], World]] = {
    "rldata10000": rows,
    "febrl2-names": rows,
    "febrl3-names": rows,
    "patents": rows,
    "omniglot": omniglot,
    "font glyphs": glyphs,
    "emoji": emoji,
}


def _small(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file)).convert("L").resize((SIZE, SIZE))


def _pictures(name: str, pictures: Iterable[Picture]) -> World:
    """Some pictures of each class, as a folder of images has them."""
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(pictures, Path(folder), PER_CLASS)
        return _trained(name, records.read(Path(folder)), eval=0.6)


def write_pictures(pictures: Iterable[Picture], folder: Path, per_class: int) -> None:
    """A folder of images with a folder for each class."""
    of: dict[str, list[Image.Image]] = {}
    for label, picture in pictures:
        of.setdefault(str(label), []).append(picture)
    rng = np.random.default_rng(0)
    for number, label in enumerate(sorted(of)):
        into = folder / f"{number:05}"
        into.mkdir()
        for i in rng.permutation(len(of[label]))[:per_class]:
            of[label][i].save(into / f"{i}.png")


def _trained(name: str, dataset: Dataset, *, eval: float) -> World:
    """The identities that trained nothing, by the encoder and comparator of `gemel train`."""
    from gemel.train.fit import train

    sides = splits.by_identity(dataset, dev=0.1, eval=eval, seed=0)
    settings = TrainSettings(max_epochs=MAX_EPOCHS, threads=1)
    run = train(dataset, sides, settings, CACHE / "bench-certified" / name.replace(" ", "-"))
    embeddings = Encoder.open(run.encoder).encode(dataset.payloads(sides.eval))
    comparator = comparators.load(run.encoder)
    return _world(embeddings, dataset.identities[sides.eval], comparator)


def _world(embeddings: Float32, codes: Int64, comparator: comparators.Comparator) -> World:
    codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    scores = all_pairs(embeddings, codes, comparator, max_comparisons=MAX_COMPARISONS)
    return World(scores, len(embeddings))


def split(scores: Scores, seed: int) -> tuple[Scores, Scores]:
    """The comparisons among 30 % of the identities, and those among the others."""
    order = np.random.default_rng(seed).permutation(scores.n_codes)
    dev = np.zeros(scores.n_codes, bool)
    dev[order[: int(DEV_SHARE * scores.n_codes)]] = True
    parts = []
    for side in (dev, ~dev):
        at = side[scores.left] & side[scores.right]
        parts.append(
            Scores(scores.score[at], scores.genuine[at], scores.left[at], scores.right[at])
        )
    return parts[0], parts[1]


def naive(dev: Scores, limit: float) -> float:
    """The loosest threshold whose observed FMR is within the limit."""
    curve = sweep(dev)
    return curve.between(int(np.searchsorted(curve.fmr(), limit, side="right")) - 1)


def one_run(dev: Scores, eval: Scores, limit: float) -> dict[str, Any]:
    """What both thresholds do on eval; the certified one may be refused."""
    plain = measure(eval, naive(dev, limit))
    row: dict[str, Any] = {"naive": _seen(plain)}
    try:
        at = choose(dev, Target(kind="fmr", value=limit, confidence=CONFIDENCE))
    except TargetRefused as e:
        row["refused"] = {
            "missing_identities": e.refusal.missing_identities,
            "smallest_fmr": float(f"{e.refusal.reach:.3g}"),
        }
        return row
    row["certified"] = _seen(measure(eval, at.threshold))
    return row


def _seen(at: Any) -> dict[str, float]:
    rates = {"fmr": at.fmr.value, "fnmr": at.fnmr.value, "threshold": at.threshold}
    return {name: float(f"{value:.4g}") for name, value in rates.items()}


def summary(runs: list[dict[str, Any]], limit: float) -> dict[str, Any]:
    """Runs of one set and target in a few numbers."""
    out: dict[str, Any] = {"target": limit, "runs": len(runs)}
    for name in ("certified", "naive"):
        seen = [run[name] for run in runs if name in run]
        out[name] = {"runs": len(seen), "kept": sum(s["fmr"] <= limit for s in seen)}
        if seen:
            for rate in ("fmr", "fnmr"):
                out[name][f"mean_{rate}"] = float(f"{np.mean([s[rate] for s in seen]):.3g}")
    missing = [run["refused"]["missing_identities"] for run in runs if "refused" in run]
    out["refused"] = {"runs": len(missing)}
    if missing:
        out["refused"]["median_missing_identities"] = int(np.median(missing))
    return out


def bench(name: str, folder: Path) -> dict[str, Any]:
    """All runs of one set."""
    world = SETS[name](name, folder)
    runs: dict[float, list[dict[str, Any]]] = {limit: [] for limit in LIMITS}
    for seed in SEEDS:
        dev, eval = split(world.scores, seed)
        for limit in LIMITS:
            runs[limit].append({"seed": seed, **one_run(dev, eval, limit)})
    found = {
        "records": world.n_records,
        "identities": int(world.scores.n_identities),
        "dev_identities": int(DEV_SHARE * world.scores.n_codes),
        "note": world.scores.note,
        "targets": [{**summary(runs[limit], limit), "each": runs[limit]} for limit in LIMITS],
    }
    for row in found["targets"]:
        print(name, json.dumps({k: v for k, v in row.items() if k != "each"}), flush=True)
    return found


def main() -> None:
    """Run the sets, add up, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    asked = parser.parse_args()
    needed = {"omniglot": "omniglot", "font glyphs": "font_glyphs", "emoji": "emoji_vendors"}
    absent = [s for s in asked.sets if s in needed and not (asked.images / needed[s]).is_dir()]
    if absent:
        raise SystemExit(
            f"no pictures for {', '.join(absent)} in {asked.images}: name their folder with "
            "--images, or leave them out with --sets"
        )
    found = {name: bench(name, asked.images) for name in asked.sets}
    rows = [row for one in found.values() for row in one["targets"]]
    total = {
        name: {key: sum(row[name][key] for row in rows) for key in ("runs", "kept")}
        for name in ("certified", "naive")
    }
    share = total["certified"]["kept"] / max(total["certified"]["runs"], 1)
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "protocol": PROTOCOL,
        "confidence": CONFIDENCE,
        "total": total,
        "passed": share >= CONFIDENCE,
        "sets": found,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({"total": total, "passed": result["passed"]}))
    raise SystemExit(not result["passed"])


if __name__ == "__main__":
    main()
