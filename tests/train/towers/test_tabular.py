"""The row tower: blocks, missing values, exports that agree, and learning that pays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gemel.data import crossed
from gemel.data.records import from_rows
from gemel.data.schema import Field
from gemel.data.splits import by_identity
from gemel.encode import comparators
from gemel.encode.comparators.blocks import Blocks, take_apart
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import Encoder
from gemel.encode.row.prepare import RowPrepare
from gemel.settings import TrainSettings
from gemel.tasks.retrieval import retrieve
from gemel.train import export
from gemel.train.arrays import embed
from gemel.train.comparators import learned
from gemel.train.fit import train
from gemel.train.towers.tabular import FACTORS, OFFSETS, BlockLoss, RowTower
from gemel.train.views.row import RowViews

FIELDS = (Field("given", "text"), Field("family", "text"), Field("born", "number"))
SYLLABLES = ("an", "be", "cor", "di", "el", "fa", "gu", "hil", "is", "jo", "ka", "lu", "mo", "ne")


def people(n: int, seed: int = 0) -> tuple[list[dict[str, object]], list[str]]:
    """n people with made-up names; every third has a second record with a typing error."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    who: list[str] = []
    for i in range(n):
        given, family = ("".join(rng.choice(SYLLABLES, 3)) for _ in range(2))
        born = float(rng.integers(1930, 2005))
        rows.append({"given": given, "family": family, "born": born})
        who.append(str(i))
        if i % 3 == 0:
            at = int(rng.integers(1, len(family) - 1))
            typed = family[:at] + "x" + family[at + 1 :]
            rows.append({"given": given, "family": typed, "born": born})
            who.append(str(i))
    return rows, who


@pytest.fixture(scope="module")
def tower() -> tuple[RowPrepare, RowTower]:
    rows, _ = people(80)
    prepare = RowPrepare.fit(rows, FIELDS)
    torch.manual_seed(0)
    return prepare, RowTower(prepare, prepare(rows)).eval()


def test_a_row_is_the_sum_of_the_n_grams_within_its_fields(
    tower: tuple[RowPrepare, RowTower],
) -> None:
    """Hashed here byte by byte; none reaches from one field into the next."""
    prepare, network = tower
    arrays = prepare([{"given": "hilan", "family": "cor", "born": None}])
    total = torch.zeros(network.table.shape[1])
    for strip in prepare.strips:
        text = [int(b) for b in arrays["text"][0, strip.start : strip.start + strip.width]]
        for i in range(len(text)):
            for factors, offset in zip(FACTORS, OFFSETS, strict=True):
                used = [(i + k, f) for k, f in enumerate(factors) if f]
                if all(at < len(text) and text[at] for at, _ in used):
                    hashed = offset + sum(text[at] * f for at, f in used)
                    total += network.table[hashed % network.buckets].detach()
    whole = take_apart(embed(network, arrays), network.blocks).unit[-1][0]
    np.testing.assert_allclose(whole, (total / total.norm()).numpy(), rtol=1e-4, atol=1e-6)


def test_a_missing_value_is_an_empty_block(tower: tuple[RowPrepare, RowTower]) -> None:
    prepare, network = tower
    rows = [{"given": "anna", "family": None, "born": None}, {"born": 1960.0}]
    side = take_apart(embed(network, prepare(rows)), network.blocks)
    present = side.mass > 0
    # Blocks: given, family, digits of born, position of born, whole row.
    assert present.tolist() == [
        [True, False, False, False, True],
        [False, False, True, True, True],
    ]


def test_rare_values_are_longer(tower: tuple[RowPrepare, RowTower]) -> None:
    prepare, network = tower
    rows = [{"given": "anbe"}, {"given": "qwzy"}]
    mass = take_apart(embed(network, prepare(rows)), network.blocks).mass[:, 0]
    assert mass[1] > mass[0]


def test_a_swapped_name_is_still_that_name(tower: tuple[RowPrepare, RowTower]) -> None:
    prepare, network = tower
    rows = [{"given": "anbecor", "family": "jokalu"}, {"given": "jokalu", "family": "anbecor"}]
    side = take_apart(embed(network, prepare(rows)), network.blocks)
    crossed = float(side.unit[0][0] @ side.unit[1][1])
    assert crossed == pytest.approx(1.0, abs=1e-3)


def test_one_typing_error_is_nearer_than_another_name(tower: tuple[RowPrepare, RowTower]) -> None:
    prepare, network = tower
    rows = [{"family": t} for t in ("katelinu", "katelnu", "hilgumo")]
    unit = take_apart(embed(network, prepare(rows)), network.blocks).unit[1]
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2


