from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from tests.watch.test_report import EVIL, Page, words

from gemel.calibrate.goals.use import Use
from gemel.data.dataset import Dataset
from gemel.release.compare.compare import Comparison, compare
from gemel.release.compare.flips import Example, Flip
from gemel.release.evidence.schema import Item
from gemel.release.release import Release
from gemel.release.run import Run
from gemel.release.words import tiles
from gemel.release.words.expected import at_prior
from gemel.release.words.sentence import sentence
from gemel.watch.beside import render


@pytest.fixture(scope="module")
def found(release: Release, stricter: Release, people: Dataset, run_folder: Path) -> Comparison:
    return compare(release, stricter, people, Run.open(run_folder, people).splits)


def test_both_stand_side_by_side_with_what_differs(
    found: Comparison, release: Release, stricter: Release
) -> None:
    html = render(found, release, stricter)
    page = Page(html)
    text = words(page.text)
    assert words(found.sentence) in text
    for one in (release, stricter):
        assert words(sentence(one.evidence)) in text
        assert one.short_id in text
        assert f"threshold {one.evidence.eval.threshold:.4f}" in text
    for d in found.differences:
        assert ("cost of 100" if d.measure == "cost" else d.measure.replace("_", " ")) in text
    for flip in found.flips:
        assert f"{flip.before.replace('_', ' ')} → {flip.after.replace('_', ' ')}" in text
    assert html.count("<svg") == 3
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe"})


def test_records_are_escaped(found: Comparison, release: Release, stricter: Release) -> None:
    item = Item(EVIL, EVIL, {"row": {"first": EVIL, EVIL: EVIL}})
    example = Example(left=item, right=item, before=0.1, after=0.9)
    flip = Flip(genuine=False, before="no_match", after="match", n=1, examples=(example,))
    html = render(msgspec.structs.replace(found, flips=(flip,)), release, stricter)
    assert "<script" not in html and "<img" not in html
    assert "0.1000 → 0.9000" in html


def test_both_are_told_by_the_same_figures_at_one_share(
    found: Comparison, release: Release, stricter: Release
) -> None:
    """For what each is used does not matter here, nor at which share it was chosen."""
    at = release.evidence.eval
    rare = msgspec.structs.replace(
        at,
        prior=0.001,
        prior_source="stated",
        precision=at_prior(at, "precision", 0.001),
    )
    goals = msgspec.structs.replace(release.evidence.goals, use=Use(kind="verify"))
    before = msgspec.structs.replace(release.evidence, eval=rare, goals=goals)
    assert tiles.at_share(before, found.prior) == tiles.at_share(release.evidence, found.prior)
    html = render(found, release, stricter)
    sides = [re.findall(r"<div><span>([^<]+)</span>", half) for half in html.split("<figure>")[:2]]
    assert sides[0] == sides[1] and "right matches (precision)" in sides[0]
    drawn = html.partition("What differs")[2]
    assert f"{stricter.short_id} (after), eval" in drawn
    assert f"{release.short_id} (before), eval" in drawn
    assert "this release" not in drawn
