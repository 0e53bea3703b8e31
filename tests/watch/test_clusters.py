from __future__ import annotations

import io

import polars as pl
import pytest
from PIL import Image
from tests.watch.test_report import EVIL, Page, words

from gemel.release.words.unproven import CHANCE, caution
from gemel.watch import clusters
from gemel.watch.clusters import render


def frame(values: list[str]) -> pl.DataFrame:
    """Three clusters of two, the second riskier than the first, and a record alone."""
    return pl.DataFrame(
        {
            "id": ["a", "b", "c", "d", "e", "f", "g"],
            "side": ["left"] * 7,
            "cluster": [0, 0, 1, 1, 2, 2, 3],
            "canonical": [True, False, False, True, True, False, True],
            "risk": [0.1, 0.1, 0.4, 0.4, None, None, None],
            "weakest_link": [0.9, 0.9, 0.6, 0.6, None, None, None],
            "size": [2, 2, 2, 2, 2, 2, 1],
            "name": values,
        }
    )


VALUES = ["anna", "anne", EVIL, "bert", "carl", "karl", "alone"]


def test_the_riskiest_stand_first_beside_the_record_that_stands_for_them() -> None:
    html = render(frame(VALUES), [("matches", 3), ("for review", None)], lambda *_: None)
    page = Page(html)
    text = words(page.text)
    assert text.index("bert") < text.index("anna") < text.index("carl")
    assert "alone" not in text and "for review" not in text and "3 clusters" in text
    assert "ann<mark>e</mark>" in html and "<mark>k</mark>arl" in html
    assert html.index("bert") < html.index("&lt;"), "the canonical record first"


def test_it_is_complete_in_itself_and_escapes_what_came_from_data() -> None:
    html = render(frame(VALUES), [(EVIL, EVIL)], lambda *_: None)
    page = Page(html)
    assert [tag for tag, _ in page.tags if tag in ("script", "img", "link")] == ["script"]
    assert not [a for _, a in page.tags if "src" in a or "href" in a]


def test_figures_are_for_people_and_clusters_have_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MOST", 2)
    page = Page(render(frame(VALUES), [("pairs", 17656653), ("Rand", 0.97693495)], lambda *_: None))
    text = words(page.text)
    assert "17,656,653" in text and "0.9769" in text and "0.97693" not in text
    assert "cluster 1, 2 records" in text
    assert "the first 2 of 3, all of them are in the table that -o clusters.csv writes" in text
    rows = [a for tag, a in page.tags if tag == "div" and a.get("class") == "rows"]
    assert {a.get("tabindex") for a in rows} == {"0"} and all(a.get("aria-label") for a in rows)


def test_on_a_telephone_what_is_the_same_is_left_out() -> None:
    page = Page(render(frame(VALUES).with_columns(town=pl.lit("Ulm")), [], lambda *_: None))
    cells = [a for tag, a in page.tags if tag == "td"]
    same = [a["data-label"] for a in cells if a.get("class") == "same"]
    assert same == ["town"] * 3, "of each record that does not stand for its cluster"
    assert {a["data-label"] for a in cells} == {"name", "town"}


def test_pictures_stand_where_records_have_any() -> None:
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "PNG")
    asked: list[str] = []

    def picture(id: str, side: str) -> bytes:
        asked.append(id)
        return file.getvalue()

    page = Page(render(frame(VALUES).drop("name"), [], picture))
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 6
    assert sorted(asked) == ["a", "b", "c", "d", "e", "f"]


def test_what_is_not_proven_is_said_at_the_head_and_nothing_is_called_false() -> None:
    html = render(
        frame(VALUES),
        [],
        lambda *_: None,
        caution=caution("estimated from how close records are", by_closeness=True),
        risk_is=CHANCE,
    )
    text = words(Page(html).text)
    assert text.index("Unproven: estimated from how close") < text.index("What was found")
    assert "chance that strangers come so close 40" in text and "false" not in text


def test_columns_that_no_record_shown_has_are_left_out() -> None:
    lacking = frame(VALUES).with_columns(
        fax=pl.Series([None] * 6 + ["of one that is not shown"]), column_13=pl.lit("")
    )
    html = render(lacking, [], lambda *_: None)
    assert "<th>name</th>" in html and "fax" not in html and "column_13" not in html
