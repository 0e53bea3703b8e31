"""Requests per second of /v1/verify against bare routes of a framework.

    python bench/bench_serve.py [--project FOLDER | --images] [--seconds 8] [--rounds 5]

Both servers run on one process each with the same uvicorn, parse the same body into the same type
and answer with a body of the same size; the bare ones return a constant. `typed` is a plain
Litestar route; `raw` is an ASGI application and nothing else; `read`, of images, is `typed` and
makes pixels of the pictures, as whoever compares them must. wrk drives them in turn, so that
whatever else the machine does hits all; the figure is the median ratio of the rounds. All bodies
differ. The service keeps its ledger and no cache.

Rows are those of people, of the release that a project has as stable (one of `gemel demo`), or of
the small tower before its first step; images are PNG files of 28 pixels, with the smallest tower of
images before its first step. The speed does not depend on the weights.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
import os
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from litestar.types import Receive, Scope, Send
from PIL import Image

from gemel.serve.wire.pairs import VerifyBody, VerifyReply

HERE = Path(__file__).parent
NAMES = ("fname_c1", "fname_c2", "lname_c1", "lname_c2")
NUMBERS = ("by", "bm", "bd")
N_ROWS = 4000
N_BODIES, N_PICTURES = 20_000, 4_000
SIDE = 28
TARGETS = {"rows": 0.75, "project": 0.65, "images": 0.6}


def build_release(into: Path) -> None:
    """A release of the small row tower, untrained, fitted to random people."""
    from gemel.data.schema import Field
    from gemel.encode.row.prepare import RowPrepare
    from gemel.train.towers.tabular import RowTower

    rng = random.Random(0)
    fields = tuple([Field(n, "text") for n in NAMES] + [Field(n, "number") for n in NUMBERS])
    rows = [person(rng) for _ in range(N_ROWS)]
    prepare = RowPrepare.fit(rows, fields)
    arrays = prepare(rows)
    seal_release(into, prepare, rows[:24], (RowTower(prepare, arrays, size="small"), arrays))


def build_images(into: Path) -> None:
    """A release of the tiny image tower, untrained, fitted to random drawings."""
    from gemel.encode.image.prepare import ImagePrepare
    from gemel.train.towers.image import ImageTower

    rng = np.random.default_rng(0)
    files = [picture(rng) for _ in range(200)]
    prepare = ImagePrepare.fit(files)
    arrays = prepare(files)
    seal_release(into, prepare, files[:24], (ImageTower(prepare, arrays, size="tiny"), arrays))


def seal_release(into: Path, prepare: Any, payloads: list[Any], tower: tuple[Any, Any]) -> None:
    """A release of a tower and the arrays that it is exported with."""
    from gemel.decide.bands import Band
    from gemel.decide.policy import Policy
    from gemel.decide.ratio import Logistic
    from gemel.encode import modality
    from gemel.encode.comparators.cosine import Cosine
    from gemel.encode.encoder import Encoder
    from gemel.release import folder as folders
    from gemel.release import probes
    from gemel.release.release import Head, seal
    from gemel.train.export import export

    network, _ = export(*tower)
    band = Band(threshold=0.8, review_low=0.75, review_high=0.8)
    policy = Policy(
        verify=band, search=band, prior=0.1, likelihood=Logistic(slope=8.0, intercept=-4.0)
    )
    kind = modality.named(prepare.modality)
    with folders.draft(into) as draft:
        (draft / "encoder").mkdir()
        (draft / "encoder" / "prepare.json").write_text(json.dumps(prepare.spec()))
        (draft / "encoder" / "encoder.onnx").write_bytes(network)
        Cosine().save(draft)
        policy.save(draft)
        encoder = Encoder.open(draft / "encoder")
        probes.write(draft, kind, payloads, encoder.encode(payloads))
        seal(draft, into, Head(space_id=encoder.space_id, modality=kind.name, name="bench"))


FIRST = (
    "ANNA BERND CLAUDIA DIETER ELKE FRANK GABRIELE HANS INGRID JENS KARIN LUTZ MARIA NORBERT OLAF "
    "PETRA RALF SABINE THOMAS URSULA VOLKER WERNER MICHAEL STEFAN ANDREAS MONIKA BIRGIT HEIKE "
    "JUERGEN KLAUS MARTIN SUSANNE UWE WOLFGANG MANFRED RENATE"
)
LAST = (
    "MUELLER SCHMIDT SCHNEIDER FISCHER WEBER MEYER WAGNER BECKER SCHULZ HOFFMANN SCHAEFER KOCH "
    "BAUER RICHTER KLEIN WOLF SCHROEDER NEUMANN SCHWARZ ZIMMERMANN BRAUN KRUEGER HOFMANN HARTMANN "
    "LANGE SCHMITT WERNER KRAUSE MEIER LEHMANN SCHMID SCHULZE MAIER KOEHLER HERRMANN KOENIG "
    "WALTER MAYER HUBER KAISER FUCHS PETERS LANG SCHOLZ MOELLER WEISS JUNG HAHN SCHUBERT"
)


def typo(word: str, rng: random.Random) -> str:
    """The word with one letter changed, left out or doubled, three times in ten."""
    if rng.random() > 0.3:
        return word
    at = rng.randrange(len(word))
    return word[:at] + rng.choice(("", word[at] * 2, rng.choice("AEIMNRST"))) + word[at + 1 :]


def person(rng: random.Random) -> dict[str, Any]:
    """A row with names that occur and errors that occur, as in RLdata10000."""
    return {
        "fname_c1": typo(rng.choice(FIRST.split()), rng),
        "fname_c2": typo(rng.choice(FIRST.split()), rng) if rng.random() < 0.1 else None,
        "lname_c1": typo(rng.choice(LAST.split()), rng),
        "lname_c2": typo(rng.choice(LAST.split()), rng) if rng.random() < 0.02 else None,
        "by": rng.randint(1930, 2010),
        "bm": rng.randint(1, 12),
        "bd": rng.randint(1, 28),
    }


def picture(rng: np.random.Generator) -> bytes:
    """A PNG file of a few blots."""
    small = rng.random((4, 4)) > 0.6
    large = np.kron(small, np.ones((SIDE // 4, SIDE // 4))) * 200 + rng.integers(
        0, 40, (SIDE, SIDE)
    )
    file = io.BytesIO()
    Image.fromarray(large.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def picture_bodies() -> str:
    """Requests, a line each, of two pictures."""
    rng = np.random.default_rng(1)
    files = [base64.b64encode(picture(rng)).decode() for _ in range(N_PICTURES)]
    pairs = zip(files, files[1:] + files[:1], strict=True)
    lines = (json.dumps({"left": {"image": a}, "right": {"image": b}}) for a, b in pairs)
    return "\n".join(lines) + "\n"


def bodies(n: int, rng: random.Random) -> str:
    """Requests, a line each; half of them compare a person with a misspelt self."""
    lines = []
    for i in range(n):
        left = person(rng)
        names = {name: typo(left[name], rng) for name in ("fname_c1", "lname_c1")}
        right = {**left, **names} if i % 2 else person(rng)
        lines.append(json.dumps({"left": left, "right": right}))
    return "\n".join(lines) + "\n"


def serve_gemel(release: Path, state: Path) -> None:
    from gemel.ledger.ledger import Ledger
    from gemel.release.release import Release
    from gemel.serve.http.app import create_app
    from gemel.serve.http.server import run
    from gemel.serve.service import Service
    from gemel.settings import ServeSettings

    settings = ServeSettings(port=0)
    with Ledger.open(state / "ledger.db") as ledger:
        service = Service(Release.open(release), None, ledger)
        run(create_app(service, settings), settings, on_ready=lambda url: print(url, flush=True))


def serve_bare(reply: bytes) -> None:
    """The same framework, server and body type, and nothing in between."""
    import msgspec
    import uvicorn
    from litestar import Litestar, asgi, post

    from gemel.serve.http.server import address, bind

    constant = msgspec.json.decode(reply, type=VerifyReply)
    decode = msgspec.json.Decoder(VerifyBody).decode

    @post("/typed", status_code=200)
    async def typed(data: VerifyBody) -> VerifyReply:
        return constant

    @post("/read", status_code=200, sync_to_thread=False)
    def read(data: VerifyBody) -> VerifyReply:
        for side in (data.left, data.right):
            file = io.BytesIO(base64.b64decode(side["image"]))
            np.asarray(Image.open(file).convert("L"), np.float32)
        return constant

    @asgi("/raw", copy_scope=False)
    async def raw(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message: Any = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        decode(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": reply, "more_body": False})

    app = Litestar([typed, raw, read], openapi_config=None, logging_config=None)
    sock = bind("127.0.0.1", 0)
    print(address(sock), flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
    uvicorn.Server(config).run([sock])


def served(*arguments: str) -> contextlib.AbstractContextManager[tuple[int, str]]:
    """A server of this script, see `served_by`."""
    return served_by(__file__, *arguments)


@contextlib.contextmanager
def served_by(script: str, *arguments: str) -> Iterator[tuple[int, str]]:
    """A server in a process of its own; gives its process id and address."""
    command = [sys.executable, script, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("http"):
            raise SystemExit(f"a server did not start: {line!r}")
        yield process.pid, line.strip()
    finally:
        process.terminate()
        process.wait(30)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, 0 where /proc does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drive(
    server: tuple[int, str], sent: Path, seconds: int, connections: int, seed: int
) -> dict[str, float]:
    """What wrk measured: requests per second, latencies in ms; and the server's own time."""
    pid, url = server
    before = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["-s", str(HERE / "verify.lua"), url]
    environment = {**os.environ, "WRK_SEED": str(seed), "WRK_BODIES": str(sent)}
    text = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    ).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"errors at {url}:\n{text}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if rate is None:
        raise SystemExit(text)
    requests = re.search(r"(\d+) requests in", text)
    found = {"requests_per_second": float(rate[1])}
    if requests and before:
        used = cpu_seconds(pid) - before
        found["cpu_us_per_request"] = round(used / int(requests[1]) * 1e6, 1)
    for share in ("50", "99"):
        latency = re.search(rf"{share}%\s+([\d.]+)(us|ms|s)\n", text)
        if latency:
            scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}[latency[2]]
            found[f"p{share}_ms"] = round(float(latency[1]) * scale, 2)
    return found


