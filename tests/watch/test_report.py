from __future__ import annotations

import base64
import io
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from tests.programs import CHROMIUM, require

from gemel import figures
from gemel.arrays import unit_rows
from gemel.calibrate.goals.use import Use
from gemel.calibrate.rates.by_category import breakdown
from gemel.calibrate.rates.hard_identities import Animal, Kind, Zoo
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.data.dataset import CategoryColumn
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import DigestMismatch
from gemel.release.evidence.schema import Evidence, Item, Mistake, RuleCost
from gemel.release.explanation import explain
from gemel.release.release import Release
from gemel.release.run import Batches, Estimate
from gemel.release.words.card import card
from gemel.tasks.explain import Part
from gemel.watch.charts import rates
from gemel.watch.html import breakable
from gemel.watch.report import render

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
VOID = {"meta", "img", "br", "hr", "input", "link", "wbr"}


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
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data


def words(text: str) -> str:
    """Text with every space, a hard one too, as one plain space."""
    return " ".join(text.split())


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
        "records of first (text), last (text), born (number)",
        "TF-IDF",
        "Operating points",
        "False matches",
        "When to measure again",
        "Telling whether two records are of one identity",
        "impostors are zero-effort",
        "Tippett plot",
        "Wolves and lambs",
        "Paired differences",
        release.manifest.files["encoder/encoder.onnx"],
        f"{release.evidence.eval.threshold:.4f}",
    ):
        assert expected in words(text), expected


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"link", "iframe", "object", "base"})
    assert [a for tag, a in page.tags if tag == "script"] == [
        {"type": "application/json", "id": "slider-data"},
        {},
    ]
    assert not re.search(r"fetch\(|XMLHttp|import\(|innerHTML|eval\(", html)
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
    assert html.count("<svg") == 9
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
        training=msgspec.structs.replace(release.evidence.training, torch=EVIL),
        notes=(EVIL,),
    )
    page = Page(html)
    assert [tag for tag, _ in page.tags if tag in ("script", "img")] == ["script"] * 2
    assert "<script>alert('x')</script>" in page.text


def test_a_name_wraps_behind_its_marks_only() -> None:
    assert str(breakable("given_name.<b>")) == "given_<wbr>name.&lt;b&gt;"


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
    first = next(d for d in release.evidence.against if d.measure == "F1")
    for name, seen, headline, tone in (
        ("a", "better", "Clearly better than TF-IDF", "good"),
        ("b", "no difference shown", "Not clearly better than TF-IDF", "unsure"),
        ("c", "worse", "Worse than TF-IDF", "bad"),
    ):
        found = msgspec.structs.replace(first, seen=seen)
        html = with_evidence(release, tmp_path / name, against=(found,))
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


def test_every_operating_point_and_difference_of_the_card_is_shown(
    html: str, release: Release
) -> None:
    text = words(Page(html).text)
    shown = card(release)
    for point in shown.operating_points:
        assert words(point.goal) in text
        if point.eval is None:
            assert words(f"refused: {point.reason}") in text
        else:
            assert f"{point.eval.threshold:.4f}" in text
            rate = point.eval.fnmr
            value, low, high = figures.known(rate.value, rate.low, rate.high)
            assert f"{value} % {low}–{high}" in text
    for d in shown.measured.against:
        assert f"{figures.signed(d.low)} to {figures.signed(d.high)}" in text, d.measure
    for place in shown.measured.galleries:
        assert f"{place.threshold:.4f}" in text
    assert shown.expires in text
    for condition in shown.validity.conditions:
        assert condition in text or condition.startswith("after ")


def test_what_was_not_measured_is_left_out(release: Release, tmp_path: Path) -> None:
    html = with_evidence(
        release,
        tmp_path / "child",
        reliability=None,
        galleries=(),
        classes=None,
        views=None,
    )
    page = Page(html)
    assert html.count("<svg") == 4
    for absent in ("Classes by a few", "Rules and views", "Probabilities", "Searches", "category"):
        assert absent not in page.text, absent


