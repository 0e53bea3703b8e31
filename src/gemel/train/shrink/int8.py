"""A network with weights of 8 bits, and products computed in them where it has dense weights.

Ranges of activations are fixed on training records (static quantization), so that what comes out
for a record does not depend on what else is in its batch. Tables that are looked up, such as
vectors of n-grams and of tokens, are kept in 8 bits and computed in float32.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gemel.arrays import Float32
from gemel.encode import ragged
from gemel.encode.runtime import onnxruntime
from gemel.train.arrays import Arrays, take

LEAST_BYTES = 1 << 14
"""Of a float32 table that is worth to be kept in 8 bits."""
DENSE = ("Conv", "Gemm", "MatMul")
FLOAT_OUT = ("MatMul",)
"""Of these, what comes out of a product is kept as it is: nearer to float32, and faster."""
AT_ONCE = 16
"""Records of a run while ranges are looked for."""


def quantized(network: bytes, arrays: Arrays) -> bytes:
    """The network in 8 bits.

    Args:
        network: an ONNX model of float32 weights.
        arrays: prepared training records, n rows each, which set the ranges of activations.
    """
    model = _folded(network)
    _keep_tables(model)
    dense = _dense(model)
    if dense:
        model = _static(model, dense, arrays)
    out: bytes = model.SerializeToString(deterministic=True)
    return out


def _folded(network: bytes) -> Any:
    """The model with everything computed that no input decides."""
    ort = onnxruntime()

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _weights(model: Any) -> dict[str, Any]:
    return {i.name: i for i in model.graph.initializer}


def _keep_tables(model: Any) -> None:
    """Replace each look-up in a large table by one in 8 bits, scaled by row and by column."""
    weights, nodes = _weights(model), []
    kept: dict[str, tuple[str, str, str]] = {}
    used_otherwise = {
        name
        for node in model.graph.node
        for i, name in enumerate(node.input)
        if not (node.op_type == "Gather" and i == 0)
    }
    for node in model.graph.node:
        name = node.input[0] if node.input else ""
        table = weights.get(name)
        if node.op_type != "Gather" or table is None or not _is_table(node, table):
            nodes.append(node)
            continue
        if name not in kept:
            kept[name] = _in_8_bits(model, name, numpy_helper.to_array(table))
        whole, rows, columns = kept[name]
        out, places = node.output[0], node.input[1]
        nodes += [
            helper.make_node("Gather", [whole, places], [f"{out}.8"], axis=0),
            helper.make_node("Cast", [f"{out}.8"], [f"{out}.32"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [rows, places], [f"{out}.row"], axis=0),
            helper.make_node("Mul", [f"{out}.32", f"{out}.row"], [f"{out}.rows"]),
            helper.make_node("Mul", [f"{out}.rows", columns], [out]),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for name in set(kept) - used_otherwise:
        model.graph.initializer.remove(weights[name])


def _is_table(node: Any, table: Any) -> bool:
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
    is_float = table.data_type == TensorProto.FLOAT and len(table.dims) == 2
    return is_float and axis == 0 and 4 * int(np.prod(table.dims)) >= LEAST_BYTES


def _in_8_bits(model: Any, name: str, table: Float32) -> tuple[str, str, str]:
    """Names of the initializers that a table becomes: whole numbers, scales of rows, of columns."""
    column = np.maximum(np.abs(table).max(axis=0), 1e-30)
    row = np.maximum(np.abs(table / column).max(axis=1, keepdims=True), 1e-30)
    whole = np.rint(table / column / row * 127).astype(np.int8)
    parts: dict[str, NDArray[Any]] = {
        f"{name}.8": whole,
        f"{name}.row": (row / 127).astype(np.float32),
        f"{name}.column": column.astype(np.float32),
    }
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in parts.items())
    one, two, three = parts
    return one, two, three


def _dense(model: Any) -> list[str]:
    """Names of the nodes that multiply by dense weights."""
    weights, found = _weights(model), []
    for i, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}.{i}"
        weight = weights.get(node.input[1]) if node.op_type in DENSE else None
        if weight is None or weight.data_type != TensorProto.FLOAT:
            continue
        # A product in 8 bits by a stack of matrices is one that ONNX Runtime cannot compute.
        if node.op_type != "MatMul" or len(weight.dims) == 2:
            found.append(node.name)
    return found


def _static(model: Any, nodes: list[str], arrays: Arrays) -> Any:
    """The model with these nodes computed in whole numbers.

    Weights use 7 of their 8 bits (`reduce_range`): processors without VNNI instructions would
    otherwise saturate, and give other embeddings than those with them.
    """
    onnxruntime()  # is silent from now on, also as a part of itself
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "int8.onnx"
        logging.disable(logging.WARNING)
        try:
            quantize_static(
                model,
                str(into),
                _Records(arrays),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=nodes,
                extra_options={"OpTypesToExcludeOutputQuantization": list(FLOAT_OUT)},
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(str(into))


class _Records:
    """Prepared records a few at a time, as the quantizer asks for them."""

    def __init__(self, arrays: Arrays) -> None:
        self._runs: Iterator[Arrays] = (
            run for part in _parts(arrays) for _, run in ragged.runs(part)
        )

    def get_next(self) -> Arrays | None:
        """The next run, or None."""
        return next(self._runs, None)


def _parts(arrays: Arrays) -> Iterator[Arrays]:
    n = len(next(iter(arrays.values())))
    for start in range(0, n, AT_ONCE):
        yield take(arrays, slice(start, start + AT_ONCE))