def one_reply(url: str, body: str) -> bytes:
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, body.encode(), headers)
    with urllib.request.urlopen(request) as reply:
        return bytes(reply.read())


def machine() -> str:
    model = ""
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else ""
    return f"{model or platform.processor()}, {os.cpu_count()} cores, {platform.system()}"


def measure(said: argparse.Namespace, what: str, state: Path) -> dict[str, Any]:
    release = state / "release"
    if what == "project":
        from gemel.cli.project import Project

        release = Project.open(said.project / "gemel.toml").release().folder
    else:
        (build_images if what == "images" else build_release)(release)
    text = picture_bodies() if what == "images" else bodies(N_BODIES, random.Random(1))
    sent = state / "bodies.txt"
    sent.write_text(text)
    rounds: list[dict[str, dict[str, float]]] = []
    with contextlib.ExitStack() as stack:
        where = ("--state", str(state))
        pid, url = stack.enter_context(
            served("--serve", "gemel", "--release", str(release), *where)
        )
        reply = one_reply(f"{url}/v1/verify", text.splitlines()[0])
        (state / "reply.json").write_bytes(reply)
        bare_pid, bare_url = stack.enter_context(served("--serve", "bare", *where))
        targets = {"gemel": (pid, f"{url}/v1/verify")}
        for name in ("typed", "raw", *(["read"] if what == "images" else [])):
            targets[name] = bare_pid, f"{bare_url}/{name}"
        for target in targets.values():
            drive(target, sent, 2, said.connections, 0)
        for i in range(said.rounds):
            found = {
                name: drive(target, sent, said.seconds, said.connections, i + 1)
                for name, target in targets.items()
            }
            rounds.append(found)
            print({k: v["requests_per_second"] for k, v in found.items()}, file=sys.stderr)
    return summary(rounds, said, what)


