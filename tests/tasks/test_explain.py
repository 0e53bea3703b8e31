"""What each part of a pair is worth, on a real row tower and on images of digits."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from tests.serve import small

from gemel.arrays import Float32
from gemel.data.schema import Field
from gemel.encode.comparators.blocks import Blocks
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Encoder
from gemel.encode.image.modality import IMAGE
from gemel.encode.image.prepare import ImagePrepare
from gemel.encode.modality import Payload
from gemel.encode.row.modality import ROW
from gemel.encode.row.parts import MAX_FIELDS, MAX_WORDS
from gemel.encode.row.prepare import RowPrepare
from gemel.errors import InvalidInput
from gemel.tasks.explain import MAX_CUTS, Attribution, Part, answer, attribute
from gemel.train import export
from gemel.train.towers.tabular import RowTower

FIELDS = (Field("given", "text"), Field("family", "text"), Field("born", "date"))
SYLLABLES = ("an", "be", "cor", "di", "el", "fa", "gu", "hil", "is", "jo", "ka", "lu", "mo", "ne")
ONE = {"given": "anbecor", "family": "van dijokalu", "born": "1950-03-07"}
OTHER_FAMILY = {**ONE, "family": "van hilgumone"}


@pytest.fixture(scope="module")
def people() -> Encoder:
    """A row tower as training begins with it, exported."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "given": "".join(rng.choice(SYLLABLES, 3)),
            "family": f"{rng.choice(['van', 'de', ''])} {''.join(rng.choice(SYLLABLES, 4))}",
            "born": f"{rng.integers(1930, 2005)}-{rng.integers(1, 13):02}-{rng.integers(1, 29):02}",
        }
        for _ in range(60)
    ]
    prepare = RowPrepare.fit(rows, FIELDS)
    torch.manual_seed(0)
    tower = RowTower(prepare, prepare(rows))
    network, _ = export.export(tower, prepare(rows))
    return Encoder(prepare, network)


@pytest.fixture(scope="module")
def digits() -> Encoder:
    """Pixels as they are, so that every difference of two images counts where it is."""
    return Encoder(ImagePrepare(16, 1, [0.0], [0.25]), small.image_network(16, dim=2048))


def explained(encoder: Encoder, left: Any, right: Any, **how: Any) -> Attribution:
    steps = attribute(encoder.prepare, Cosine(), (left, right), outcome, **how)
    return answer(steps, encoder.encode)


def outcome(score: float) -> str:
    return "match" if score >= 0.9 else "no_match"


def by_name(found: Attribution) -> dict[str, Part]:
    return {part.name: part for whole in found.parts for part in (whole, *whole.parts)}


def digit(index: int) -> np.ndarray[Any, Any]:
    """(16, 16) uint8."""
    pixels = load_digits().images[index].astype(np.uint8) * 15
    return pixels.repeat(2, 0).repeat(2, 1)


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_the_field_that_differs_speaks_against_and_the_others_for(people: Encoder) -> None:
    found = explained(people, ONE, OTHER_FAMILY)
    parts = by_name(found)
    assert set(parts) >= {"given", "family", "born"}
    assert max(found.parts, key=lambda p: p.speaks_against).name == "family"
    assert parts["family"].lost < -0.05
    assert min(parts.values(), key=lambda p: p.lost).name == "family"
    assert parts["given"].lost > 0 and parts["born"].lost > 0


def test_a_loss_is_the_score_without_the_part_on_both_sides_and_on_each(people: Encoder) -> None:
    found = explained(people, ONE, OTHER_FAMILY)
    part = by_name(found)["family"]
    left, right = ({k: v for k, v in r.items() if k != "family"} for r in (ONE, OTHER_FAMILY))
    rows = people.encode([ONE, OTHER_FAMILY, left, right])
    full, both, one, other = (float(rows[i] @ rows[j]) for i, j in ((0, 1), (2, 3), (2, 1), (0, 3)))
    assert found.score == pytest.approx(full, abs=1e-6)
    assert part.lost == pytest.approx(full - both, abs=1e-6)
    assert part.left == pytest.approx(full - one, abs=1e-6)
    assert part.right == pytest.approx(full - other, abs=1e-6)
    assert part.outcome == outcome(both) != outcome(full)
    assert found.lost_in_sum == pytest.approx(sum(p.lost for p in found.parts))


def test_a_difference_costs_what_equal_values_would_gain(people: Encoder) -> None:
    other = {**OTHER_FAMILY, "born": None}
    found = by_name(explained(people, ONE, other))
    family, born = ONE["family"], ONE["born"]
    rows = people.encode(
        [ONE, other, {**ONE, "family": other["family"]}, {**other, "family": family}]
    )
    full, one, two = (float(rows[i] @ rows[j]) for i, j in ((0, 1), (2, 1), (0, 3)))
    assert found["family"].cost == pytest.approx((one + two) / 2 - full, abs=1e-6)
    assert found["family"].outcome_if_equal == outcome((one + two) / 2)
    assert found["given"].cost is None and found["given"].outcome_if_equal is None
    filled = people.encode([ONE, {**other, "born": born}])
    assert found["born"].cost == pytest.approx(float(filled[0] @ filled[1]) - full, abs=1e-6)
    same = {**ONE, "given": "  ANbecor "}
    assert by_name(explained(people, ONE, same))["given"].cost is None