def test_the_export_agrees_and_batches_do_not_matter(tower: tuple[RowPrepare, RowTower]) -> None:
    prepare, network = tower
    rows, _ = people(30, seed=1)
    model, difference = export.export(network, prepare(rows))
    assert difference < 1e-5
    encoder = Encoder(prepare, model)
    together = encoder.encode(rows)
    alone = np.concatenate([encoder.encode([row]) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_views_edit_some_fields_of_some_rows() -> None:
    rows, _ = people(300)
    prepare = RowPrepare.fit(rows, FIELDS)
    arrays = prepare(rows)
    before = arrays["text"].copy()
    varied = RowViews(prepare.strips)(arrays, np.random.default_rng(0))["text"]
    assert (arrays["text"] == before).all()
    for strip in prepare.strips:
        part = slice(strip.start, strip.start + strip.width)
        share = float((varied[:, part] != before[:, part]).any(axis=1).mean())
        assert 0.1 < share < 0.4
        # No hole opens inside a value.
        length = (varied[:, part] > 0).sum(axis=1)
        filled = varied[:, part] > 0
        assert all(row[:n].all() for row, n in zip(filled, length, strict=True))


def test_training_learns_a_comparator_that_beats_the_untrained_cosine(tmp_path: Path) -> None:
    rows, who = people(450)
    dataset = from_rows(rows, identities=who)
    splits = by_identity(dataset, seed=0)
    run = train(dataset, splits, TrainSettings(max_epochs=2), tmp_path)
    encoder = Encoder.open(run.encoder)
    comparator = comparators.load(run.encoder)
    assert isinstance(comparator, Blocks)
    payloads = dataset.payloads(splits.eval)
    embeddings = encoder.encode(payloads)
    identities = dataset.identities[splits.eval]
    learned = retrieve(embeddings, identities, comparator, k=(1,))
    assert learned.map_at_r >= 0.97
    # Equal records score above records with an error, and these above strangers.
    square = comparator.matrix(embeddings, embeddings)
    same = identities[:, None] == identities[None]
    off = ~np.eye(len(same), dtype=bool)
    assert np.diag(square).mean() > square[same & off].mean() > square[~same].mean() + 3


def test_the_same_records_give_the_same_bits(tmp_path: Path) -> None:
    rows, who = people(300)
    dataset = from_rows(rows, identities=who)
    splits = by_identity(dataset, seed=0)
    for name in "ab":
        train(dataset, splits, TrainSettings(max_epochs=1), tmp_path / name)
    one, other = (tmp_path / name / "encoder" for name in "ab")
    files = sorted(f.name for f in one.iterdir())
    assert "comparator.safetensors" in files
    for file in files:
        assert (one / file).read_bytes() == (other / file).read_bytes()


def test_a_batch_is_as_large_of_few_identities_as_of_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two classes of many rows made batches of 8,192, whose pairs filled all memory."""
    seen: list[int] = []
    whole = BlockLoss.__call__

    def counting(self: BlockLoss, rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(len(rows))
        return whole(self, rows, labels)

    monkeypatch.setattr(BlockLoss, "__call__", counting)
    rng = np.random.default_rng(0)
    who = [str(i % 6) for i in range(300)]
    rows = [{"a": float(rng.normal(int(w))), "b": float(rng.normal(-int(w)))} for w in who]
    dataset = from_rows(rows, identities=who)
    run = train(dataset, by_identity(dataset, seed=0), TrainSettings(max_epochs=1), tmp_path)
    assert set(seen) == {64 * 4}
    assert run.report.training.settings.views_per_identity == 4


def test_few_genuine_pairs_leave_the_cosine(tmp_path: Path) -> None:
    rows, who = people(30)
    dataset = from_rows(rows, identities=who)
    run = train(dataset, by_identity(dataset, seed=0), TrainSettings(max_epochs=1), tmp_path)
    assert comparators.load(run.encoder) == Cosine()


def test_crossed_encoders_score_alike_whoever_has_pairs_enough(tmp_path: Path) -> None:
    """The one that learns from all had a comparator, and its threshold came of three cosines."""
    rows, who = people(round(3 * 1.7 * learned.MIN_GENUINE))
    dataset = from_rows(rows, identities=who)
    splits = crossed.thirds(dataset)
    seen = crossed.everything(dataset, splits).train
    assert learned.enough(dataset.identities[seen], dataset.pairing.take(seen))
    run = train(dataset, splits, TrainSettings(max_epochs=1), tmp_path)
    runs = [run, *(run.unseen(side, dataset) for side in splits.sides())]
    assert len({type(comparators.load(one.encoder)) for one in runs}) == 1


def test_of_identities_with_many_records_it_learns_which_field_tells(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows, _ = people(40, seed=3)
    # Nine records of each person, which share nothing but the family name.
    many = [
        {**rows[i], "given": "".join(rng.choice(SYLLABLES, 3)), "born": float(rng.integers(1e3))}
        for i in range(40)
        for _ in range(9)
    ]
    who = [str(rows[i]["family"]) for i in range(40) for _ in range(9)]
    dataset = from_rows(many, identities=who)
    splits = by_identity(dataset, seed=0)
    run = train(dataset, splits, TrainSettings(max_epochs=2), tmp_path)
    embeddings = Encoder.open(run.encoder).encode(dataset.payloads(splits.eval))
    identities = dataset.identities[splits.eval]
    fitted = retrieve(embeddings, identities, comparators.load(run.encoder), k=(1,))
    plain = retrieve(embeddings, identities, Cosine(), k=(1,))
    assert fitted.map_at_r >= 0.99 > plain.map_at_r + 0.05
