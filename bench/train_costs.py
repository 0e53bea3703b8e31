"""What training and its measures cost, each beside a peer in the same run: `bench_train.py`.

Memory is that of a process of its own, which this module is as well: `train_costs.py PART ...`
prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor, nn

from gemel.arrays import Int64
from gemel.data.sampler import PxK
from gemel.settings import TrainSettings
from gemel.train import loop, losses, towers
from gemel.train.arrays import Arrays, Views, tensors
from gemel.train.loop import Material, Objective, Plan, Session

BATCH, OF_A_CLASS, DIM = 1024, 8, 128
ROUNDS = 5
STEPS = 12
PIXELS = 32
THEIR_BATCHES = (128, 256)
"""Of labelled NT-Xent in the peer, where memory grows with the third power of the batch."""
RECORDS = 100_000
SEED = 0


def throughput() -> dict[str, Any]:
    """Steps of `gemel train` beside a bare loop of the same batches, views, tower and loss."""
    found = {kind: _throughput(kind) for kind in ("image", "text")}
    return {
        "protocol": f"CPU seconds of {STEPS - 1} steps, {ROUNDS} interleaved rounds, one thread; "
        f"images of {PIXELS} pixels 16 x 8, texts of 12 words 64 x 2; the peer takes batch, views, "
        "tower, loss, backward and AdamW and nothing else; the dev metric is outside of both",
        "baseline": "a loop of torch of ten lines",
        "at_least": 0.95,
        "figures": found,
        "met": all(one["ratio"]["mean"] >= 0.95 for one in found.values()),
    }


def _throughput(kind: str) -> dict[str, Any]:
    half = towers.trainable(kind, TrainSettings())
    payloads, identities = (_pictures if kind == "image" else _texts)()
    prepare = half.fitted(payloads, (), PIXELS if kind == "image" else 0)
    arrays = prepare(payloads)
    d = half.defaults
    ratios, ours, theirs = [], [], []
    for _ in range(ROUNDS):
        both = []
        for how in (_gemel, _bare):
            torch.manual_seed(SEED)
            tower = half.tower(prepare, arrays, size="small")
            loss = losses.named(d.loss)
            supervision, labels = half.aim(tower, arrays, identities, loss)
            sampler = PxK(labels, d.identities_per_batch, d.views_per_identity, SEED)
            views = half.views(prepare)
            taught = Taught(arrays, labels, sampler, supervision, views, d.averaging)
            both.append(how(tower, taught))
        ours.append(both[0])
        theirs.append(both[1])
        ratios.append(both[1] / both[0])
    per_step = {"gemel": np.median(ours), "bare": np.median(theirs)}
    return {
        "seconds_a_step": {k: round(float(v) / (STEPS - 1), 4) for k, v in per_step.items()},
        "ratio": interval(ratios),
    }


@dataclass(frozen=True)
class Taught:
    """What both loops are given: records, their labels, the order of batches, loss and views."""

    arrays: Arrays
    labels: Int64
    sampler: PxK
    supervision: loop.Supervision
    views: Views
    averaging: float


def _gemel(tower: nn.Module, taught: Taught) -> float:
    """CPU seconds from the end of the first step to that of the last."""
    at: dict[int, float] = {}

    def stamp(step: loop.Step) -> None:
        at.setdefault(step.step, time.process_time())

    some = {name: a[:8] for name, a in taught.arrays.items()}
    material = Material(taught.arrays, taught.labels, some, np.arange(8) // 2)
    plan = Plan(max_epochs=1, patience=1, averaging=taught.averaging)
    objective = Objective(taught.supervision, lambda rows, identities: 0.5, taught.views)
    loop.fit(tower, material, taught.sampler, objective, plan, Session(progress=stamp))
    return at[STEPS] - at[1]


def _bare(tower: nn.Module, taught: Taught) -> float:
    """The same of a loop that does nothing else."""
    optimizer = torch.optim.AdamW(tower.parameters(), lr=1e-3)
    rng = np.random.default_rng(SEED)
    tower.train()
    begun = 0.0
    for i, idx in zip(range(STEPS), taught.sampler, strict=False):
        batch = taught.views({name: a[idx] for name, a in taught.arrays.items()}, rng)
        cost = taught.supervision(tower(**tensors(batch)), torch.from_numpy(taught.labels[idx]))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(cost)
        optimizer.step()
        if i == 0:
            begun = time.process_time()
    return time.process_time() - begun


def _pictures() -> tuple[list[bytes], Int64]:
    """Noise in the size of drawings: only its shape matters here."""
    import io

    from PIL import Image

    rng = np.random.default_rng(SEED)
    out = []
    for pixels in rng.integers(0, 255, (16 * 8 * STEPS, PIXELS, PIXELS), dtype=np.uint8):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        out.append(file.getvalue())
    return out, np.repeat(np.arange(16 * STEPS), 8)


def _texts() -> tuple[list[str], Int64]:
    rng = np.random.default_rng(SEED)
    words = ["".join(rng.choice(list("abcdefghij"), 6)) for _ in range(2000)]
    n = 64 * 2 * STEPS
    return [" ".join(rng.choice(words, 12)) for _ in range(n)], np.repeat(np.arange(n // 2), 2)


def triplets() -> dict[str, Any]:
    """Semi-hard triplets of a batch of 1,024, forward and backward."""
    rounds = [(child("triplet", "gemel"), child("triplet", "pml")) for _ in range(3)]
    time_ratio = [ours["cpu_s"] / theirs["cpu_s"] for ours, theirs in rounds]
    memory_ratio = [ours["peak_mb"] / theirs["peak_mb"] for ours, theirs in rounds]
    ours, theirs = rounds[-1]
    return {
        "protocol": f"{BATCH} unit rows of {DIM}, {OF_A_CLASS} of a class; forward and backward, "
        "CPU seconds and peak memory above that before it, each in a process of its own, 3 rounds",
        "baseline": "pytorch-metric-learning: TripletMarginMiner(semihard), TripletMarginLoss",
        "at_most": {"time": 0.15, "memory": 0.5},
        "figures": {"gemel": ours, "pytorch-metric-learning": theirs},
        "time_ratio": interval(time_ratio),
        "memory_ratio": interval(memory_ratio),
        "met": bool(np.mean(time_ratio) <= 0.15 and np.mean(memory_ratio) <= 0.5),
    }


def ntxent() -> dict[str, Any]:
    """Labelled NT-Xent of a batch of 1,024 under 500 MB."""
    ours = [child("ntxent", "gemel", str(n)) for n in (*THEIR_BATCHES, BATCH)]
    theirs = [child("ntxent", "pml", str(n)) for n in THEIR_BATCHES]
    grows = theirs[1]["peak_mb"] / theirs[0]["peak_mb"]
    doublings = int(np.log2(BATCH / THEIR_BATCHES[-1]))
    return {
        "protocol": f"batches of {DIM}-dimensional rows, 16 of a class, forward and backward; peak "
        "of the process, imports included, and above that before the step",
        "baseline": "pytorch-metric-learning: NTXentLoss; at 1,024 it is not run but continued "
        "from how it grows",
        "at_most": {"process_mb": 500},
        "figures": {"gemel": ours, "pytorch-metric-learning": theirs},
        "theirs_at_1024_mb": round(theirs[1]["peak_mb"] * grows**doublings),
        "met": ours[-1]["process_mb"] < 500,
    }


def evaluation() -> dict[str, Any]:
    """All comparisons of 100,000 records with each other, under 1.5 GB."""
    found = child(str(RECORDS), script="train_evaluation.py")
    return {
        "protocol": f"{RECORDS:,} rows of {DIM} with 5 of an identity: exact "
        "ranks of all (recall at k, MAP@R), and all operating points of as many comparisons as a "
        "release looks at; one process, imports included",
        "baseline": f"the scores of all as one float32 matrix: {RECORDS**2 * 4 / 1e9:.0f} GB",
        "at_most": {"process_mb": 1500},
        "figures": found,
        "met": found["process_mb"] < 1500,
    }


def export() -> dict[str, Any]:
    """A MiniLM as ONNX, compared with torch over batches of four sizes, under 10 s."""
    rounds = [child("export") for _ in range(3)]
    return {
        "protocol": "all-MiniLM-L6-v2, texts of 2 to 30 words; processor seconds of one thread for "
        "export and parity in a process of its own, its imports and the loading of weights before "
        "it, 3 rounds; by the clock it is as much on a quiet machine",
        "baseline": "none",
        "at_most": {"cpu_s": 10},
        "figures": rounds,
        "cpu_s": interval([one["cpu_s"] for one in rounds]),
        "load": round(os.getloadavg()[0], 1),
        "met": all(one["cpu_s"] < 10 for one in rounds),
    }


def interval(values: Sequence[float]) -> dict[str, float]:
    """Mean, and its 95 % t interval."""
    mean = float(np.mean(values))
    half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    said = {"mean": mean, "low": mean - half, "high": mean + half}
    return {name: round(value, 4) for name, value in said.items()}


def child(*words: str, script: str = "train_costs.py") -> dict[str, Any]:
    """What a process of its own says of a part."""
    path = str(Path(__file__).with_name(script))
    done = subprocess.run(
        [sys.executable, path, *words], check=True, stdout=subprocess.PIPE, text=True
    )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def _mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _measured(work: Callable[[], float]) -> dict[str, float]:
    """CPU seconds and memory of a call whose modules are warm."""
    before, begun = _mb(), time.process_time()
    value = work()
    spent = time.process_time() - begun
    peak = _mb()
    said = {"loss": value, "cpu_s": spent, "peak_mb": peak - before, "process_mb": peak}
    return {name: round(v, 4) for name, v in said.items()}


def _batch(n: int, k: int) -> tuple[Tensor, Tensor]:
    rows = torch.randn(n, DIM, generator=torch.Generator().manual_seed(SEED))
    labels = torch.arange(n // k).repeat_interleave(k)
    centre = torch.randn(n // k, DIM, generator=torch.Generator().manual_seed(SEED + 1))
    rows = nn.functional.normalize(rows + centre[labels], dim=1)
    return rows.requires_grad_(), labels


def _of_batch(part: str, whose: str, n: int, k: int) -> dict[str, float]:
    def work(n: int) -> float:
        rows, labels = _batch(n, k)
        cost = _loss(part, whose)(rows, labels)
        cost.backward()
        return float(cost.detach())

    work(4 * k)  # what is loaded or compiled at the first call is no part of a step
    return {"batch": n, **_measured(lambda: work(n))}


def _loss(part: str, whose: str) -> Callable[[Tensor, Tensor], Tensor]:
    if whose == "gemel":
        made = (
            losses.named("triplet", mining="semi-hard")
            if part == "triplet"
            else losses.InfoNCE(temperature=0.07)
        )
        return losses.ByIdentity(made)
    from pytorch_metric_learning import distances, miners
    from pytorch_metric_learning import losses as theirs

    if part == "ntxent":
        return theirs.NTXentLoss(temperature=0.07)
    cosine = distances.CosineSimilarity()
    loss = theirs.TripletMarginLoss(margin=0.2, distance=cosine)
    miner = miners.TripletMarginMiner(margin=0.2, distance=cosine, type_of_triplets="semihard")
    return lambda rows, labels: loss(rows, labels, miner(rows, labels))


def _export() -> dict[str, Any]:
    from gemel.encode.text.tokens import TokenPrepare
    from gemel.train import export as exporting
    from gemel.train.backbones import sentence, source

    settings = TrainSettings(backbone="all-MiniLM-L6-v2", tune="none")
    with tempfile.TemporaryDirectory() as base:
        recipe = sentence.read(source.find(settings, Path(base)).folder, "truncate")
    tower = sentence.load(recipe)
    rng = np.random.default_rng(SEED)
    words = ["red", "green", "house", "of", "the", "running", "water", "letters"]
    texts = [" ".join(rng.choice(words, int(n))) for n in rng.integers(2, 30, 64)]
    arrays = TokenPrepare(recipe.tokens)(texts)
    begun, spent = time.monotonic(), time.process_time()
    network, difference = exporting.export(tower, arrays)
    return {
        "cpu_s": round(time.process_time() - spent, 2),
        "wall_s": round(time.monotonic() - begun, 2),
        "difference": float(f"{difference:.1e}"),
        "mb": round(len(network) / 1e6, 1),
        "process_mb": round(_mb()),
    }


def main(part: str, *words: str) -> None:
    torch.set_num_threads(1)
    if part == "export":
        said = _export()
    elif part == "triplet":
        said = _of_batch(part, words[0], BATCH, OF_A_CLASS)
    else:
        said = _of_batch(part, words[0], int(words[1]), 16)
    print(json.dumps(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
