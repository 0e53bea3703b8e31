"""What an encoder takes: payloads as they were read, or a frame of rows as it stands in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.release.conftest import write_encoder

from gemel.data import records
from gemel.encode.encoder import Encoder
from gemel.encode.row.prepare import RowPrepare
from gemel.errors import ConfigError, DataError

RAW = pl.DataFrame(
    {
        "id": [str(i) for i in range(30)],
        "zip": [1000 + i for i in range(30)],
        "born": [f"{i % 28 + 1}.{i % 12 + 1}.19{i + 40}" for i in range(30)],
        "price": [f"{i},50" for i in range(30)],
    }
)


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    dataset = records.read(RAW, id="id", columns={"zip": "text"})
    write_encoder(tmp_path / "encoder", RowPrepare.fit(dataset.payloads(), dataset.fields))
    return Encoder.open(tmp_path / "encoder")


def test_a_frame_is_encoded_as_the_file_of_it(encoder: Encoder) -> None:
    fields = encoder.prepare.fields
    wanted = encoder.encode(records.read(RAW, fields=fields).payloads())
    assert not np.allclose(wanted[0], wanted[1])
    for frame in (RAW, pd.DataFrame(RAW.to_dict(as_series=False))):
        np.testing.assert_allclose(encoder.encode(frame), wanted, atol=1e-6)
    with pytest.raises(DataError, match="no column 'born'"):
        encoder.encode(RAW.drop("born"))


@pytest.mark.parametrize("one", [{"zip": "1000"}, "1000", b"1000", 5])
def test_one_payload_is_not_several(encoder: Encoder, one: Any) -> None:
    with pytest.raises(ConfigError, match="expected several payloads") as e:
        encoder.encode(one)
    assert e.value.hint == "encode([payload]) encodes one"
