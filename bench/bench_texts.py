"""Embeddings of sentences over HTTP: all-MiniLM-L6-v2, 32 tokens a text, at 1, 16 and 64 clients.

    python bench/bench_texts.py FOLDER [--prepare] [--seconds 5] [--rounds 2]

Contestants, each a process of its own on one core with one thread, the clients on another core:
gemel, gemel with the same network in 8 bits, infinity, sentence-transformers behind FastAPI, and a
bare loop of ONNX Runtime that is fed tokens of perfect batches. All of them have the same weights.
They are asked in turns; figures are medians of the rounds. The 8 bits are a release of their own
that `gemel shrink` makes: thresholds, and on eval the difference in quality, are its own too.

The first run imports the model, shrinks it and installs the peers into .cache (--prepare does that
and no more); infinity is left out where it cannot be installed. It reads the development sets for
sentences, which are not part of the product: name their folder. Writes bench/results/texts.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from ask_client import asked
from bench_serve import machine, served
from bench_shrink import gemel, text
from records_contestants import environment

from gemel.cli.project import Project
from gemel.release.release import Release
from gemel.settings import TrainSettings
from gemel.train.backbones import source

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache"
MODEL = "all-MiniLM-L6-v2"
TOKENS, N_TEXTS = 32, 2000
CLIENTS = (1, 16, 64)
SIZES = (8, 16, 32)
"""Of perfect batches; the best one counts."""
TARGETS = {
    "of_bare_loop": 0.92,
    "of_infinity": 1.2,
    "of_sentence_transformers": 1.3,
    "int8_of_infinity": 2.5,
    "int8_of_sentence_transformers": 2.5,
    "single_p99_of_bare": 1.25,
}
LESS_IS_BETTER = ("single_p99_of_bare",)


def prepared(folder: Path) -> dict[str, Any]:
    """The releases and what the 8 bits lose; made once."""
    project = CACHE / "bench-texts"
    kept = project / "prepared.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    project.mkdir(parents=True, exist_ok=True)
    before = Path.cwd()
    os.chdir(project)
    try:
        text(folder)
        parent = Project.open().store().list()[0].id
        said = json.loads(gemel("shrink", parent, "--take", "int8", "--name", "int8", "--json"))
    finally:
        os.chdir(before)
    tried = next(t for t in said["shrunk"]["tried"] if t["name"] == "int8")
    child = said["release"]["id"] if said["release"] else ""
    found = {"parent": parent, "child": child, "measure": said["shrunk"]["measure"], "int8": tried}
    kept.write_text(json.dumps(found))
    return found


def sentences(release: Release, folder: Path) -> list[str]:
    """Texts of 32 tokens each, of words that occur."""
    lines = (folder / "stsb" / "sts-train.csv").read_text("utf-8").splitlines()
    words = sorted({w for line in lines for w in re.findall(r"[a-z]{3,9}", line.split("\t")[5])})
    rng, found = random.Random(0), list[str]()
    while len(found) < N_TEXTS:
        chosen = [rng.choice(words) for _ in range(TOKENS)]
        starts = [" ".join(chosen[:n]) for n in range(TOKENS // 2, TOKENS)]
        lengths = release.encoder.prepare(starts)["there"].sum(axis=1).tolist()
        if TOKENS in lengths:
            found.append(starts[lengths.index(TOKENS)])
    return found


def bare(folder: Path, texts: list[str], seconds: float) -> dict[str, float]:
    """What ONNX Runtime does in a loop, with tokens that were made before."""
    import onnxruntime as ort

    release = Release.open(folder)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    network = str(folder / "encoder" / "encoder.onnx")
    session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def loop(size: int) -> list[float]:
        starts = range(0, len(texts) - size + 1, size)
        batches = [dict(release.encoder.prepare(texts[i : i + size])) for i in starts]
        took, until = list[float](), time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            session.run(None, batches[len(took) % len(batches)])
            took.append(time.perf_counter() - began)
        return took

    loop(1)
    rates = [size * len(took) / sum(took) for size in SIZES for took in [loop(size)]]
    p50, p99 = (np.percentile(loop(1), [50, 99]) * 1000).tolist()
    return {"texts_per_second": max(rates), "single_p50_ms": p50, "single_p99_ms": p99}


def pin(pid: int, core: int) -> None:
    """Keep a process on one core, where that can be said."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {core})


