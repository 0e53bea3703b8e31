from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from gemel.errors import DigestMismatch
from gemel.release.evidence import Evidence
from gemel.release.explanation import explain
from gemel.release.mistakes import Item, Mistake
from gemel.release.release import Release
from gemel.tasks.explain import Part
from gemel.watch.report import render

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
VOID = {"meta", "img", "br", "hr", "input", "link"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; raises if tags are not nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data


@pytest.fixture(scope="module")
def html(release: Release) -> str:
    return render(release)


def with_evidence(release: Release, into: Path, **changes: object) -> str:
    evidence: Evidence = msgspec.structs.replace(release.evidence, **changes)
    return render(release.child(evidence=evidence, into=into))


def test_it_is_well_formed_and_says_what_the_release_is(html: str, release: Release) -> None:
    text = Page(html).text
    for expected in (
        "people",
        release.id,
        release.space_id,
        "not stated",
        "rows of first (text), last (text), born (number)",
        "TF-IDF",
        "Operating points",
        "False matches nearest the threshold",
        "When to measure again",
        f"{release.evidence.eval.threshold:.4f}",
    ):
        assert expected in " ".join(text.split()), expected


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "base"})
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,"))
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}


def test_ids_are_unique_and_references_resolve(html: str) -> None:
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="|url\()#([^")]+)', html)
    assert used
    assert set(used) <= set(ids)


def test_the_charts_take_the_colours_of_the_page(html: str) -> None:
    assert html.count("<svg") == 3
    assert "#0102" not in html
    assert "var(--ours)" in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_records_are_escaped(release: Release, tmp_path: Path) -> None:
    def item(i: int) -> Item:
        return Item(EVIL, EVIL, {"row": {"first": EVIL + str(i), EVIL: EVIL}})

    wrong = Mistake("false_match", 0.9, item(1), item(2))
    data = msgspec.structs.replace(release.evidence.data, source=EVIL, fields=((EVIL, "text"),))
    html = with_evidence(
        release,
        tmp_path / "child",
        mistakes=(wrong,),
        data=data,
        training={EVIL: EVIL},
        notes=(EVIL,),
    )
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert "<script>alert('x')</script>" in page.text


def test_differing_characters_are_marked(release: Release, tmp_path: Path) -> None:
    left = Item("1", "a", {"row": {"last": "MEYER", "born": 1970.0}})
    right = Item("2", "a", {"row": {"last": "MAYER", "born": None}})
    html = with_evidence(
        release, tmp_path / "c", mistakes=(Mistake("false_non_match", 0.5, left, right),)
    )
    assert "M<mark>E</mark>YER" in html
    assert "M<mark>A</mark>YER" in html
    assert "<mark>1970</mark>" in html
    assert "both a" in html


def test_mistakes_say_what_each_field_is_worth(release: Release, tmp_path: Path) -> None:
    explained = [m for m in release.evidence.mistakes if m.parts]
    assert len(explained) == len(release.evidence.mistakes) > 0
    for mistake in explained:
        assert {part.name for part in mistake.parts} <= {"first", "last", "born"}
        rows = [mistake.left.payload["row"], mistake.right.payload["row"]]
        again = explain(release, *rows)
        assert again.score == pytest.approx(mistake.score, abs=1e-5)
        worth = {part.name: part.lost for part in again.parts}
        for part in mistake.parts:
            assert part.lost == pytest.approx(worth[part.name], abs=1e-4)
    html = with_evidence(release, tmp_path / "child", mistakes=tuple(explained[:1]))
    assert html.count('<td class="worth">') == 3
    assert 'style="width:50%"' in html
    plain = msgspec.structs.replace(explained[0], parts=())
    assert "worth" not in Page(with_evidence(release, tmp_path / "plain", mistakes=(plain,))).text
    assert '<td class="worth">' not in with_evidence(release, tmp_path / "p", mistakes=(plain,))


def test_images_are_tinted_where_parts_are_known(release: Release, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (20, 10), 255).save(file, "PNG")
    item = Item("1", "a", {"image": base64.b64encode(file.getvalue()).decode()})
    region = Part(
        name="left, row 1, column 1 of 4",
        lost=0.5,
        left=0.5,
        right=None,
        outcome="match",
        box=(0.0, 0.0, 0.5, 1.0),
    )
    wrong = Mistake("false_match", 0.9, item, item, (region,))
    html = with_evidence(release, tmp_path / "child", mistakes=(wrong,))
    images = [a["src"] for tag, a in Page(html).tags if tag == "img"]
    assert len(images) == 4
    left, right = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(str(src).split(",")[1]))).convert("RGB"))
        for src in images[2:]
    )
    assert left.shape == (48, 96, 3)
    assert (left[:, :48, 2] > left[:, :48, 0]).all() and (left[:, 48:] == 255).all()
    assert (right == 255).all()


def test_the_verdict_follows_the_numbers(release: Release, tmp_path: Path) -> None:
    ours, theirs = release.evidence.candidates

    def at(candidate: object, value: float, low: float, high: float) -> object:
        f1 = msgspec.structs.replace(candidate.point.f1, value=value, low=low, high=high)  # type: ignore[attr-defined]
        point = msgspec.structs.replace(candidate.point, f1=f1)  # type: ignore[attr-defined]
        return msgspec.structs.replace(candidate, point=point)

    for name, value, headline, tone in (
        ("a", (0.9, 0.85, 0.95), "Clearly better than TF-IDF", "good"),
        ("b", (0.6, 0.5, 0.7), "Not clearly better than TF-IDF", "unsure"),
        ("c", (0.3, 0.2, 0.4), "Worse than TF-IDF", "bad"),
    ):
        pair = (at(ours, *value), at(theirs, 0.6, 0.55, 0.65))
        html = with_evidence(release, tmp_path / name, candidates=pair, against=())
        assert f'<section class="verdict {tone}">' in html
        assert f"<h2>{headline}</h2>" in html


def test_a_child_names_its_parent(stricter: Release, release: Release) -> None:
    assert release.id in Page(render(stricter)).text


def test_a_changed_release_is_not_reported(release: Release, tmp_path: Path) -> None:
    child = release.child(evidence=release.evidence, into=tmp_path / "child")
    path = child.folder / "evidence.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DigestMismatch):
        render(Release.open(child.folder, verify=False))


def test_it_is_the_same_each_time(html: str, release: Release) -> None:
    assert render(Release.open(release.folder)) == html
