"""Folders without labels in which some files stand once more: what is found, and what was expected.

    OMP_NUM_THREADS=1 python bench/bench_planted.py [--sets NAME ...] [--seeds N ...]

Photos, texts and recordings are those that the tests plant. The rest is of the folder that
GEMEL_BENCH_DATA names. Logos: the largest icon set of `brand_logos/`, of which some stand once
more, smaller, on white and as JPEG. Stamps: of `stamps_image_text/`, some once more and, as
versions, each of fewer four times more; cropped, of another size and as worse JPEG. Every set goes
through `gemel init`, `train` and `duplicates` as they are; of pictures, the cosine of pixels at the
threshold that is best in hindsight stands beside it.
Writes results/planted.json.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from fewshot_data import DATA
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.cli.test_files_without_labels import details, notes, voices_of  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "planted.json"
N_LOGOS, EVERY, SIDE = 400, 10, 24


def logos(folder: Path) -> None:
    """Logos of one set, each tenth once more as a web page would have it, and a broken file."""
    folder.mkdir()
    table = pl.read_parquet(DATA / "brand_logos" / "logos.parquet")
    largest = table["icon_set"].value_counts().sort("count")["icon_set"][-1]
    some = table.filter(pl.col("icon_set") == largest).head(N_LOGOS)
    for i, data in enumerate(some["png"]):
        logo = Image.open(io.BytesIO(data)).convert("RGBA")
        logo.save(folder / f"{i:03}.png")
        if i % EVERY == 0:
            page = Image.new("RGB", logo.size, "white")
            page.paste(logo, mask=logo)
            less = 4 + 2 * (i // EVERY % 3)
            page = page.resize((logo.width - less, logo.height - less))
            page.save(folder / f"{i:03} again.jpg", quality=70)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n no more")


def stamps(folder: Path, n: int = 300, n_twice: int = 40, times: int = 1) -> None:
    """Stamps, some so many times more, with 3 to 12 % cut off each side."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    files = pl.read_parquet(DATA / "stamps_image_text" / "stamps.parquet")["jpeg"]
    some, again = np.sort(rng.permutation(len(files))[:n]), set(rng.permutation(n)[:n_twice])
    for i, data in enumerate(files[some.tolist()]):
        (folder / f"{i:03}.jpg").write_bytes(data)
        for version in range(times if i in again else 0):
            stamp = Image.open(io.BytesIO(data)).convert("RGB")
            near, far = rng.uniform(0.03, 0.12, (2, 2)) * stamp.size
            cut = stamp.crop((*near.round(), *(stamp.size - far).round()))
            size = (np.array(cut.size) * rng.uniform(0.7, 1.2)).round().astype(int)
            quality = int(rng.integers(40, 81))
            cut.resize((size[0], size[1])).save(
                folder / f"{i:03} again.{version}.jpg", quality=quality
            )


def versions(folder: Path) -> None:
    """Stamps in five versions each."""
    stamps(folder, n=40, n_twice=40, times=4)


def pairs_in(folder: Path) -> int:
    """Pairs of files of one thing."""
    return sum(k * (k - 1) // 2 for k in Counter(p.name[:3] for p in folder.iterdir()).values())


SETS: dict[str, Callable[[Path], None]] = {
    "photos": details,
    "logos": logos,
    "stamps": stamps,
    "versions": versions,
    "texts": notes,
    "recordings": voices_of,
}
PICTURES = ("photos", "logos", "stamps", "versions")


def gemel(folder: Path, *words: str) -> str:
    """What a command writes to stdout."""
    told = [sys.executable, "-m", "gemel", *words]
    return subprocess.run(told, cwd=folder, check=True, capture_output=True, text=True).stdout


def judged(folder: Path, n: int, seed: int) -> dict[str, Any]:
    """What `gemel duplicates` says of a folder, and what it found."""
    gemel(folder, "init", "folder", "--set", f"train.seed={seed}")
    gemel(folder, "train")
    said = json.loads(gemel(folder, "duplicates", "--pairs", "pairs.csv", "--json"))
    with (folder / "pairs.csv").open(newline="") as file:
        found = [(p["left"][:3], p["right"][:3]) for p in csv.DictReader(file)]
    right = sum(a == b for a, b in found)
    return {
        "matches": len(found),
        "expected right": round(1 - said["false_links"]["expected"] / max(len(found), 1), 3),
        "were right": round(right / max(len(found), 1), 3),
        "found": round(right / n, 3),
    }


def by_pixels(folder: Path, n: int) -> dict[str, Any]:
    """The cosine of small grey pictures, at the threshold with the best F1."""
    rows, names = [], []
    for path in sorted(folder.iterdir()):
        try:
            picture = Image.open(path).convert("RGBA")
            page = Image.new("RGBA", picture.size, "white")
            page.alpha_composite(picture)
        except OSError:
            continue
        rows.append(np.asarray(page.convert("L").resize((SIDE, SIDE)), np.float64).ravel())
        names.append(path.name[:3])
    pixels = np.array(rows) - np.mean(rows, axis=0)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    left, right = np.triu_indices(len(pixels), 1)
    order = np.argsort(-np.einsum("nd,nd->n", pixels[left], pixels[right]))
    same = np.array(names)[left[order]] == np.array(names)[right[order]]
    hit, reach = np.cumsum(same), np.arange(1, len(same) + 1)
    best = int(np.argmax(2 * hit / (reach + n)))
    return {
        "matches": int(reach[best]),
        "were right": round(float(hit[best] / reach[best]), 3),
        "found": round(float(hit[best] / n), 3),
    }


def main() -> None:
    """Run what is asked for, and keep the rest of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    asked = parser.parse_args()
    for name in asked.sets:
        with tempfile.TemporaryDirectory() as made:
            plain = Path(made) / "folder"
            SETS[name](plain)
            n = pairs_in(plain)
            told: dict[str, Any] = {"files": len(list(plain.iterdir())), "pairs": n}
            if name in PICTURES:
                told["pixels, in hindsight"] = by_pixels(plain, n)
            told["gemel"] = []
            for seed in asked.seeds:
                folder = Path(made) / str(seed)
                folder.mkdir()
                (folder / "folder").symlink_to(plain)
                told["gemel"].append({"seed": seed, **judged(folder, n, seed)})
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[name] = told
        results["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
        results["date"] = time.strftime("%Y-%m-%d")
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(name, json.dumps(told, indent=1), flush=True)


if __name__ == "__main__":
    main()
