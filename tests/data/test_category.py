"""A category says where error rates are told apart; it is no evidence that two records match."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gemel.data import records
from gemel.data.dataset import CategoryColumn
from gemel.data.schema import Field
from gemel.errors import DataError

TABLE = "person,country,name\n" + "".join(
    f"p{i // 2},{('de', 'fr', '')[i % 3]},Name{i}\n" for i in range(30)
)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    (tmp_path / "people.csv").write_text(TABLE)
    return tmp_path / "people.csv"


def test_the_column_is_kept_beside_the_fields(people: Path) -> None:
    data = records.read(people, identity="person", category="country")
    assert data.category is not None and data.category.name == "country"
    assert [data.category.of(i) for i in range(3)] == ["de", "fr", None]
    assert [f.name for f in data.fields] == ["name"]
    assert data.payloads([0]) == [{"name": "Name0"}]
    assert data.n_bad == 0


def test_it_is_a_field_as_well_where_it_is_given_a_kind(people: Path) -> None:
    data = records.read(people, category="country", identity="person", columns={"country": "text"})
    assert data.category is not None and data.category.of(1) == "fr"
    assert data.payloads([1]) == [{"country": "fr", "name": "Name1"}]
    fields = [Field("country", "text"), Field("name", "text")]
    again = records.read(people, category="country", identity="person", fields=fields)
    assert again.payloads([1]) == data.payloads([1]) and again.category is not None


def test_a_part_keeps_its_categories_and_the_digest_does_not_know_them(people: Path) -> None:
    data = records.read(people, identity="person", category="country")
    part = data.take([4, 2])
    assert part.category is not None
    assert [part.category.of(i) for i in range(2)] == ["fr", None]
    without = records.read(people, identity="person", ignore=["country"])
    assert data.digest == without.digest
    assert data.category is not None and data.category.digest != part.category.digest


def test_refused_rows_shift_no_category(people: Path) -> None:
    people.write_text(TABLE.replace("p1,,Name2\n", "p1,,Name2,more\n"))
    data = records.read(people, identity="person", category="country", max_bad_ratio=0.1)
    assert data.category is not None and data.n_bad == 1
    assert [data.category.of(i) for i in range(3)] == ["de", "fr", "de"]


def test_rows_in_memory_have_them_too() -> None:
    rows = [{"name": "a"}, {"name": "b"}, {"name": "c"}]
    data = records.from_rows(rows, categories=("year", [2, 2.5, None]))
    assert data.category is not None
    assert [data.category.of(i) for i in range(3)] == ["2", "2.5", None]
    with pytest.raises(DataError, match="1 categories for 3 rows"):
        records.from_rows(rows, categories=("year", [2]))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"category": "county"}, "no column 'county'"),
        ({"category": "person", "identity": "person"}, "cannot be the category"),
        ({"category": "country", "ignore": ["country"]}, "'country' is ignored"),
        ({"category": "country", "id": "country"}, "cannot be the category"),
    ],
)
def test_a_column_that_cannot_be_it_is_refused(
    people: Path, said: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        records.read(people, **said)  # type: ignore[arg-type]


def test_images_and_pairs_have_no_columns(tmp_path: Path) -> None:
    (tmp_path / "images" / "a").mkdir(parents=True)
    Image.new("L", (4, 4)).save(tmp_path / "images" / "a" / "1.png")
    (tmp_path / "pairs.csv").write_text("left,right,same\na,b,1\n")
    for name in ("images", "pairs.csv"):
        with pytest.raises(DataError, match="a category is a column of rows"):
            records.read(tmp_path / name, category="country")


def test_a_column_with_a_value_of_its_own_in_every_record_is_no_category() -> None:
    names = tuple(str(i) for i in range(1001))
    with pytest.raises(DataError, match="1,001 categories") as e:
        CategoryColumn("serial", np.arange(1001), names)
    assert "coarser" in e.value.hint
