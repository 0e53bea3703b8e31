"""People with typing errors, a small real encoder of theirs, and releases built from both."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gemel.arrays import unit_rows
from gemel.data import records, splits
from gemel.data.dataset import Dataset
from gemel.data.schema import Field
from gemel.data.splits import Splits
from gemel.decide.bands import Band
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.row.prepare import RowPrepare
from gemel.release.evidence.goals import Goals
from gemel.release.make.build import build
from gemel.release.release import Release
from gemel.release.run import Epoch, RunReport, RunSettings, Training

FIELDS = (Field("first", "text"), Field("last", "text"), Field("born", "number"))
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIM = 24


def rows(n_identities: int, seed: int = 0) -> tuple[list[dict[str, object]], list[str]]:
    """Two records of each person, the second with a typing error in about every field."""
    rng = np.random.default_rng(seed)
    out: list[dict[str, object]] = []
    names: list[str] = []
    for i in range(n_identities):
        first, last = (_word(rng, 7), _word(rng, 9))
        born = int(rng.integers(1930, 2005))
        out += [
            {"first": first, "last": last, "born": float(born)},
            {"first": _typo(rng, first), "last": _typo(rng, last), "born": float(born)},
        ]
        names += [f"person {i}"] * 2
    return out, names


def write_encoder(folder: Path, prepare: RowPrepare, seed: int = 0) -> None:
    """Write prepare.json, encoder.onnx and comparator.json."""
    folder.mkdir(parents=True)
    (folder / "prepare.json").write_text(json.dumps(prepare.spec()))
    (folder / "encoder.onnx").write_bytes(network(seed))
    Cosine().save(folder)


def network(seed: int = 0) -> bytes:
    """Adds up a random vector per letter, then scales to length one."""
    table = unit_rows(np.random.default_rng(seed).standard_normal((256, DIM)))
    table[:32] = 0
    weights = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array([1e-6], np.float32), "floor"),
    ]
    nodes = [
        helper.make_node("Cast", ["text"], ["codes"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "codes"], ["letters"]),
        helper.make_node("ReduceSum", ["letters", "axis"], ["bag"], keepdims=0),
        helper.make_node("ReduceL2", ["bag", "axis"], ["length"], keepdims=1),
        helper.make_node("Max", ["length", "floor"], ["safe"]),
        helper.make_node("Div", ["bag", "safe"], ["unit_rows"]),
    ]
    inputs = [
        helper.make_tensor_value_info("text", TensorProto.UINT8, ["n", "width"]),
        helper.make_tensor_value_info("number", TensorProto.FLOAT, ["n", "m"]),
    ]
    output = helper.make_tensor_value_info("unit_rows", TensorProto.FLOAT, ["n", DIM])
    graph = helper.make_graph(nodes, "bag", inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _word(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list(LETTERS), length))


def _typo(rng: np.random.Generator, word: str) -> str:
    at = int(rng.integers(len(word)))
    return word[:at] + str(rng.choice(list(LETTERS))) + word[at + 1 :]


def write_run(folder: Path, dataset: Dataset, *, seed: int = 0) -> Path:
    """A finished run, as training leaves it."""
    sides = splits.by_identity(dataset, dev=0.3, eval=0.3)
    prepare = RowPrepare.fit(dataset.payloads(sides.train), dataset.fields)
    write_encoder(folder / "encoder", prepare, seed)
    (folder / "train.json").write_bytes(report(dataset, sides).to_json())
    return folder


def report(dataset: Dataset, sides: Splits) -> RunReport:
    """What a run says whose one epoch helped."""
    return RunReport(
        key="",
        dataset=dataset.digest,
        modality=dataset.modality,
        splits=sides.as_dict(),
        training=Training(
            settings=RunSettings(
                threads=1,
                loss="infonce",
                mining="all",
                margin="hard",
                identities_per_batch=32,
                views_per_identity=4,
                max_epochs=1,
                patience=1,
                learning_rate=0.001,
                warmup_ratio=0.1,
                weight_decay=0.0,
                averaging=0.0,
                size="small",
                seed=0,
            ),
            history=(Epoch(0, None, 0.4, 0.1, 9.5), Epoch(1, 1.0, 0.5, 0.1, 9.5)),
            parity=0.0,
            learning_seconds=0.0,
            n_weights=256 * DIM,
            n_train=len(sides.train),
            n_dev=len(sides.dev),
            seconds=0.1,
            torch="2.0",
        ),
    )


@pytest.fixture(scope="session")
def people() -> Dataset:
    found, names = rows(150)
    return records.from_rows(found, identities=names, fields=FIELDS)


@pytest.fixture(scope="session")
def run_folder(people: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run", people)


@pytest.fixture(scope="session")
def release(people: Dataset, run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    into = tmp_path_factory.mktemp("release") / "release"
    return build(run_folder, people, goals=Goals(), into=into, name="people")


@pytest.fixture(scope="session")
def other_release(people: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Of another space: the same records, another network."""
    folder = tmp_path_factory.mktemp("other")
    run = write_run(folder / "run", people, seed=1)
    return build(run, people, goals=Goals(), into=folder / "release")


@pytest.fixture(scope="session")
def stricter(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The same space with a threshold of .95."""
    policy = msgspec.structs.replace(
        release.policy, verify=Band(threshold=0.95, review_low=0.95, review_high=0.95)
    )
    return release.child(policy=policy, into=tmp_path_factory.mktemp("child") / "child")
