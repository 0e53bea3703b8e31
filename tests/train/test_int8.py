"""A network in 8 bits: what is computed in whole numbers, and what comes out of it."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from gemel.arrays import unit_rows
from gemel.data.schema import Field
from gemel.encode.row.prepare import RowPrepare
from gemel.encode.text.tokens import TokenPrepare
from gemel.train.arrays import Arrays
from gemel.train.backbones import sentence
from gemel.train.export import export
from gemel.train.shrink import int8
from gemel.train.towers.tabular import RowTower

TEXTS = [f"ein {a} {b} ist kein {b} {a}" for a in ("haus", "hund", "boot") for b in ("rot", "alt")]


@pytest.fixture(scope="module")
def exported(tiny_model: Path) -> tuple[bytes, Arrays]:
    recipe = sentence.read(tiny_model, "truncate")
    arrays = TokenPrepare(recipe.tokens)(TEXTS)
    network, _ = export(sentence.load(recipe), arrays)
    return network, arrays


def outputs(network: bytes, arrays: Arrays) -> np.ndarray:
    session = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    return unit_rows(session.run(None, arrays)[0])


def test_sums_stay_sums_where_that_is_faster(
    exported: tuple[bytes, Arrays], tmp_path: Path
) -> None:
    """The one operator that ONNX Runtime makes of two takes longer than they do."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(exported[0], options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert not {"SkipLayerNormalization", "BiasGelu", "FastGelu"} & {*kinds}
    assert kinds.count("Gelu") > 1 < kinds.count("LayerNormalization")
    assert kinds.count("LayerNormalization") + kinds.count("Gelu") == kinds.count("Sum")


def test_what_comes_out_of_a_product_is_not_rounded_again(exported: tuple[bytes, Arrays]) -> None:
    network, arrays = exported
    smaller = int8.quantized(network, arrays)
    graph = onnx.load_from_string(smaller).graph
    products = {o for node in graph.node if node.op_type == "MatMul" for o in node.output}
    rounded = {i for node in graph.node if node.op_type == "QuantizeLinear" for i in node.input}
    assert products and not products & rounded
    cosines = (outputs(smaller, arrays) * outputs(network, arrays)).sum(axis=1)
    assert cosines.min() > 0.995


def test_what_is_no_dense_weight_stays_as_it_is() -> None:
    """Of rows: n-grams, told by exact products, and a stack of matrices, one a field."""
    fields = (Field("first", "text"), Field("last", "text"))
    rows = [{"first": text[4:8], "last": text[9:]} for text in TEXTS]
    prepare = RowPrepare.fit(rows, fields)
    arrays = prepare(rows)
    torch.manual_seed(0)
    network, _ = export(RowTower(prepare, arrays, size="tiny"), arrays)
    smaller = int8.quantized(network, arrays)
    assert (outputs(smaller, arrays) * outputs(network, arrays)).sum(axis=1).min() > 0.9999
    assert "QuantizeLinear" not in {n.op_type for n in onnx.load_from_string(smaller).graph.node}