@contextlib.contextmanager
def peer(command: list[str], port: int, path: str) -> Iterator[tuple[int, str]]:
    """A server that is asked as soon as it listens; its process id and address."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    environ |= {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=said, stderr=said, env=environ) as process,
    ):
        pin(process.pid, 0)
        until = time.monotonic() + 180
        try:
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if process.poll() is not None or time.monotonic() > until:
                    said.seek(0)
                    raise SystemExit(f"{command}:\n{said.read().decode()[-3000:]}")
                time.sleep(0.2)
            yield process.pid, f"http://127.0.0.1:{port}{path}"
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def peers_python() -> Path | None:
    """The interpreter of the peers; None where they cannot be installed."""
    try:
        return environment(CACHE / "bench-texts-venv", HERE / "requirements-texts.txt")
    except subprocess.CalledProcessError as error:
        print(f"without infinity: {error}", file=sys.stderr)
        return None


def peers(stack: contextlib.ExitStack) -> dict[str, tuple[int, str]]:
    """Servers of others, by name."""
    found, python = {}, peers_python()
    model = str(source.find(TrainSettings(backbone=MODEL), HERE).folder)
    if python is None:
        return {}
    port = free_port()
    script = [str(python), str(HERE / "peers_texts.py"), model, str(port)]
    found["sentence_transformers"] = stack.enter_context(peer(script, port, "/v1/embeddings"))
    port = free_port()
    command = [str(python.parent / "infinity_emb"), "v2", "--model-id", model]
    command += ["--port", str(port), "--device", "cpu", "--engine", "torch", "--dtype", "float32"]
    command += ["--no-bettertransformer", "--url-prefix", "/v1", "--served-model-name", MODEL]
    found["infinity"] = stack.enter_context(peer(command, port, "/v1/embeddings"))
    return found


def measure(said: argparse.Namespace, state: Path) -> dict[str, Any]:
    made = prepared(said.folder.resolve())
    store = Project.open(CACHE / "bench-texts" / "gemel.toml").store()
    release, child = (store.get(made[name]) for name in ("parent", "child"))
    texts = sentences(release, said.folder)
    bodies = state / "bodies.txt"
    bodies.write_text("".join(json.dumps({"model": MODEL, "input": [t]}) + "\n" for t in texts))
    (state / "texts.json").write_text(json.dumps(texts))
    pin(os.getpid(), 1)  # and the clients, which it starts
    rounds = []
    with contextlib.ExitStack() as stack:
        servers = {}
        for name, one in (("gemel", release), ("int8", child)):
            (place := state / name).mkdir()
            words = ("--serve", "gemel", "--release", str(one.folder), "--state", str(place))
            pid, url = stack.enter_context(served(*words))
            servers[name] = pid, f"{url}/v1/embeddings"
        servers |= peers(stack)
        for pid, url in servers.values():
            for task in Path(f"/proc/{pid}/task").glob("*"):
                pin(int(task.name), 0)
            asked(url, bodies, 16, 2)
        for _ in range(said.rounds):
            found: dict[str, Any] = {"bare": _bare(release.folder, state, said.seconds / 2)}
            for name, (_, url) in servers.items():
                found[name] = {n: asked(url, bodies, n, said.seconds) for n in CLIENTS}
                print(name, found[name], file=sys.stderr)
            rounds.append(found)
    return {**summary(rounds), "int8_quality": made["int8"], "measure": made["measure"],
            "rounds": rounds}  # fmt: skip


def _bare(folder: Path, state: Path, seconds: float) -> dict[str, float]:
    command = [sys.executable, __file__, str(state), "--bare", str(folder)]
    command += ["--seconds", str(seconds)]
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        pin(process.pid, 0)
        found: dict[str, float] = json.loads(process.communicate()[0])
    print("bare", found, file=sys.stderr)
    return found


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, and the ratios that have targets, at 64 clients but for the single request."""

    def median(name: str, clients: int, key: str = "requests_per_second") -> float:
        return statistics.median(r[name][clients][key] for r in rounds)

    names = [name for name in rounds[0] if name != "bare"]
    most = CLIENTS[-1]
    of = {"bare_loop": statistics.median(r["bare"]["texts_per_second"] for r in rounds)}
    of |= {name: median(name, most) for name in names if name not in ("gemel", "int8")}
    ratios = {f"of_{name}": median("gemel", most) / rate for name, rate in of.items()}
    ratios |= {f"int8_of_{n}": median("int8", most) / r for n, r in of.items() if n != "bare_loop"}
    singles = [r["gemel"][1]["p99_ms"] / r["bare"]["single_p99_ms"] for r in rounds]
    ratios["single_p99_of_bare"] = statistics.median(singles)
    rates = {name: {n: median(name, n) for n in CLIENTS} for name in names}
    return {"ratios": {k: round(v, 3) for k, v in ratios.items()}, "requests_per_second": rates}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "texts.json")
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.bare:
        texts = json.loads((said.folder / "texts.json").read_text())
        print(json.dumps(bare(said.bare, texts, said.seconds)))
        return
    if said.prepare:
        prepared(said.folder.resolve())
        peers_python()
        return
    with tempfile.TemporaryDirectory() as state:
        found = measure(said, Path(state))
    for name, target in TARGETS.items():
        print(f"{name} {found['ratios'].get(name, 'not measured')} (target {target})")
    result = {
        "what": f"POST /v1/embeddings, {MODEL}, {TOKENS} tokens, one core each",
        "targets": TARGETS,
        "less_is_better": LESS_IS_BETTER,
        **found,
        "load": [round(x, 1) for x in os.getloadavg()],
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    said.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
