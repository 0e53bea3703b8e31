"""ONNX export: a trained tower as `encoder.onnx`, checked against torch before anyone uses it.

What is exported is what is evaluated, calibrated and served; torch stays behind. The batch axis is
dynamic, the output is named `unit_rows`.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gemel.arrays import canonical_json
from gemel.encode.comparators import Comparator
from gemel.encode.encoder import NETWORK, OUTPUT, PREPARE
from gemel.encode.modality import Prepare
from gemel.encode.runtime import onnxruntime
from gemel.errors import TrainingError
from gemel.files import write_whole
from gemel.train.arrays import Arrays, embed, take, tensors

TOLERANCE = 1e-4
CHECKED_BATCHES = (1, 2, 7, 32)
APART = ("LayerNormalization", "Gelu")
"""Operators that ONNX Runtime is kept from fusing with the sum before them."""


class Stretching(nn.Module):
    """A tower that takes arrays of which more axes than the first differ from call to call."""

    @property
    def axes(self) -> dict[str, tuple[int, ...]]:
        """Those axes, by the name of the array."""
        raise NotImplementedError


def export(tower: nn.Module, arrays: Arrays) -> tuple[bytes, float]:
    """The tower as an ONNX model, and how far it is from torch.

    Args:
        tower: takes the arrays by name, gives (b, d) unit rows.
        arrays: prepared records, the first of which the export is traced and checked with.
    Returns:
        The model, and the largest absolute difference of any output value.
    Raises:
        TrainingError: the tower cannot be exported, or the model differs by more than 1e-4.
    """
    tower.eval().cpu()
    network = _to_onnx(tower, arrays)
    difference = parity(network, tower, arrays)
    if not difference <= TOLERANCE:
        raise TrainingError(
            f"the exported network differs from torch by {difference:.2e}, allowed {TOLERANCE:.0e}",
            where="train.export",
            hint="an operation of the tower does not survive the export; report it with the tower",
        )
    return network, difference


def parity(
    network: bytes, tower: nn.Module, arrays: Arrays, batches: Sequence[int] = CHECKED_BATCHES
) -> float:
    """Largest absolute difference of ONNX Runtime and torch over batches of several sizes."""
    ort = onnxruntime()

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    n = len(next(iter(arrays.values())))
    worst = 0.0
    for size in batches:
        batch = take(arrays, np.arange(size) % n)
        got = session.run([OUTPUT], batch)[0]
        difference = np.abs(got - embed(tower, batch)).max()
        # NaN must not pass as small.
        worst = max(worst, float(difference) if np.isfinite(difference) else float("inf"))
    return worst


def _to_onnx(tower: nn.Module, arrays: Arrays) -> bytes:
    n = len(next(iter(arrays.values())))
    axes = tower.axes if isinstance(tower, Stretching) else {}
    example = {}
    for name, a in take(arrays, np.arange(3) % n).items():
        # An axis of length 1 would be taken for one that always is.
        short = [int(i in axes.get(name, ()) and a.shape[i] == 1) for i in range(a.ndim)]
        example[name] = np.pad(a, [(0, more) for more in short])
    batch = torch.export.Dim("batch", min=1)
    dynamic = {
        name: {0: batch, **dict.fromkeys(axes.get(name, ()), torch.export.Dim.DYNAMIC)}
        for name in example
    }
    # The exporter talks to stdout and warns about itself; neither is about the user's data.
    # Without gradients there is no backward pass to trace, which takes a fifth of the time.
    with warnings.catch_warnings(), _quiet(), _uncollected(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                tower,
                (),
                kwargs=tensors(example),
                dynamo=True,
                input_names=list(example),
                output_names=[OUTPUT],
                dynamic_shapes=dynamic,
                external_data=False,
                verbose=False,
            )
        except Exception as e:
            reason = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
            raise TrainingError(f"the tower cannot be exported: {reason}", where="train") from e
    if program is None:
        raise TrainingError("the tower cannot be exported: nothing came back", where="train")
    model = program.model_proto
    _forget_where(model)
    _keep_apart(model)
    network: bytes = model.SerializeToString(deterministic=True)
    return network


def _forget_where(message: Any) -> None:
    """Take out what the exporter notes about this machine: paths, lines, call stacks.

    The space is named by the bytes of the network; they must not tell where it was trained.
    """
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.type == field.TYPE_MESSAGE and field.name != "initializer":
            for part in (value,) if hasattr(value, "ListFields") else value:
                _forget_where(part)


def _keep_apart(model: Any) -> None:
    """Write sums that go into an operator of `APART` as `Sum`, which is the same.

    An `Add` before one is fused with it by ONNX Runtime 1.32 into an operator that takes longer
    than the two: ten times before a `LayerNormalization`, a seventh of a sentence encoder; a
    `Gelu` by a fiftieth of it, in 8 bits a thirtieth.
    """
    taken = {n.input[0] for n in model.graph.node if n.op_type in APART}
    for node in model.graph.node:
        if node.op_type == "Add" and node.output[0] in taken:
            node.op_type = "Sum"


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """No looking for garbage: what the exporter makes stays until it is done, and there is much."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)


def write_encoder(
    folder: Path, tower: nn.Module, example: Arrays, prepare: Prepare, comparator: Comparator
) -> float:
    """Write what encodes and compares into a folder; how far the export differs from torch.

    Raises:
        TrainingError: too far.
    """
    network, difference = export(tower, example)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / PREPARE, canonical_json(prepare.spec()))
    write_whole(folder / NETWORK, network)
    comparator.save(folder)
    return difference
