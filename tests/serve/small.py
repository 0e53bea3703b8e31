"""A small real release of rows: letters in, unit rows out, thresholds as the test wants them."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from gemel.data.schema import Field
from gemel.decide.bands import Band
from gemel.decide.policy import Policy
from gemel.decide.ratio import Logistic
from gemel.decide.rules import bound, parse
from gemel.encode import modality
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Encoder
from gemel.encode.image.prepare import ImagePrepare
from gemel.encode.modality import Prepare
from gemel.encode.row.prepare import RowPrepare
from gemel.encode.text.tokens import TokenPrepare
from gemel.release import folder as folders
from gemel.release import probes
from gemel.release.release import Head, Release, seal
from gemel.settings import LongTexts

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
    likelihood = Logistic(slope=8.0, intercept=-4.0)
    return Policy(verify=band, search=band, prior=0.1, likelihood=likelihood)


def network(seed: int = 0, dim: int = DIM, prepare: RowPrepare | None = None) -> bytes:
    """A random vector per letter and place, added up and scaled to length one."""
    prepare = prepare or RowPrepare.fit(ROWS, FIELDS)
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


def image_network(size: int, dim: int = DIM) -> bytes:
    """Pixels, projected at random and scaled to length one."""
    weights = np.random.default_rng(0).standard_normal((size * size, dim)).astype(np.float32)
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array([1e-6], np.float32), "floor"),
    ]
    nodes = [
        helper.make_node("Flatten", ["image"], ["pixels"]),
        helper.make_node("MatMul", ["pixels", "weights"], ["sums"]),
        helper.make_node("ReduceL2", ["sums", "axis"], ["length"], keepdims=1),
        helper.make_node("Max", ["length", "floor"], ["safe"]),
        helper.make_node("Div", ["sums", "safe"], ["unit_rows"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, size, size])
    output = helper.make_tensor_value_info("unit_rows", TensorProto.FLOAT, ["n", dim])
    graph = helper.make_graph(nodes, "small", [image], [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


def picture(seed: int, size: int = 16) -> bytes:
    """A PNG file of random greys."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size, size), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def image_release(into: Path) -> Release:
    """A release of images, with a threshold of one half."""
    prepare = ImagePrepare(16, 1, [0.5], [0.25])
    pictures = [picture(i) for i in range(3)]
    return _sealed(into, prepare, image_network(16), pictures, policy(0.5))


def text_release(into: Path, model: Path, long_texts: LongTexts = "truncate") -> Release:
    """A release of texts by a folder of sentence-transformers, with a threshold of one half."""
    from gemel.train import export
    from gemel.train.backbones import sentence

    recipe = sentence.read(model, long_texts)
    prepare, texts = TokenPrepare(recipe.tokens), ["a cat", "some words of a text", "another"]
    net, _ = export.export(sentence.load(recipe), prepare(texts))
    return _sealed(into, prepare, net, texts, policy(0.5))


def release(
    into: Path,
    *,
    threshold: float = 0.5,
    review: float = 0.0,
    seed: int = 0,
    comparator: Comparator | None = None,
) -> Release:
    """A release; another seed is another space."""
    prepare = RowPrepare.fit(ROWS, FIELDS)
    decides = policy(threshold, review)
    return _sealed(into, prepare, network(seed), ROWS, decides, comparator)


def dated_release(into: Path, row: dict[str, Any], rules: Sequence[str]) -> Release:
    """A release of rows with a name and a date `born`, whose rules are these."""
    fields = (Field("name", "text"), Field("born", "date"), Field("size", "number"))
    prepare = RowPrepare.fit([row], fields)
    kinds = {field.name: field.kind for field in fields}
    ruled = msgspec.structs.replace(policy(0.5), rules=bound(map(parse, rules), kinds))
    return _sealed(into, prepare, network(prepare=prepare), [row], ruled)


def _sealed(
    into: Path,
    prepare: Prepare,
    net: bytes,
    payloads: Sequence[Any],
    decides: Policy,
    comparator: Comparator | None = None,
) -> Release:
    with folders.draft(into) as draft:
        (draft / "encoder").mkdir()
        (draft / "encoder" / "prepare.json").write_text(json.dumps(prepare.spec()))
        (draft / "encoder" / "encoder.onnx").write_bytes(net)
        encoder = Encoder.open(draft / "encoder")
        (comparator or Cosine()).save(draft)
        decides.save(draft)
        probes.write(draft, modality.named(encoder.modality), payloads, encoder.encode(payloads))
        head = Head(space_id=encoder.space_id, modality=prepare.modality, name="small")
        return seal(draft, into, head, now=datetime(2026, 1, 1, tzinfo=UTC))
