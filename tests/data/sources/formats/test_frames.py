"""Frames of other packages are records too; what is none is refused in words."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import gemel
from gemel.data.records import from_rows, read
from gemel.errors import ConfigError, DataError, GemelError

COLUMNS = {
    "id": [f"r{i}" for i in range(20)],
    "who": [f"p{i // 2}" for i in range(20)],
    "name": [f"anna number {i // 2} {'x' * (i % 2)}" for i in range(20)],
    "born": ["1980-03-04"] * 20,
}
FRAMES = [pl.DataFrame(COLUMNS), pl.LazyFrame(COLUMNS), pd.DataFrame(COLUMNS), pa.table(COLUMNS)]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda f: f"{type(f).__module__.split('.')[0]}")
def test_a_frame_is_read_as_the_file_of_it(frame: Any, tmp_path: Any) -> None:
    pl.DataFrame(COLUMNS).write_csv(tmp_path / "x.csv")
    wanted = read(tmp_path / "x.csv", id="id", identity="who")
    found = gemel.read(frame, id="id", identity="who")
    assert (found.digest, found.identity_names) == (wanted.digest, wanted.identity_names)
    assert from_rows(frame).ids.tolist() == from_rows(pl.DataFrame(COLUMNS).to_dicts()).ids.tolist()


@pytest.mark.parametrize(
    ("values", "kind", "wanted"),
    [
        (["x", 3, None], "text", ["x", "3", None]),
        ([True, "no", None], "text", ["true", "no", None]),
        ([pd.NA, "x", 2.5], "text", [None, "x", "2.5"]),
        (pd.Categorical(["x", 3, None]), "text", ["x", "3", None]),
        ([2**70, 1, None], "number", [float(2**70), 1.0, None]),
        (
            pd.period_range("2020-01", periods=3, freq="M"),
            "text",
            ["2020-01", "2020-02", "2020-03"],
        ),
        ([timedelta(1), None, timedelta(2)], "number", [86400.0, None, 172800.0]),
        (pd.to_timedelta([1, 2, 3], unit="s"), "number", [1.0, 2.0, 3.0]),
    ],
    ids=str,
)
def test_values_of_any_type_are_read(values: Any, kind: str, wanted: list[Any]) -> None:
    found = gemel.read(pd.DataFrame({"z": values, "b": list("abc")}))
    assert found.fields[0].kind == kind
    assert [row["z"] for row in found.payloads()] == wanted


def test_ids_may_be_texts_and_numbers() -> None:
    frame = pd.DataFrame({"id": ["a", 2, 3], "b": list("abc")})
    assert gemel.read(frame, id="id").ids.tolist() == ["a", "2", "3"]


@pytest.mark.parametrize(
    "values",
    [[[1], 2, None], [[1], [2], {"a": 1}], [1j, 2j, 3j], [print, "x", None]],
    ids=["mixed", "objects", "complex", "function"],
)
def test_what_is_no_single_value_is_refused_with_its_column_or_left_out(values: Any) -> None:
    frame = pd.DataFrame({"z": values, "b": list("abc")})
    with pytest.raises(DataError, match="column z: lists, objects or bytes"):
        gemel.read(frame)
    assert [f.name for f in gemel.read(frame, ignore=["z"]).fields] == ["b"]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
        pd.DataFrame([["x", 2], ["y", 4]], columns=["a", "b"]).rename(columns={"b": "a"}),
        pa.table([[1], [2]], names=["a", "a"]),
    ],
    ids=lambda f: type(f).__module__,
)
def test_two_columns_of_one_name_are_refused(frame: Any) -> None:
    with pytest.raises(DataError, match="'a' is the name of two columns"):
        gemel.read(frame)


@pytest.mark.parametrize(
    "value",
    [[{"a": 1}], {"a": [1]}, pd.Series(["x"]), pd.Series([1, 2]).to_numpy(), None, 3],
    ids=lambda v: type(v).__name__,
)
def test_what_is_neither_path_nor_frame_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=f"type {type(value).__name__}, expected the path") as no:
        gemel.read(value)
    assert "gemel.from_rows" in no.value.hint


def test_a_frame_is_no_dataset() -> None:
    with pytest.raises(ConfigError, match="DataFrame, expected a Dataset") as refused:
        gemel.by_identity(FRAMES[2])
    assert "gemel.read" in refused.value.hint


def test_whatever_is_said_of_a_file_is_heeded_of_a_frame_too(tmp_path: Path) -> None:
    labels = ["x;y", "y;z", "z", "q"] * 5
    frame = pl.DataFrame({"id": [str(i) for i in range(20)], "name": ["a b"] * 20, "of": labels})
    frame.write_csv(tmp_path / "a.csv")
    wanted = read(tmp_path / "a.csv", id="id", identity="of", separator=";")
    assert read(frame, id="id", identity="of", separator=";").digest == wanted.digest
    pairs = pl.DataFrame({"left": ["0", "1"], "right": ["4", "5"], "same": ["1", "1"]})
    pairs.write_csv(tmp_path / "pairs.csv")
    with pytest.raises(DataError, match="identities already"):
        read(frame, id="id", identity="of", pairs=tmp_path / "pairs.csv")
    assert read(pairs).digest == read(tmp_path / "pairs.csv").digest
    for kind in ("images", "text", "nonsense"):
        with pytest.raises(ConfigError, match="a frame cannot be read as"):
            read(frame, kind=kind)


@pytest.mark.parametrize("said", ["identity", "id", "separator", "pairs"])
def test_what_is_said_of_records_is_not_dropped_where_pairs_are_read(said: str) -> None:
    pairs = pl.DataFrame({"left": ["a b", "c"], "right": ["b a", "d"], "same": ["1", "0"]})
    with pytest.raises(DataError, match=f"{said} is said, and the file holds labelled pairs"):
        read(pairs, **{said: "left"})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda frame: read(frame, missing="NA"), "missing: a text, expected several"),
        (lambda frame: read(frame, ignore="a"), "ignore: a text, expected several"),
        (lambda frame: read(frame, pairs=frame), "expected the path of a file of pairs"),
        (lambda frame: from_rows(["x", "y"]), "expected a row as a dict"),
        (lambda frame: from_rows(5), "expected rows"),
        (lambda frame: from_rows([{1: "x"}]), "expected the name of a column"),
        (lambda frame: from_rows([{"a": "x"}, {"a": ["y"]}]), "a list or object|lists, objects"),
        (lambda frame: from_rows([{"a": "x"}], ids=[""]), "id '' is not 1 to"),
        (lambda frame: from_rows([{"a": "x"}], ids=["a\nb"]), "unprintable"),
    ],
)
def test_what_is_no_row_and_no_name_is_refused_in_words(call: Any, says: str) -> None:
    with pytest.raises(GemelError, match=says):
        call(pl.DataFrame({"a": ["x", "y"]}))


def test_a_column_may_be_named_by_a_number() -> None:
    frame = pd.DataFrame(dict(enumerate(COLUMNS.values())))
    found = gemel.read(frame, id=0, identity=1, columns={3: "text"}, ignore=[2])  # type: ignore
    assert [f.name for f in found.fields] == ["3"]
    assert (found.ids[0], found.identity_names[0]) == ("r0", "p0")


def test_an_index_is_a_column_where_it_is_asked_for_by_name() -> None:
    frame = pd.DataFrame(COLUMNS)
    wanted = gemel.read(frame, id="id", identity="who")
    for index in ("id", ["id", "who"]):
        for drop in (True, False):
            kept = frame.set_index(index, drop=drop)
            assert gemel.read(kept, id="id", identity="who").digest == wanted.digest
    with pytest.raises(DataError, match="index holds id, name") as refused:
        gemel.read(frame.set_index(["id", "name"]), id="id", identity="who")
    assert "reset_index()" in str(refused.value.hint)


def test_categories_that_are_intervals_are_texts() -> None:
    frame = pd.DataFrame({"name": COLUMNS["name"], "span": pd.cut(pd.Series(range(20)), 4)})
    assert gemel.read(frame).payloads()[0]["span"] == str(frame["span"][0])


def test_several_names_may_be_an_array_and_none_of_them_is_no_error() -> None:
    rows = pl.DataFrame(
        {"of": [f"p{i // 2}" for i in range(40)], "a": [f"n{i}" for i in range(40)]}
    )
    data = read(rows, identity="of", ignore=None, missing=None, groups=None)
    splits = gemel.by_identity(data, eval_identities=np.array(["p1", "p2"]), dev_identities=None)
    assert splits.eval.tolist() == [2, 3, 4, 5]