def test_training_and_priors_are_for_people(release: Release, tmp_path: Path) -> None:
    said = msgspec.structs.replace(
        release.evidence.training,
        n_weights=4276233,
        parity=1.4901161193847656e-07,
        learning_seconds=11.692,
    )
    page = with_evidence(release, tmp_path / "r", training=said)
    assert "<dt>weights of the network</dt><dd>4,276,233</dd>" in page
    assert "<dt>learning took</dt><dd>12 s</dd>" in page
    assert "<dt>largest difference of ONNX to torch</dt><dd>0.000000149</dd>" in page
    found = release.evidence.reliability
    assert found is not None and len(found.costs) > 2
    shuffled = msgspec.structs.replace(found, costs=found.costs[::-1])
    for i, given in enumerate((found, shuffled)):
        page = with_evidence(release, tmp_path / f"p{i}", reliability=given)
        table = page.partition("actual cost (actDCF)</th>")[2].partition("</table>")[0]
        shown = re.findall(r'<th data-label="share of genuine pairs">([\d.]+)', table)
        assert len(shown) == len(found.costs)
        assert [float(x) for x in shown] == sorted(float(x) for x in shown)


def test_a_run_tells_nothing_that_it_has_no_word_for(release: Release, tmp_path: Path) -> None:
    estimate = Estimate(n_records=2500, share=3.64e-5, threshold=(1.0,), right=(9.0,), wrong=(1.0,))
    said = msgspec.structs.replace(release.evidence.training, by_views=True, estimate=estimate)
    page = with_evidence(release, tmp_path / "r", training=said)
    facts = dict(
        re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page.partition('id="training"')[2])
    )
    assert "measure" not in facts and "by" not in facts and "" not in facts.values()
    assert words(facts["share of pairs that belong together, estimated"]) == "0.00364 %"
    assert facts["estimated from"] == "how fields agree"
    assert facts["a varied copy of each record chooses the epoch too"] == "yes"


def test_what_a_pair_does_not_have_is_not_spoken_of(release: Release, tmp_path: Path) -> None:
    """A text that is its own identity stood there twice, under bars that were not there."""
    left, right = "Trees by rules", "Two-dimensional rules"
    pair = [Item(str(i), text, {"text": text}) for i, text in enumerate((left, right))]
    part = Part(name="text", lost=0.0, left=None, right=None, outcome="match")
    wrong = Mistake("false_match", 0.9, *pair, (part,))
    html = with_evidence(release, tmp_path / "r", mistakes=(wrong,))
    assert 'class="who"' not in html and 'class="worth"' not in html
    assert "The bars, relative to" not in html


def test_without_labels_nothing_is_of_eval(release: Release, tmp_path: Path) -> None:
    text = words(Page(with_evidence(release, tmp_path / "r", unproven=True)).text)
    assert "Among these pairs from" in text and "On eval from" not in text
    assert "All counts" not in text


def test_epochs_are_drawn_with_the_one_that_was_kept(release: Release, tmp_path: Path) -> None:
    training = release.evidence.training
    first = training.history[0]
    curve = [(0.5, None), (0.6, 2.0), (0.9, 1.0), (0.8, 0.5)]
    history = tuple(
        msgspec.structs.replace(
            first, epoch=i, metric=metric, loss=loss, batches=Batches(0.3, (-0.1, 0.0, 0.1))
        )
        for i, (metric, loss) in enumerate(curve)
    )
    training = msgspec.structs.replace(training, history=history)
    page = with_evidence(release, tmp_path / "r", training=training)
    assert "kept: 90" in page and "untrained: 50" in page
    (tmp_path / "page.html").write_text(page)
    assert 'id="reached-' in page and 'id="taught-' in page and "active negatives, %" in page


def test_categories_are_told_apart_and_the_worst_is_named(release: Release, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 60)
    names = (EVIL, "region 10", "region 9")
    n = np.repeat(np.arange(60), 3)
    rows = unit_rows(rng.normal(size=(60, 8))[n] + 0.7 * rng.normal(size=(180, 8)))
    scores = all_pairs(rows, n, Cosine(), categories=CategoryColumn("region", code[n], names))
    found = breakdown(scores, 0.6, column="region")
    html = with_evidence(release, tmp_path / "child", categories=found)
    text = words(Page(html).text)
    assert html.count("<svg") == 10
    assert "Error rates by region" in text
    assert text.index("region 9") < text.index("region 10")
    assert "between categories" in text
    assert found.worst_fmr is not None
    worst = max(found.matrix, key=lambda c: c.fmr or 0)
    assert worst.rate is not None
    limits = [words(figures.share(limit, 2)) for limit in (worst.rate.low, worst.rate.high)]
    assert " to ".join(limits) in text
    assert "<script>alert" not in html


