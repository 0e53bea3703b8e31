"""ONNX models in headless Chromium, by onnxruntime-web (WebAssembly, one thread)."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests import programs
from tests.programs import CHROMIUM

DIST = Path(__file__).parents[3] / ".cache/web/node_modules/onnxruntime-web/dist"
"""`make test` fetches it with npm, where there is one."""
FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
SECONDS = 120
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
FLAGS += ("--disable-sync", "--disable-background-networking", "--disable-component-update")
PAGE = """<!doctype html><script src="ort.wasm.min.js"></script>
<script>
ort.env.wasm.numThreads = 1;
const kinds = {uint8: Uint8Array, float32: Float32Array};
async function one({model, name, inputs}) {
  const session = await ort.InferenceSession.create(model), rows = [];
  for (const i of inputs) {
    const bytes = Uint8Array.from(atob(i.data), c => c.charCodeAt(0));
    const value = new ort.Tensor(i.type, new kinds[i.type](bytes.buffer), i.dims);
    rows.push(Array.from((await session.run({[name]: value})).unit_rows.data));
  }
  return rows;
}
async function all() {
  const found = [];
  for (const task of await (await fetch("tasks.json")).json()) found.push(await one(task));
  return {found};
}
all().catch(e => ({error: String(e)})).then(
  said => fetch("said", {method: "POST", body: JSON.stringify(said)}));
</script>
"""


def require() -> None:
    """See `programs.require`; `make test` fetches onnxruntime-web with npm."""
    is_fetched = all((DIST / name).is_file() for name in FILES)
    programs.require(chromium=CHROMIUM, onnxruntime_web=is_fetched)


class Served(http.server.SimpleHTTPRequestHandler):
    """The folder of the page; takes what the page found."""

    said: dict[str, Any]
    done: threading.Event

    def do_POST(self) -> None:
        type(self).said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        type(self).done.set()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def rows(tasks: Sequence[tuple[bytes, str, Sequence[NDArray[Any]]]], folder: Path) -> list[Any]:
    """What each model makes of its inputs, one after the other: a list of (n, d) arrays.

    Args:
        tasks: a model, the name of its input, and what goes in.
        folder: an empty one.
    """
    listed = []
    for i, (model, name, inputs) in enumerate(tasks):
        (folder / f"{i}.onnx").write_bytes(model)
        said = [
            {"type": a.dtype.name, "dims": a.shape, "data": base64.b64encode(a.tobytes()).decode()}
            for a in map(np.ascontiguousarray, inputs)
        ]
        listed.append({"model": f"{i}.onnx", "name": name, "inputs": said})
    (folder / "tasks.json").write_text(json.dumps(listed))
    (folder / "page.html").write_text(PAGE)
    for name in FILES:
        shutil.copyfile(DIST / name, folder / name)
    return [np.asarray(found, np.float32) for found in _said(folder)["found"]]


def _said(folder: Path) -> dict[str, Any]:
    Served.done = threading.Event()

    def handler(*args: Any) -> Served:
        return Served(*args, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}"]
        # With a port for debuggers it stays until it is ended, also when the page has loaded.
        words += ["--remote-debugging-port=0", f"http://127.0.0.1:{server.server_port}/page.html"]
        browser = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert Served.done.wait(SECONDS), "Chromium did not answer"
        finally:
            browser.terminate()
            browser.wait()
            server.shutdown()
    assert "error" not in Served.said, Served.said
    return Served.said