def test_words_of_a_text_are_parts_of_their_field(people: Encoder) -> None:
    found = explained(people, ONE, {**ONE, "family": "dijokalu"})
    family = by_name(found)["family"]
    words = {part.name: part for part in family.parts}
    assert set(words) == {"family: van", "family: dijokalu"}
    assert words["family: van"].lost < 0 and words["family: van"].right is None
    assert words["family: van"].left == words["family: van"].lost
    assert words["family: dijokalu"].lost > 0
    assert by_name(found)["given"].parts == ()


def test_a_value_that_only_one_side_has_is_worth_nothing_to_the_other(people: Encoder) -> None:
    found = explained(people, ONE, {**ONE, "born": None})
    part = by_name(found)["born"]
    assert part.right is None
    assert part.left == part.lost
    assert "born" not in by_name(explained(people, {**ONE, "born": ""}, {**ONE, "born": None}))


def test_sides_may_be_exchanged(people: Encoder, digits: Encoder) -> None:
    there, back = explained(people, ONE, OTHER_FAMILY), explained(people, OTHER_FAMILY, ONE)
    assert there.score == pytest.approx(back.score, abs=1e-6)
    mirrored = by_name(back)
    for name, part in by_name(there).items():
        assert part.lost == pytest.approx(mirrored[name].lost, abs=1e-6)
        assert part.left == pytest.approx(mirrored[name].right, abs=1e-6)
        assert part.cost == pytest.approx(mirrored[name].cost, abs=1e-6)
    three, eight = png(digit(3)), png(digit(8))
    there, back = explained(digits, three, eight), explained(digits, eight, three)
    mirrored = by_name(back)
    for name, part in by_name(there).items():
        side, _, rest = name.partition(", ")
        other = mirrored[f"{'right' if side == 'left' else 'left'}, {rest}"]
        assert part.lost == pytest.approx(other.lost, abs=1e-6)


def test_how_payloads_are_batched_does_not_matter(people: Encoder, digits: Encoder) -> None:
    for encoder, pair in (
        (people, (ONE, OTHER_FAMILY)),
        (digits, (png(digit(3)), png(digit(8)))),
    ):
        whole = explained(encoder, *pair)

        def one_by_one(payloads: list[Payload], encoder: Encoder = encoder) -> Float32:
            return np.concatenate([encoder.encode([p]) for p in payloads])

        single = answer(attribute(encoder.prepare, Cosine(), pair, outcome), one_by_one)
        assert [p.name for p in single.parts] == [p.name for p in whole.parts]
        for one, other in zip(single.parts, whole.parts, strict=True):
            assert one.lost == pytest.approx(other.lost, abs=1e-5)


def test_it_is_the_same_each_time(people: Encoder) -> None:
    assert explained(people, ONE, OTHER_FAMILY) == explained(people, ONE, OTHER_FAMILY)


def test_a_comparator_of_blocks_is_explained_by_its_own_score(people: Encoder) -> None:
    rng = np.random.default_rng(1)
    widths = (64,) * 5 + (256,)
    n = 3 * len(widths) + 1
    weights = ((rng.normal(size=(n, 1)).astype(np.float32), np.zeros(1, np.float32)),)
    blocks = Blocks(widths, (), weights)
    steps = attribute(people.prepare, blocks, (ONE, OTHER_FAMILY), outcome)
    found = answer(steps, people.encode)
    rows = people.encode([ONE, OTHER_FAMILY, {**ONE, "born": None}, {**OTHER_FAMILY, "born": None}])
    full, without = blocks.score(rows[[0, 2]], rows[[1, 3]])
    assert by_name(found)["born"].lost == pytest.approx(full - without, abs=1e-4)


def test_of_an_embedding_no_parts_are_known(people: Encoder) -> None:
    row = people.encode([OTHER_FAMILY])[0]
    whole, found = explained(people, ONE, OTHER_FAMILY), explained(people, ONE, row)
    assert found.score == pytest.approx(whole.score, abs=1e-6)
    assert {p.name for p in found.parts} == {"given", "family", "born"}
    for part in found.parts:
        assert part.right is None
        assert part.lost == pytest.approx(by_name(whole)[part.name].left, abs=1e-6)


def test_nothing_is_the_score_of_emptied_payloads(people: Encoder, digits: Encoder) -> None:
    assert explained(people, ONE, OTHER_FAMILY).nothing == pytest.approx(1.0, abs=1e-5)
    grey = np.full((16, 16), 100, np.uint8)
    found = explained(digits, png(grey), png(grey))
    assert found.nothing == pytest.approx(found.score, abs=1e-6)
    assert all(abs(p.lost) < 1e-6 and not p.parts for p in found.parts)


