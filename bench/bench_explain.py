"""CPU time of an explanation, and how much of it is encoding.

    python bench/bench_explain.py [--rounds 30]

A pair of rows with ten text fields of which three differ, scored by a comparator of blocks, and a
pair of images of 64 x 64 pixels. The towers are those of training before its first step, since the
speed does not depend on the weights; digits of scikit-learn are the images. Times are CPU time of
the process on one thread, medians over the rounds; `other` is all that is not encoding: cutting,
scoring, putting together.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits

from gemel.arrays import Float32
from gemel.data.schema import Field
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.blocks import Blocks
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Encoder
from gemel.encode.image.prepare import ImagePrepare
from gemel.encode.modality import Payload
from gemel.encode.row.prepare import RowPrepare
from gemel.release.evidence.part import machine
from gemel.release.precedents import MAX_RECORDS, Gold, Precedents
from gemel.tasks.explain import answer, attribute
from gemel.train.export import export
from gemel.train.towers.image import ImageTower
from gemel.train.towers.tabular import RowTower

RESULT = Path(__file__).parent / "results" / "explain.json"
N_FIELDS = 10


def rows() -> tuple[Encoder, Blocks, list[dict[str, Any]]]:
    """An encoder of rows, a comparator with the shape of a learned one, and rows."""
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    fields = [Field(f"field{i}", "text") for i in range(N_FIELDS)]
    found = [{f.name: "".join(rng.choice(letters, 8)) for f in fields} for _ in range(500)]
    prepare = RowPrepare.fit(found, fields)
    tower = RowTower(prepare, prepare(found))
    n = len(tower.blocks) + 1 + 5 * len(tower.blocks)
    sizes = [(n, 32), (32, 16), (16, 1)]
    weights = [(rng.normal(size=s).astype(np.float32), np.zeros(s[1], np.float32)) for s in sizes]
    encoder = Encoder(prepare, export(tower, prepare(found))[0])
    return encoder, Blocks(tuple(tower.blocks), (), tuple(weights)), found


def images() -> tuple[Encoder, list[bytes]]:
    """An encoder of images, and images."""
    found = []
    for pixels in load_digits().images[:100]:
        file = io.BytesIO()
        Image.fromarray((pixels * 15).astype(np.uint8)).resize((64, 64)).save(file, "PNG")
        found.append(file.getvalue())
    prepare = ImagePrepare.fit(found)
    return Encoder(prepare, export(ImageTower(prepare, prepare(found)), prepare(found))[0]), found


def measured(
    encoder: Encoder, comparator: Comparator, pair: tuple[Payload, Payload], rounds: int
) -> dict[str, Any]:
    """Encodings, calls and milliseconds of explanations of a pair."""
    calls: list[tuple[int, float]] = []

    def encode(payloads: list[Payload]) -> Float32:
        start = time.process_time()
        found = encoder.encode(payloads)
        calls.append((len(payloads), time.process_time() - start))
        return found

    totals, encodings, one_by_one = [], [], []
    for _ in range(rounds + 2):
        calls.clear()
        start = time.process_time()
        steps = attribute(encoder.prepare, comparator, pair, lambda score: "match")
        found = answer(steps, encode)
        totals.append(time.process_time() - start)
        encodings.append(sum(seconds for _, seconds in calls))
        start = time.process_time()
        encoder.encode(list(pair))
        one_by_one.append(time.process_time() - start)
    other = [total - encoding for total, encoding in zip(totals, encodings, strict=True)]
    ms = {
        name: round(1000 * statistics.median(values[2:]), 3)
        for name, values in (
            ("total", totals),
            ("encoding", encodings),
            ("other", other),
            ("encoding the pair alone", one_by_one),
        )
    }
    return {"parts": len(found.parts), "encodings": sum(n for n, _ in calls), "calls": len(calls),
            "cpu_ms": ms}  # fmt: skip


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    row_encoder, blocks, found = rows()
    changed = {**found[0], **{f"field{i}": found[1][f"field{i}"] for i in range(3)}}
    image_encoder, pictures = images()
    embeddings = row_encoder.encode(found).repeat(2, 0)
    gold = Gold(embeddings, np.arange(MAX_RECORDS) // 2, np.arange(MAX_RECORDS).astype(str))
    start = time.process_time()
    known = Precedents.of(gold, blocks)
    once = time.process_time() - start
    result = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "python": platform.python_version(),
        "rounds": rounds,
        "rows, 10 fields": measured(row_encoder, blocks, (found[0], changed), rounds),
        "images, 64 x 64": measured(image_encoder, Cosine(), (pictures[3], pictures[8]), rounds),
        "precedents, once per release": {
            "comparisons": len(known.score),
            "cpu_ms": round(1000 * once),
        },
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
