"""Frames of other packages are records too; what is none is refused in words."""

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import gemel
from gemel.data.records import from_frame, from_rows, read

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
    assert from_frame(frame, id="id", identity="who").digest == wanted.digest
    assert from_rows(frame).ids.tolist() == from_rows(pl.DataFrame(COLUMNS).to_dicts()).ids.tolist()
