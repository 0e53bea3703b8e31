"""What gemel learns beside what its peers learn: same split, same backbone, same budget.

Seven sets, 60/20/20 by identity. Of texts sentence-transformers fine-tunes the same pretrained
network; of images, recordings and rows the tower of gemel learns in a loop of torch with a loss, a
miner and a sampler of pytorch-metric-learning, the better of two losses by dev. Both learn for the
same epochs, steps and batches at the same rates, and dev picks the epoch of each. Measured on eval:
recall_at_1, MAP@R, EER and paired differences by identity; of training CPU seconds and the memory
of its process. Sets that stand in results/same_split.json are kept, unless they are named.

    OMP_NUM_THREADS=1 python bench/bench_same_split.py [--sets NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from same_split_data import BEHIND, CACHE, GEMEL, SETS, Set, split

from gemel.arrays import Float32
from gemel.data.dataset import Dataset
from gemel.decide.bands import Band
from gemel.encode import comparators, modality
from gemel.encode.comparators import Scorer
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Encoder
from gemel.release.evidence import differences
from gemel.release.evidence.differences import Contender
from gemel.release.evidence.part import Part
from gemel.release.evidence.schema import DEFAULT_SAMPLING
from gemel.release.make.measured import machine

HERE = Path(__file__).parent
RESULT = HERE / "results" / "same_split.json"
MEASURES = ("recall_at_1", "MAP@R", "EER")
COSTS = ("cpu_s", "peak_mb")
CONFIDENCE = 0.95
RAW = ", nothing learned"
ANY = Band(threshold=0.0, review_low=0.0, review_high=0.0)
"""No measure here looks at a threshold."""


def measured(name: str) -> dict[str, Any]:
    """Everything that is said of one set."""
    one, folder = SETS[name], CACHE / name
    said = learned(name, one, folder)
    ran_at = [round(x, 1) for x in os.getloadavg()]
    with tempfile.TemporaryDirectory() as scratch:
        dataset = one.read(Path(scratch))
        splits = split(name, dataset)
        eval_ = dataset.take(splits.eval)
        run = folder / GEMEL / "run" / "encoder"
        encoder = Encoder.open(run)
        train = dataset.payloads(splits.train)
        raw = modality.named(dataset.modality).baseline(
            encoder.prepare, train, dataset.payloads(splits.eval)
        )
    parts = {who: part(eval_, np.load(folder / who / "rows.npy"), Cosine()) for who in said}
    parts[GEMEL] = part(eval_, np.load(folder / GEMEL / "rows.npy"), comparators.load(run))
    raw_name = f"{raw.name}{RAW}"
    parts[raw_name] = part(eval_, raw.rows, raw.comparator)
    peer = max(one.peers, key=lambda who: float(said[who]["dev_map_at_r"]))
    against = {who: beside(parts[who], parts[GEMEL]) for who in parts if who != GEMEL}
    figures = {who: {**quality(who, against), **said.get(who, {})} for who in parts}
    ratios = {c: round(said[GEMEL][c] / said[peer][c], 3) for c in COSTS}
    level = all(d["seen"] != "worse" for d in against[peer].values())
    return {
        "what": one.what,
        "records": len(dataset),
        "sides": {
            side: {"records": len(idx), "identities": len(np.unique(dataset.identities[idx]))}
            for side, idx in splits.sides().items()
        },
        "backbone": one.backbone,
        "peer": peer,
        "figures": figures,
        "gemel minus": against,
        "gemel by the peer": ratios,
        "level or better": level,
        "faster or smaller": min(ratios.values()) < 1,
        "met": level and min(ratios.values()) < 1,
        "load": ran_at,
    }


def learned(name: str, one: Set, folder: Path) -> dict[str, Any]:
    """What each learner says of its training; those that are done are not run again."""
    said: dict[str, Any] = {}
    for who in one.learners:
        place = folder / who
        if not (place / "said.json").is_file():
            shutil.rmtree(place, ignore_errors=True)  # one that goes on would look cheaper
            steps = said[GEMEL]["steps_of_an_epoch"] if GEMEL in said else 0
            script = [sys.executable, str(HERE / "same_split_learner.py")]
            subprocess.run([*script, name, who, str(place), "--steps", str(steps)], check=True)
        said[who] = json.loads((place / "said.json").read_text())
    return said


def part(records: Dataset, rows: Float32, comparator: Scorer) -> Part:
    """Eval, encoded and compared."""
    return Part.of_records(rows, records, comparator, DEFAULT_SAMPLING)


def beside(other: Part, ours: Part) -> dict[str, dict[str, Any]]:
    """Each measure of gemel less that of another, with its 95 % interval by identity."""
    both = Contender(other, ANY), Contender(ours, ANY)
    found = differences.of_searches(both, CONFIDENCE) + differences.of_curves(both, CONFIDENCE)
    return {d.measure: msgspec.to_builtins(d) for d in found if d.measure in MEASURES}


def quality(who: str, against: dict[str, dict[str, dict[str, Any]]]) -> dict[str, float]:
    """The measures of one learner, which stand in the differences."""
    one, end = (next(iter(against)), "after") if who == GEMEL else (who, "before")
    return {measure: against[one][measure][end] for measure in MEASURES}


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def row(name: str, said: dict[str, Any]) -> str:
    """A line of the table in docs/how-to/train.md."""
    figures, peer = said["figures"], said["peer"]
    cells = [f"{name}, {said['records']:,}", peer]
    raw = next(who for who in figures if who.endswith(RAW))
    for measure in MEASURES:
        d = said["gemel minus"][peer][measure]
        ends = f"{figures[raw][measure]:.3f}, {d['before']:.3f}, {d['after']:.3f}"
        cells.append(f"{ends} ({d['low']:+.3f} to {d['high']:+.3f})".replace("0.", "."))
    for cost in COSTS:
        cells.append(f"{figures[peer][cost]:,.0f}, {figures[GEMEL][cost]:,.0f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS)
    args = parser.parse_args()
    found = standing()
    for name in args.sets or [name for name in SETS if name not in found]:
        said = {**measured(name), "date": time.strftime("%Y-%m-%d"), "machine": machine()}
        found = {**standing(), name: rounded(said)}
        ordered = {name: found[name] for name in SETS if name in found}
        versions = {"torch": torch.__version__, "behind": f"{BEHIND}: what gemel does by default"}
        RESULT.write_text(json.dumps({**versions, "sets": ordered}, indent=1) + "\n")
        print(row(name, found[name]), flush=True)
    for name, said in found.items():
        print(row(name, said))
    missed = [name for name, said in found.items() if not said["met"]]
    print("missed:", ", ".join(missed) or "nothing")


def standing() -> dict[str, Any]:
    """Sets that were measured."""
    found: dict[str, Any] = json.loads(RESULT.read_text())["sets"] if RESULT.exists() else {}
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
