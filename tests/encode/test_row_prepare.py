"""Rows to bytes: what is folded, what is refused, and that a spec says it all."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.data.schema import Field, Reading
from gemel.encode.row.prepare import RowPrepare, folded, read_row
from gemel.errors import InvalidInput, ReleaseError

FIELDS = (
    Field("name", "text"),
    Field("city", "category"),
    Field("height", "number"),
    Field("born", "date"),
)
ROWS = [
    {"name": "Anna Müller", "city": "Bonn", "height": 1.75, "born": "1967-09-27"},
    {"name": "Bo", "city": None, "height": None, "born": None},
    {"name": None, "city": "Ulm", "height": 2.0, "born": "2001-01-31"},
]


class NAType:
    """As pandas calls what is missing."""


@pytest.fixture(scope="module")
def prepare() -> RowPrepare:
    return RowPrepare.fit(ROWS, FIELDS)


def strip(prepare: RowPrepare, row: dict[str, object], name: str) -> bytes:
    found = next(s for s in prepare.strips if s.name == name)
    text = prepare([row])["text"][0, found.start : found.start + found.width]
    return bytes(text).rstrip(b"\0")


def test_case_width_and_blanks_do_not_matter(prepare: RowPrepare) -> None:
    one = prepare([{"name": "  ANNA   MÜLLER"}])["text"]
    # The same name in full-width letters.
    other = prepare([{"name": "\uff21nna mu\u0308ller"}])["text"]
    assert (one == other).all()


def test_a_date_is_three_strips(prepare: RowPrepare) -> None:
    row = {"born": "1967-09-27"}
    parts = [strip(prepare, row, f"born.{part}") for part in ("year", "month", "day")]
    assert parts == [b"\x021967\x03", b"\x0209\x03", b"\x0227\x03"]


def test_a_number_is_digits_and_a_position(prepare: RowPrepare) -> None:
    assert strip(prepare, {"height": 2.0}, "height") == b"\x022\x03"
    assert strip(prepare, {"height": 1.75}, "height") == b"\x021.75\x03"
    positions = prepare([{"height": h} for h in (1.0, 1.75, 2.0, 9.0)])["number"][:, 0]
    assert positions.tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("missing", [None, ""])
def test_missing_is_zeros(prepare: RowPrepare, missing: object) -> None:
    given_ = prepare([{"name": missing, "city": "Bonn"}])["text"]
    assert (given_ == prepare([{"city": "Bonn"}])["text"]).all()


def test_a_spec_is_json_and_says_it_all(prepare: RowPrepare) -> None:
    again = RowPrepare.from_spec(json.loads(json.dumps(prepare.spec())))
    for name, array in prepare(ROWS).items():
        assert (again(ROWS)[name] == array).all()


def test_how_values_are_written_is_part_of_the_spec_where_it_is_known() -> None:
    fields = [Field("born", "date", Reading(("N/A",), "dmy")), Field("size", "number", Reading())]
    prepare = RowPrepare.fit([{"born": "1980-04-03", "size": 1.0}], fields)
    again = RowPrepare.from_spec(json.loads(json.dumps(prepare.spec())))
    assert again.fields == tuple(fields)
    plain = RowPrepare.fit(ROWS, FIELDS).spec()
    assert plain["fields"][0] == {"name": "name", "kind": "text"}
    assert RowPrepare.from_spec(plain).spec() == plain


def test_a_spec_of_something_else_is_refused() -> None:
    with pytest.raises(ReleaseError, match="row specification"):
        RowPrepare.from_spec({"modality": "row"})


@pytest.mark.parametrize(
    ("row", "where", "says"),
    [
        ([1], "", "object of fields"),
        ({"nmae": "Anna"}, "nmae", "unknown field"),
        ({"name": 3}, "name", "expected text"),
        ({"height": "tall"}, "height", "finite number"),
        ({"height": float("nan")}, "height", "finite number"),
        ({"height": True}, "height", "finite number"),
        ({"born": "27.09.1967"}, "born", "YYYY-MM-DD"),
        ({"born": "1967-02-30"}, "born", "YYYY-MM-DD"),
        ({"born": "1967-02"}, "born", "YYYY-MM-DD"),
        ({}, "", "no value"),
        ({"name": None, "city": ""}, "", "no value"),
    ],
)
def test_bad_rows_name_the_field(prepare: RowPrepare, row: object, where: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        prepare.check(row)
    assert caught.value.where == where


def test_a_misspelt_field_is_guessed(prepare: RowPrepare) -> None:
    with pytest.raises(InvalidInput) as caught:
        prepare.check({"hieght": 1.0})
    assert caught.value.hint == "did you mean 'height'?"


@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_text_fits_whatever_else_is_in_the_batch(texts: list[str]) -> None:
    prepare = RowPrepare.fit(ROWS, FIELDS)
    rows = [{"name": t} for t in texts]
    together = prepare(rows)["text"]
    assert together.shape == (len(rows), sum(s.width for s in prepare.strips))
    for row, line in zip(rows, together, strict=True):
        assert (prepare([row])["text"][0] == line).all()


@given(st.text(max_size=60))
def test_folding_is_idempotent_and_leaves_no_gap(text: str) -> None:
    once = folded(text)
    assert "\0" not in once
    assert folded(once) == once or np.char.isnumeric(np.array(once)).any()


def test_a_number_beyond_all_others_by_more_than_they_reach_is_told() -> None:
    prepare = RowPrepare.fit([{"height": h} for h in (1.5, 1.75, 2.0)], FIELDS)
    learned = "the records learned from have 1.5 to 2"
    assert prepare.outside({"height": 9.0}) == [f"height 9: {learned}"]
    assert prepare.outside({"height": 0.99}) == [f"height 0.99: {learned}"]
    for near in (1.0, 1.75, 2.5, None, ""):
        assert not prepare.outside({"height": near, "name": "Bo", "born": "1066-10-14"})
    alike = RowPrepare.fit([{"height": 2.0}, {"height": None}], FIELDS)
    assert not alike.outside({"height": 9.0}), "nothing says how far is far"


@pytest.mark.parametrize("n", [50, 400])
@pytest.mark.parametrize(
    ("drawn", "most"),
    [("standard_normal", 0), ("standard_exponential", 0.05), ("standard_cauchy", 0.35)],
)
def test_hardly_any_number_is_called_far_for_nothing(drawn: str, most: float, n: int) -> None:
    """As a share of the 2 in n + 1 that are outside at all at most, whatever the distribution."""
    rng, told = np.random.default_rng(n), 0
    for _ in range(100):
        values = getattr(rng, drawn)(size=n + 500).tolist()
        prepare = RowPrepare.fit([{"height": v} for v in values[:n]], FIELDS)
        told += sum(bool(prepare.outside({"height": v})) for v in values[n:])
    assert told / 50_000 <= most * 2 / (n + 1)


@pytest.mark.parametrize("height", [np.int64(61), np.float32(61.9), Decimal("61.5"), NAType()])
def test_numbers_of_other_libraries_are_numbers(prepare: RowPrepare, height: Any) -> None:
    """numpy.int64(61) was no "finite number"; it is what a cell of a frame is."""
    row = read_row(prepare.fields, {**ROWS[0], "height": height})
    prepare.check(row)
    told = {"int64": 61, "float32": 61.9, "Decimal": 61.5, "NAType": None}
    assert row["height"] == told[type(height).__name__]
    assert type(row["height"]) in (int, float, type(None))