RELEASES = {
    "rows": "small row tower, untrained, cosine",
    "project": "of gemel demo, learned comparator",
    "images": "tiny image tower, untrained, cosine",
}


def summary(
    rounds: list[dict[str, dict[str, float]]], said: argparse.Namespace, what: str
) -> dict[str, Any]:
    def ratio(peer: str) -> float:
        key = "requests_per_second"
        return round(statistics.median(r["gemel"][key] / r[peer][key] for r in rounds), 3)

    def cpu(name: str) -> float:
        return statistics.median(r[name].get("cpu_us_per_request", 0.0) for r in rounds)

    found = {"ratio": ratio("typed"), "ratio_to_raw_asgi": ratio("raw")}
    if what == "images":
        found["ratio_to_reading"] = ratio("read")
    return {
        "what": f"POST /v1/verify, {what}, against a bare route that returns a constant",
        **found,
        "target": TARGETS[what],
        "cpu_us_per_request": {name: cpu(name) for name in rounds[0]},
        "connections": said.connections,
        "seconds": said.seconds,
        "release": RELEASES[what],
        "load": [round(x, 1) for x in os.getloadavg()],
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--project", type=Path, help="of gemel demo")
    parser.add_argument("--images", action="store_true")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--serve", choices=["gemel", "bare"], help=argparse.SUPPRESS)
    parser.add_argument("--release", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.serve == "gemel":
        return serve_gemel(said.release, said.state)
    if said.serve == "bare":
        return serve_bare((said.state / "reply.json").read_bytes())
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt-get install wrk, or https://github.com/wg/wrk")
    what = "project" if said.project else "images" if said.images else "rows"
    names = {"rows": "serve", "project": "serve-demo", "images": "serve-images"}
    with tempfile.TemporaryDirectory() as state:
        result = measure(said, what, Path(state))
    out = said.out or HERE / "results" / f"{names[what]}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "rounds"}, indent=1))


if __name__ == "__main__":
    main()