def test_who_errs_most_is_linked_to_the_mistakes(release: Release, tmp_path: Path) -> None:
    wrong = next(m for m in release.evidence.mistakes if m.kind == "false_match")
    animal = Animal(
        identity=wrong.left.identity, records=(EVIL,), n=7, of=44, expected=0.5, p=0.001
    )
    kind = Kind(n_identities=45, n_beyond_chance=1, worst=(animal,))
    quiet = Kind(n_identities=45, n_beyond_chance=0, worst=())
    zoo = Zoo(wolves=kind, goats=quiet)
    html = with_evidence(release, tmp_path / "child", zoo=zoo)
    page = Page(html)
    links = [a["href"] for tag, a in page.tags if tag == "a" and "_match-" in str(a["href"])]
    assert links
    anchors = {a["id"] for tag, a in page.tags if tag == "article"}
    assert {str(link)[1:] for link in links} <= anchors
    text = words(page.text)
    assert "One stands out of 45 beyond chance." in text
    assert "7 of 44" in text


def test_rules_are_shown(release: Release, tmp_path: Path) -> None:
    lost = release.evidence.eval.fnmr
    rule = RuleCost(rule=f"{EVIL} differs: no_match", n_checked=44, lost=lost)
    html = with_evidence(release, tmp_path / "child", rules=(rule,))
    text = words(Page(html).text)
    assert f"{EVIL} differs: no_match" in text


def test_a_difference_is_coloured_by_what_it_shows(release: Release, tmp_path: Path) -> None:
    d = release.evidence.against[0]
    better = msgspec.structs.replace(d, seen="better", low=0.01, high=0.02)
    worse = msgspec.structs.replace(d, seen="worse", low=-0.02, high=-0.01)
    html = with_evidence(release, tmp_path / "child", against=(better, worse))
    assert 'class="good">better' in html
    assert 'class="bad">worse' in html


def test_the_contents_name_every_section_and_digests_come_last(html: str) -> None:
    page = Page(html)
    named = [str(a["href"])[1:] for tag, a in page.tags if tag == "a"]
    places = [a.get("id") for tag, a in page.tags if tag in ("section", "details") and "id" in a]
    assert named[: len(places)] == places
    assert places[:4] == ["points", "slider", "mistakes", "curves"]
    assert places[-1] == "digests"
    folded = [a.get("id") for tag, a in page.tags if tag == "details" and "open" not in a]
    assert {"training", "digests", "what"} <= set(folded)


def test_no_chart_has_small_text_on_a_phone(html: str) -> None:
    phone = 358
    charts = re.findall(r"<figure><svg.*?</svg>", html, re.DOTALL)
    assert len(charts) > 5
    for chart in charts:
        width = float(re.search(r'viewBox="0 0 ([\d.]+)', chart)[1])  # type: ignore[index]
        sizes = [float(size) for size in re.findall(r"font(?:-size)?: ([\d.]+)px", chart)]
        assert sizes and min(sizes) * phone / width >= 9


def test_where_nothing_was_missed_no_line_goes_through_the_chart(release: Release) -> None:
    at = release.evidence.eval
    nothing = msgspec.structs.replace(at.fnmr, value=0.0, low=0.0, high=0.0149)
    point = msgspec.structs.replace(at, fnmr=nothing)
    drawn = rates.rates(release.evidence.eval_curve, [point])
    lines = r'd="M ([\d.]+) [\d.]+ \nL ([\d.]+) [\d.]+ \n" [^>]*stroke: var\(--genuine\)'
    assert "var(--genuine)" in drawn
    assert not [ends for ends in re.findall(lines, drawn) if ends[0] == ends[1]]
    seen = msgspec.structs.replace(at.fnmr, value=0.01, low=0.002, high=0.0149)
    again = rates.rates(release.evidence.eval_curve, [msgspec.structs.replace(at, fnmr=seen)])
    assert [ends for ends in re.findall(lines, again) if ends[0] == ends[1]]


def slid(html: str, tmp_path: Path, script: str = "") -> str:
    """The page after a browser ran it, and the script once it stood."""
    require(chromium=CHROMIUM)
    file = tmp_path / "report.html"
    field = "const field = (name) => document.querySelector(`[name=${name}]`)"
    put = "const put = (name, to) => { field(name).value = to; field(name).dispatchEvent("
    put += "new Event('input')); }"
    after = f"<script>addEventListener('load', () => {{ {field};{put};{script} }});</script>"
    file.write_text(html.replace("</main>", f"</main>{after}"))
    return subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000"),
            f"{file.as_uri()}#training",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def shows(page: str, name: str) -> str:
    """What a figure of the slider says."""
    return words(re.search(rf'data-shows="{name}">([^<]*)<', page)[1])  # type: ignore[index]


