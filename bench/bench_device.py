"""An exported encoder in a browser: embeddings of onnxruntime-web in headless Chromium, and ours.

Pictures of many sizes, in grey and in colours, go through `gemel export` and onnxruntime-web
(WebAssembly, one thread) on one side, through the release as PNG files on the other. Must: no
coordinate differs by more than 1e-4. Needs npm and chromium; npm fetches onnxruntime-web into a
temporary folder. Writes bench/results/device.json.

    OMP_NUM_THREADS=1 python bench/bench_device.py
"""

from __future__ import annotations

import http.server
import io
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gemel.arrays import Float32
from gemel.data import records, splits
from gemel.release.evidence.goals import Goals
from gemel.release.make.build import build
from gemel.release.release import Release
from gemel.settings import TrainSettings
from gemel.train.fit import train
from gemel.train.shrink.device import one_file

WEB = "onnxruntime-web"
LIMIT = 1e-4
SIDES = ((24, 24), (60, 100), (211, 37), (8, 8), (48, 48), (640, 480), (5, 90))
PER_PAIR = 120
"""Seconds that Chromium may take for all."""
PAGE = """<!doctype html><script src="node_modules/onnxruntime-web/dist/ort.wasm.min.js"></script>
<script>
ort.env.wasm.numThreads = 1;
async function go() {
  const session = await ort.InferenceSession.create("encoder.onnx");
  const rows = [], times = [];
  for (const p of await (await fetch("pictures.json")).json()) {
    const pixels = new ort.Tensor("uint8", Uint8Array.from(p.data), [p.height, p.width, 3]);
    const start = performance.now();
    const found = await session.run({pixels});
    times.push(performance.now() - start);
    rows.push(Array.from(found.unit_rows.data));
  }
  return {rows, times, agent: navigator.userAgent, version: ort.env.versions.web};
}
go().catch(e => ({error: String(e)})).then(
  r => fetch("result", {method: "POST", body: JSON.stringify(r)}));
</script>
"""
RESULT = Path(__file__).with_name("results") / "device.json"


def pictures(n: int, colour: bool, sides: tuple[tuple[int, int], ...]) -> list[Image.Image]:
    """Smooth patterns, of one identity every four."""
    out = []
    for i in range(n):
        rng = np.random.default_rng(i // 4)
        blocks = rng.integers(0, 255, (5, 7, 3 if colour else 1)).repeat(1 if colour else 3, 2)
        noise = np.random.default_rng(1000 + i).normal(0, 10, blocks.shape[:2])[..., None]
        small = Image.fromarray(np.clip(blocks + noise, 0, 255).astype(np.uint8))
        out.append(small.resize(sides[i % len(sides)], Image.Resampling.BICUBIC))
    return out


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def release(folder: Path, colour: bool) -> Release:
    """A release of 30 patterns, four small pictures of each."""
    for i, image in enumerate(pictures(120, colour, ((30, 40),))):
        path = folder / "photos" / f"c{i // 4:02}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image))
    dataset = records.read(folder / "photos")
    run = train(
        dataset,
        splits.by_identity(dataset),
        TrainSettings(max_epochs=2, image_size=32),
        folder / "run",
    )
    return build(run.folder, dataset, goals=Goals(), into=folder / "release")


class Served(http.server.SimpleHTTPRequestHandler):
    """The folder of the page; takes what the page found."""

    found: dict[str, Any]
    done: threading.Event

    def do_POST(self) -> None:
        """Keep the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).found = json.loads(body)
        self.send_response(204)
        self.end_headers()
        type(self).done.set()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def in_browser(folder: Path, profile: Path) -> dict[str, Any]:
    """What the page in a folder finds in headless Chromium."""
    Served.done = threading.Event()

    def handler(*args: Any) -> Served:
        return Served(*args, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu"]
        words += [f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/page.html"]
        # It ends when its page is done, which is once the result has come.
        browser = subprocess.Popen(
            [*words, "--remote-debugging-port=0"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if not Served.done.wait(PER_PAIR):
                sys.exit("Chromium did not answer")
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()
    if "error" in Served.found:
        sys.exit(Served.found["error"])
    return Served.found


def measured(colour: bool, web: Path, scratch: Path) -> dict[str, Any]:
    """How far a release and its export in a browser are apart."""
    made = release(scratch, colour)
    model = one_file(made)
    (web / "encoder.onnx").write_bytes(model)
    shown = pictures(4 * len(SIDES), colour, SIDES)
    pixels = [np.asarray(image) for image in shown]
    listed = [
        {"height": p.shape[0], "width": p.shape[1], "data": p.reshape(-1).tolist()} for p in pixels
    ]
    (web / "pictures.json").write_text(json.dumps(listed))
    ours: Float32 = made.encoder.encode([png(image) for image in shown])
    found = in_browser(web, scratch / "profile")
    theirs = np.asarray(found["rows"], np.float32)
    return {
        "colour": colour,
        "n_pictures": len(shown),
        "file_kb": round(len(model) / 1000),
        "largest_difference": float(np.abs(ours - theirs).max()),
        "median_ms_in_browser": float(np.median(found["times"])),
        "browser": found["agent"].rpartition(" Safari")[0].rpartition(" ")[2],
        WEB: found["version"],
    }


def main() -> None:
    for program in ("npm", "chromium"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        web = Path(folder) / "web"
        web.mkdir()
        (web / "page.html").write_text(PAGE)
        (web / "package.json").write_text("{}")
        subprocess.run(["npm", "install", "--silent", WEB], cwd=web, check=True)
        rows = [measured(colour, web, Path(folder) / str(colour)) for colour in (False, True)]
    result = {"machine": platform.processor() or platform.machine(), "limit": LIMIT, "rows": rows}
    result["met"] = all(row["largest_difference"] <= LIMIT for row in rows)
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    sys.exit(0 if result["met"] else 1)


if __name__ == "__main__":
    main()
