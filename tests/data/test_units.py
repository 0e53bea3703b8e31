"""Identities that share a device or a family are one unit of chance."""

from pathlib import Path

import numpy as np
import pytest

from gemel.data import records
from gemel.data.units import units
from gemel.errors import DataError

TABLE = """person,name,device,family
ann,Ann,d1,
ann,Anne,d2,
bob,Bob,d2,f1
cid,Cid,d3,f1
dan,Dan,d4,
eve,Eve,,
eve,Eva,d5,
"""


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(TABLE)
    return path


def test_devices_and_families_join_identities_through_others(people: Path) -> None:
    data = records.read(people, identity="person", groups=["device", "family"])
    assert [f.name for f in data.fields] == ["name"]
    found = dict(zip(data.identity_names, units(data).tolist(), strict=True))  # type: ignore[union-attr]
    assert found["ann"] == found["bob"] == found["cid"]
    assert len({found["ann"], found["dan"], found["eve"]}) == 3


def test_only_the_records_at_hand_join(people: Path) -> None:
    data = records.read(people, identity="person", groups=["device", "family"])
    without_anne = data.take(np.flatnonzero(data.ids != "2"))
    found = units(without_anne)
    assert found is not None
    assert found[0] != found[1] == found[2]


def test_without_groups_there_are_no_units_and_the_digest_is_what_it_was(people: Path) -> None:
    plain = records.read(people, identity="person", ignore=["device", "family"])
    assert units(plain) is None
    grouped = records.read(people, identity="person", groups=["device"], ignore=["family"])
    assert grouped.digest != plain.digest


def test_an_unknown_group_is_named(people: Path) -> None:
    with pytest.raises(DataError, match="no column 'devise'"):
        records.read(people, identity="person", groups=["devise"])


def test_groups_are_columns_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("left,right,same\na,b,1\na,c,0\n")
    with pytest.raises(DataError, match="columns of a table"):
        records.read(tmp_path / "pairs.csv", groups=["device"])