def test_the_slider_begins_at_the_release_and_counts_what_eval_counted(
    html: str, release: Release, tmp_path: Path
) -> None:
    at = release.evidence.eval
    page = slid(html, tmp_path)
    assert shows(page, "false") == f"{at.n_false_match:,}"
    assert shows(page, "missed") == f"{at.n_false_non_match:,}"
    assert '<details class="section" id="training" open="">' in page
    assert '<section id="slider" class="scripted">' in page
    assert page.count('class="axis"') == 1 and re.search(r'class="axis"[^>]*><span', page)
    assert shows(slid(html, tmp_path, "put('threshold', field('threshold').max)"), "false") == "0"
    key = "field('threshold').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}))"
    moved = float(shows(slid(html, tmp_path, key), "threshold"))
    assert moved > at.threshold, "a key goes to the next measured point"


def test_every_field_of_the_slider_has_a_name(html: str) -> None:
    page = Page(html)
    fields = {a["id"] for tag, a in page.tags if tag == "input"}
    assert fields == {a.get("for") for tag, a in page.tags if tag == "label"}


def test_the_slider_carries_the_limit_of_what_was_measured(
    html: str, release: Release, tmp_path: Path
) -> None:
    """No false match among few pairs is not none among five hundred thousand million."""
    at, n = release.evidence.eval, 1_000_000
    page = slid(html, tmp_path, f"put('records', {n})")
    prior = at.prior * (release.evidence.data.sides["eval"].n_records - 1) / (n - 1)
    most = at.fmr.high * (1 - prior) * n * (n - 1) / 2
    said = re.search(
        r"^of [\d,]+ pairs that do not belong together, .*, at most ([\d,]+)$",
        shows(page, "false-of"),
    )
    assert said is not None
    assert float(said[1].replace(",", "")) == pytest.approx(most, rel=0.01)
    assert re.search(r"at most [\d,]+$", shows(page, "missed-of"))
    few = slid(html, tmp_path, "put('records', 2000)")
    assert re.search(r"at least [1-9][\d,]*", shows(few, "precision-of"))


def test_where_no_limit_of_misses_is_known_the_precision_is_that_counted(
    html: str, tmp_path: Path
) -> None:
    """Above the highest operating point it was "0 % or more" for every threshold."""
    carried = json.loads(re.search(r'id="slider-data">(.*?)</script>', html, re.S)[1])  # type: ignore[index]
    above = [
        point[0]
        for point, (_, lost) in zip(carried["points"], carried["limits"], strict=True)
        if lost == 1 and point[2] < 1
    ]
    assert above
    page = slid(html, tmp_path, f"put('threshold', {above[0]})")
    assert "at most" not in shows(page, "missed-of")
    assert not shows(page, "precision").endswith("or more")
    assert "at least" not in shows(page, "precision-of")


def test_in_a_vast_set_nothing_is_promised_of_matches_and_none_is_called_right(
    html: str, tmp_path: Path
) -> None:
    """It said that at least 0 of 1,000 matches are right."""
    page = slid(html, tmp_path, "put('records', 1000000000)")
    said = shows(page, "precision-of")
    assert said.startswith("of 1,000 matches hardly any are right") and "at least 0" not in said
    assert "or more" not in shows(page, "precision")


@pytest.mark.parametrize("records", ["-5", "0", "1", "1.5", "1e12", ""])
def test_a_set_of_a_size_that_makes_no_sense_has_no_figures(
    html: str, tmp_path: Path, records: str
) -> None:
    page = slid(html, tmp_path, f"put('records', '{records}')")
    assert shows(page, "records") == "a whole number from 2 to 1,000,000,000"
    assert [shows(page, name) for name in ("false", "precision", "false-of")] == ["–", "–", ""]


def test_a_set_that_use_names_is_what_the_slider_speaks_of(
    release: Release, tmp_path: Path
) -> None:
    """Counts of eval stood beside the precision of another share."""
    evidence = release.evidence
    at = msgspec.structs.replace(evidence.eval, prior=0.001, prior_source="stated")
    goals = msgspec.structs.replace(evidence.goals, use=Use(kind="duplicates", records=3000))
    page = slid(with_evidence(release, tmp_path / "use", eval=at, goals=goals), tmp_path)
    assert f"of {round(0.999 * 3000 * 2999 / 2):,} pairs" in shows(page, "false-of")
    one_to_one = msgspec.structs.replace(goals, use=Use(kind="verify"))
    page = slid(with_evidence(release, tmp_path / "verify", eval=at, goals=one_to_one), tmp_path)
    assert f"of {at.n_impostor:,} pairs" in shows(page, "false-of")
    assert shows(page, "precision-of").endswith(", if 1 of 1,000 compared are genuine")
