"""Training: what it costs and how good what comes of it is, each part beside a peer.

Parts: throughput (a bare loop of torch), triplets and ntxent (pytorch-metric-learning), evaluation
(100,000 x 100,000 comparisons), export (MiniLM), stsb and fine_tuned (sentence-transformers), and
omniglot (Lake's runs). A part that stands in results/train.json is not measured again unless it is
named. `stsb`, `fine_tuned` and `omniglot` read sets that are not in the repository, see
fewshot_data.py; omniglot takes twenty minutes.

    OMP_NUM_THREADS=1 python bench/bench_train.py [--sections NAME ...]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import train_costs as costs
import train_fine_tuned
import train_quality as quality

from gemel.release.make.measured import machine

RESULT = Path(__file__).with_name("results") / "train.json"
OMNIGLOT = """image_size = 48
mining = "neighbours"
learning_rate = 0.001
max_epochs = 50
patience = 50
threads = 2
"""
"""What was best on held-out alphabets of the background, see the lab log of 2026-11-29."""
SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "throughput": costs.throughput,
    "triplets": costs.triplets,
    "ntxent": costs.ntxent,
    "evaluation": costs.evaluation,
    "export": costs.export,
    "stsb": quality.stsb,
    "fine_tuned": train_fine_tuned.fine_tuned,
    "omniglot": lambda: quality.omniglot(OMNIGLOT),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS)
    args = parser.parse_args()
    found = json.loads(RESULT.read_text())["sections"] if RESULT.exists() else {}
    for name in args.sections or [name for name in SECTIONS if name not in found]:
        begun = time.monotonic()
        said = SECTIONS[name]()
        took = {"date": time.strftime("%Y-%m-%d"), "took_s": round(time.monotonic() - begun)}
        found[name] = {**said, **took, "machine": machine()}
        print(name, json.dumps(found[name]), flush=True)
        ordered = {name: found[name] for name in SECTIONS if name in found}
        result = {"torch": torch.__version__, "sections": ordered}
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    missed = [name for name, said in found.items() if not said["met"]]
    print("missed:", ", ".join(missed) or "nothing")
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
