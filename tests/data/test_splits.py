from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gemel
from gemel.data import records, splits
from gemel.data.records import Dataset
from gemel.errors import DataError


def of(names: list[str | None]) -> Dataset:
    return records.from_rows([{"x": f"r{i}"} for i in range(len(names))], identities=names)


def mixed(n: int = 500) -> Dataset:
    """One identity in ten has two records, as in a register with duplicates."""
    return of([f"p{i}" for i in range(n)] + [f"p{i}" for i in range(0, n, 10)])


def test_no_identity_stands_on_two_sides_and_no_record_is_lost() -> None:
    data = mixed()
    s = splits.by_identity(data)
    sides = [set(data.identities[idx].tolist()) for idx in s.sides().values()]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert np.array_equal(np.sort(np.concatenate([s.train, s.dev, s.eval])), np.arange(len(data)))


def test_identities_with_one_and_with_several_records_are_shared_out_alike() -> None:
    data = mixed()
    s = splits.by_identity(data, dev=0.2, eval=0.3)
    for idx, share in ((s.dev, 0.2), (s.eval, 0.3)):
        counts = np.unique(data.identities[idx], return_counts=True)[1]
        assert (counts == 1).sum() == 450 * share
        assert (counts == 2).sum() == 50 * share


def test_a_split_depends_on_seed_and_names_not_on_the_order_of_the_file() -> None:
    data = mixed()
    backwards = data.take(np.arange(len(data))[::-1])
    chosen = [
        {d.identity_of(i) for i in splits.by_identity(d, seed=s).eval.tolist()}
        for d, s in ((data, 1), (backwards, 1), (data, 2))
    ]
    assert chosen[0] == chosen[1] != chosen[2]


def test_unseen_classes_can_be_named() -> None:
    digits = of([str(i % 10) for i in range(100)])
    s = splits.by_identity(digits, eval_identities=["5", "6", "7", "8", "9"])
    assert {digits.identity_of(i) for i in s.eval.tolist()} == {"5", "6", "7", "8", "9"}
    assert len({digits.identity_of(i) for i in s.dev.tolist()}) == 2
    assert len({digits.identity_of(i) for i in s.train.tolist()}) == 3


def test_records_of_unknown_identity_are_on_no_side() -> None:
    data = of([f"p{i // 2}" for i in range(40)] + [None] * 5)
    s = splits.by_identity(data)
    assert len(s.train) + len(s.dev) + len(s.eval) == 40


def test_splits_survive_json() -> None:
    s = splits.by_identity(mixed(), seed=3)
    back = splits.Splits.from_dict(json.loads(json.dumps(s.as_dict())))
    assert back.seed == 3
    for name, idx in s.sides().items():
        assert np.array_equal(back.sides()[name], idx)
    with pytest.raises(DataError, match="no splits"):
        splits.Splits.from_dict({"train": []})


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(DataError, match="which records belong together"):
        splits.by_identity(of([None, None]))
    with pytest.raises(DataError, match="leave nothing to train on"):
        splits.by_identity(mixed(), dev=0.5, eval=0.5)
    with pytest.raises(DataError, match="no genuine pair"):
        splits.by_identity(of([f"p{i}" for i in range(50)] + ["p0"]))
    with pytest.raises(DataError, match="at least 2 are needed"):
        splits.by_identity(of(["a", "a", "b", "b", "c", "c"]))
    with pytest.raises(DataError, match="no identity 'x'"):
        splits.by_identity(mixed(), eval_identities=["x"])
    with pytest.raises(DataError, match="in dev and in eval"):
        splits.by_identity(mixed(), dev_identities=["p1"], eval_identities=["p1"])


def test_without_labels_all_records_are_learned_from_and_none_is_measured_on() -> None:
    found = splits.without_labels(of([None] * 50), seed=1)
    assert (len(found.train), len(found.dev), len(found.eval)) == (50, 10, 0)
    with pytest.raises(DataError, match="too few to tell"):
        splits.without_labels(of([None] * 5))


def test_identities_that_share_a_device_stay_together(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    lines = [f"p{i},name {i} {j},d{i // 3}" for i in range(60) for j in range(2)]
    path.write_text("person,name,device\n" + "\n".join(lines))
    data = records.read(path, identity="person", groups=["device"])
    for seed in range(5):
        found = splits.by_identity(data, seed=seed)
        device = [set(data.groups["device"][idx].tolist()) for idx in found.sides().values()]
        assert sum(map(len, device)) == len(set.union(*device)) == 20
        assert len(found.eval) == pytest.approx(0.2 * 120, abs=6)
    named = splits.by_identity(data, eval_identities=["p0"])
    assert {data.identity_names[i] for i in data.identities[named.eval]} == {"p0", "p1", "p2"}
    with pytest.raises(DataError, match="asked for in dev and in eval"):
        splits.by_identity(data, dev_identities=["p1"], eval_identities=["p0"])


def test_groups_that_join_everything_are_named(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("person,name,device\n" + "".join(f"p{i // 2},n{i},d\n" for i in range(40)))
    data = records.read(path, identity="person", groups=["device"])
    with pytest.raises(DataError, match="dev would have 0 identities") as refused:
        splits.by_identity(data)
    assert "device may join too many" in refused.value.hint


def test_too_few_identities_with_two_records_are_told_by_side() -> None:
    data = mixed(500)  # 50 with two records: 10 in dev, 10 in eval
    said = splits.too_few(data, splits.by_identity(data))
    assert said.startswith("10 identities have two records or more in dev: below about 30")
    assert splits.too_few(data).startswith("50 identities have two records or more: below")
    enough = mixed(1500)
    assert splits.too_few(enough) == splits.too_few(enough, splits.by_identity(enough)) == ""


def test_an_id_is_no_identity() -> None:
    rows = [{"name": f"name {i}"} for i in range(300)]
    dataset = records.from_rows(rows, identities=[f"u{i}" for i in range(300)])
    assert splits.too_few(dataset) == ""
    with pytest.raises(DataError, match="each of 300 records has an identity of its own") as e:
        splits.by_identity(dataset, dev=0.2, eval=0.2)
    assert "data.id" in e.value.hint


def test_records_without_labels_are_told_what_splits_them() -> None:
    data = of([None] * 300)
    with pytest.raises(DataError) as refused:
        splits.by_identity(data)
    assert "gemel.without_labels(records)" in str(refused.value.hint)
    assert len(gemel.without_labels(data).train) == len(data)
