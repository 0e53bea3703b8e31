"""ONNX Runtime as everything here imports it: with its telemetry off.

Since 1.32 its wheels keep an id of the machine and events of each process (CPU, host, name of the
program) in the home folder and send them to its makers, unless a variable says otherwise before it
is imported. So nothing else here imports it.
"""

from __future__ import annotations

import os
from typing import Any

SILENT = "ORT_DISABLE_TELEMETRY"


def onnxruntime() -> Any:
    """The module `onnxruntime`, silent; of a program that imported it before, from now on."""
    os.environ.setdefault(SILENT, "1")
    import onnxruntime as ort

    ort.disable_telemetry_events()
    return ort