def test_an_uncut_square_encodes_as_the_image_does(digits: Encoder) -> None:
    rng = np.random.default_rng(0)
    for shape in ((16, 16), (40, 23, 3), (9, 31)):
        payload = png(rng.integers(0, 255, shape, dtype=np.uint8))
        found = IMAGE.parts(digits.prepare, payload)
        found._fill = found._pixels[0, 0]  # type: ignore[attr-defined]
        uncut = found._without(slice(0, 1), slice(0, 1))  # type: ignore[attr-defined]
        assert np.array_equal(digits.encode([payload]), digits.encode([uncut]))


def test_a_stroke_that_one_digit_lacks_lights_where_it_is(digits: Encoder) -> None:
    three = digit(3)
    changed = three.copy()
    changed[12:16, 0:4] = 240
    assert (three[12:16, 0:4] == 0).all()
    found = explained(digits, png(three), png(changed))
    strongest = min(found.parts, key=lambda p: p.lost)
    assert strongest.name == "right, row 4, column 1 of 4"
    assert strongest.box == (0.0, 0.75, 0.25, 1.0)
    assert strongest.left is None
    assert strongest.lost < -0.01
    assert all(quarter.lost < 0 for quarter in strongest.parts)


def test_two_digits_differ_where_the_map_speaks_against_them(digits: Encoder) -> None:
    one, other = digit(3).astype(int), digit(8).astype(int)
    found = explained(digits, png(digit(3)), png(digit(8)))
    against = [p for p in found.parts if p.lost < -1e-3]
    speaks_for = [p for p in found.parts if p.lost > 1e-3]
    assert against and speaks_for

    def difference(part: Part) -> float:
        x0, y0, x1, y1 = (round(16 * at) for at in part.box or ())
        cell = np.s_[y0:y1, x0:x1]
        shared = np.minimum(one[cell], other[cell]).sum()
        return float(abs(one[cell] - other[cell]).sum() - shared)

    worst = sorted(against, key=lambda p: p.lost)[:3]
    best = sorted(speaks_for, key=lambda p: -p.lost)[:3]
    assert min(map(difference, worst)) > max(map(difference, best))


def test_regions_of_a_wide_image_are_shares_of_it_without_padding(digits: Encoder) -> None:
    wide = np.zeros((8, 16), np.uint8)
    wide[2:6, 6:10] = 255
    found = explained(digits, png(wide), png(wide))
    boxes = [p.box for p in found.parts if p.name.startswith("left")]
    assert len(boxes) == 8
    assert min(b[1] for b in boxes if b) == 0.0 and max(b[3] for b in boxes if b) == 1.0
    assert {b[2] - b[0] for b in boxes if b} == {0.25}
    assert {b[3] - b[1] for b in boxes if b} == {0.5}


def counted(encoder: Encoder, left: Any, right: Any, **how: Any) -> tuple[int, int]:
    """Payloads that an explanation encodes, and calls."""
    sizes: list[int] = []

    def encode(payloads: list[Payload]) -> Float32:
        sizes.append(len(payloads))
        return encoder.encode(payloads)

    answer(attribute(encoder.prepare, Cosine(), (left, right), outcome, **how), encode)
    return sum(sizes), len(sizes)


def test_a_pair_of_images_costs_few_calls_and_no_more_than_the_limit(digits: Encoder) -> None:
    n, calls = counted(digits, png(digit(3)), png(digit(8)))
    assert n <= MAX_CUTS + 4 and calls == 2
    assert counted(digits, png(digit(3)), png(digit(8)), max_cuts=0) == (4, 1)


def test_a_pair_of_rows_costs_few_calls_and_no_more_than_the_limit(people: Encoder) -> None:
    n, calls = counted(people, ONE, OTHER_FAMILY)
    assert (n, calls) == (4 + 6 + 2 + 4, 2)


def test_many_fields_and_many_words_are_taken_in_groups() -> None:
    fields = [Field(f"f{i:03}", "text") for i in range(300)]
    row = {f.name: "a value" for f in fields}
    prepare = RowPrepare.fit([row], fields)
    found = ROW.parts(prepare, row)
    coarse = found.coarse()
    assert len(coarse) == MAX_FIELDS
    assert [name for cut in coarse for name in cut.key] == [f.name for f in fields]
    assert [c.name for c in found.finer(coarse[0])] == list(coarse[0].key)
    long = {"f000": " ".join(f"word{i}" for i in range(5000)) * 100}
    found = ROW.parts(prepare, long)
    (group,) = found.coarse()
    (field,) = found.finer(group)
    runs = found.finer(field)
    assert len(runs) == MAX_WORDS
    assert runs[0].name.startswith("f000: word0 word1")
    assert "word0 " not in str(runs[0].without["f000"])


@pytest.mark.parametrize("words", ["", "   ", "one", "one One  ONE"])
def test_what_is_no_two_words_is_not_taken_apart(people: Encoder, words: str) -> None:
    found = ROW.parts(people.prepare, {"given": "an", "family": words})
    for cut in found.coarse():
        assert found.finer(cut) == []


def test_what_cannot_be_taken_apart_is_refused(people: Encoder, digits: Encoder) -> None:
    for encoder, payload in ((digits, b"no image"), (people, b"no row")):
        with pytest.raises(InvalidInput):
            explained(encoder, payload, payload)
