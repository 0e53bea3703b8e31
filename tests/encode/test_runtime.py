"""ONNX Runtime keeps and sends nothing of the machines that gemel runs on."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import onnx
from onnx import TensorProto, helper

import gemel

SOURCE = Path(gemel.__file__).parent
SCRIPT = """
import sys
from gemel.encode.runtime import onnxruntime
onnxruntime().InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
"""


def test_a_session_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "same", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "same.onnx")
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environ = kept | {"HOME": str(home)}  # of a machine that is no server of tests
    words = [sys.executable, "-c", SCRIPT, str(tmp_path / "same.onnx")]
    subprocess.run(words, check=True, env=environ, timeout=60)
    assert list(home.rglob("*")) == []


def test_it_is_imported_in_one_place() -> None:
    for path in SOURCE.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        named = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
        assert ("onnxruntime" in named) == (path.name == "runtime.py"), path
