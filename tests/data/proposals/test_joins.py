"""A column that holds what two of the other file hold is told from one that holds what one does."""

import polars as pl

from gemel.data.proposals import joins

FIRST = ["Ann", "Bo", "Cy", "Dora Mae", "Eve"] * 8
LAST = ["Maier", "Roth", "Au Lait", "Berg", "Kim", "Lund", "Moss", "Nye"] * 5
TOWN = ["Bath", "Bad Tölz", "Batlow", "Ulm", "York"] * 8
ZIP = [f"{810 + 17 * i:04}" for i in range(40)]
CRM = pl.DataFrame({"first": FIRST, "last": LAST, "zip": ZIP, "town": TOWN})


def test_names_and_towns_are_put_together_in_their_order() -> None:
    shop = pl.DataFrame(
        {
            "name": [f"{last.upper()}, {first}" for first, last in zip(FIRST, LAST, strict=True)],
            "ort": [f"{code} {town}" for code, town in zip(ZIP[::-1], TOWN, strict=True)],
            "born": ["1980-01-02"] * 40,
        }
    )
    found = {join.left: (join.right, join.share) for join in joins.find(CRM, shop)}
    assert found == {"last + first": ("name", 1.0), "zip + town": ("ort", 1.0)}
    back = {join.right: join.left for join in joins.find(shop, CRM)}
    assert back == {"last + first": "name", "zip + town": "ort"}


def test_what_has_a_column_of_its_own_is_no_part() -> None:
    same = CRM.select(vorname="first", nachname="last", plz="zip", ort="town")
    assert joins.find(CRM, same) == []
    both = same.with_columns(full=pl.concat_str("vorname", "nachname", separator=" "))
    assert joins.find(CRM, both) == []


def test_texts_that_only_share_words_are_not_put_together() -> None:
    goods = pl.DataFrame({"title": ["Roth bicycle pump, blue", "Maier lamp of Bath, large"] * 20})
    assert joins.find(CRM, goods) == []


def test_a_postcode_in_two_groups_is_one_with_that_in_one() -> None:
    codes = [f"{602 + i % 7}{10 + i}" for i in range(40)]
    apart = pl.DataFrame({"psc": [f"{code[:3]} {code[3:]}" for code in codes], "obec": TOWN})
    whole = [f"{code} {town}" for code, town in zip(codes, TOWN, strict=True)]
    (join,) = joins.find(apart, pl.DataFrame({"PSC a obec": whole}))
    assert join == ("psc + obec", "PSC a obec", 1.0)
