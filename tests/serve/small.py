"""A small real release of rows: letters in, unit rows out, thresholds as the test wants them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gemel.calibrate.likelihood import Likelihood
from gemel.calibrate.policy import Band, Policy
from gemel.data.schema import Field
from gemel.encode.compare import Cosine
from gemel.encode.encoder import Encoder
from gemel.encode.prepare_tabular import RowPrepare
from gemel.release import folder as folders
from gemel.release import probes
from gemel.release.release import Head, Release, seal

FIELDS = (Field("first", "text"), Field("last", "text"), Field("born", "number"))
ROWS = [
    {"first": f"{name}{i}", "last": f"{last}sen", "born": 1950 + i}
    for i, (name, last) in enumerate(
        [("anna", "han"), ("bert", "jan"), ("carla", "pet"), ("dirk", "nils"), ("eva", "ol")]
    )
]
DIM = 16


def policy(threshold: float, review: float = 0.0) -> Policy:
    """Matches from the threshold up, reviews that far below it."""
    band = Band(threshold=threshold, review_low=threshold - review, review_high=threshold)
    likelihood = Likelihood(slope=8.0, intercept=-4.0)
    return Policy(verify=band, search=band, prior=0.1, likelihood=likelihood)


def network(seed: int = 0, dim: int = DIM) -> bytes:
    """A random vector per letter and place, added up and scaled to length one."""
    prepare = RowPrepare.fit(ROWS, FIELDS)
    length = sum(strip.width for strip in prepare.strips)
    weights = np.random.default_rng(seed).standard_normal((length, dim)).astype(np.float32)
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array([1e-6], np.float32), "floor"),
    ]
    nodes = [
        helper.make_node("Cast", ["text"], ["codes"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["codes", "weights"], ["sums"]),
        helper.make_node("ReduceSum", ["number", "axis"], ["number_sum"], keepdims=1),
        helper.make_node("Add", ["sums", "number_sum"], ["shifted"]),
        helper.make_node("ReduceL2", ["shifted", "axis"], ["length"], keepdims=1),
        helper.make_node("Max", ["length", "floor"], ["safe"]),
        helper.make_node("Div", ["shifted", "safe"], ["unit_rows"]),
    ]
    inputs = [
        helper.make_tensor_value_info("text", TensorProto.UINT8, ["n", length]),
        helper.make_tensor_value_info("number", TensorProto.FLOAT, ["n", 1]),
    ]
    output = helper.make_tensor_value_info("unit_rows", TensorProto.FLOAT, ["n", dim])
    graph = helper.make_graph(nodes, "small", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def release(into: Path, *, threshold: float = 0.5, review: float = 0.0, seed: int = 0) -> Release:
    """A release; another seed is another space."""
    with folders.draft(into) as draft:
        encoder_folder = draft / "encoder"
        encoder_folder.mkdir()
        prepare = RowPrepare.fit(ROWS, FIELDS)
        (encoder_folder / "prepare.json").write_text(json.dumps(prepare.spec()))
        (encoder_folder / "encoder.onnx").write_bytes(network(seed))
        encoder = Encoder.open(encoder_folder)
        Cosine().save(draft)
        policy(threshold, review).save(draft)
        probes.write(draft, ROWS, encoder.encode(ROWS))
        head = Head(space_id=encoder.space_id, modality="row", name="small")
        return seal(draft, into, head, now=datetime(2026, 1, 1, tzinfo=UTC))
