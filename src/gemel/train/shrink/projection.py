"""Fewer dimensions: the directions in which training rows are longest, appended to a network.

Nothing is subtracted, so that cosines are kept as well as so many dimensions can keep them. Where a
comparator reads an embedding block by block, each block is projected on its own.

Source: Eckart and Young 1936, The approximation of one matrix by another of lower rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gemel.arrays import Float32
from gemel.encode.encoder import OUTPUT

WHOLE = "rows.whole"
LEAST_LENGTH = 1e-12


def principal(rows: Float32, dim: int) -> Float32:
    """The `dim` directions that hold most of the squared length of rows.

    Args:
        rows: (n, d) float32.
        dim: at most d.
    Returns:
        (d, dim) float32 with orthonormal columns.
    """
    x = rows.astype(np.float64)
    axes = np.linalg.eigh(x.T @ x)[1][:, ::-1]
    return np.ascontiguousarray(axes[:, :dim], np.float32)


def by_block(rows: Float32, blocks: Sequence[int], dims: Sequence[int]) -> Float32:
    """A projection of each block of rows, behind their constant first coordinate, which stays.

    Args:
        rows: (n, 1 + sum(blocks)) float32.
        blocks: widths of the blocks.
        dims: what each becomes.
    Returns:
        (1 + sum(blocks), 1 + sum(dims)) float32.
    """
    out = np.zeros((1 + sum(blocks), 1 + sum(dims)), np.float32)
    out[0, 0] = 1
    row = column = 1
    for width, dim in zip(blocks, dims, strict=True):
        part = rows[:, row : row + width]
        out[row : row + width, column : column + dim] = principal(part, dim)
        row, column = row + width, column + dim
    return out


def appended(network: bytes, matrix: Float32) -> bytes:
    """The network with its rows times a (d, k) matrix, of length one again, as its rows."""
    model = onnx.load_from_string(network)
    graph = model.graph
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == OUTPUT:
                    names[i] = WHOLE
    graph.initializer.extend(
        [
            numpy_helper.from_array(matrix, "projection"),
            numpy_helper.from_array(np.array([1], np.int64), "projection.axis"),
            numpy_helper.from_array(np.array(LEAST_LENGTH, np.float32), "projection.least"),
        ]
    )
    graph.node.extend(
        [
            helper.make_node("MatMul", [WHOLE, "projection"], ["projected"]),
            helper.make_node("ReduceL2", ["projected", "projection.axis"], ["projected.length"]),
            helper.make_node("Max", ["projected.length", "projection.least"], ["projected.by"]),
            helper.make_node("Div", ["projected", "projected.by"], [OUTPUT]),
        ]
    )
    batch: Any = next(o for o in graph.output if o.name == OUTPUT).type.tensor_type.shape.dim[0]
    rows = helper.make_tensor_value_info(
        OUTPUT, TensorProto.FLOAT, [batch.dim_param or "batch", matrix.shape[1]]
    )
    del graph.output[:]
    graph.output.append(rows)
    out: bytes = model.SerializeToString(deterministic=True)
    return out
