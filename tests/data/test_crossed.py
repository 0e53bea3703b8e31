"""Thirds for few identities: who learns from whom, and who is told about it."""

from pathlib import Path

import numpy as np
import pytest

from gemel.data import crossed, records, splits
from gemel.data.dataset import Dataset
from gemel.data.splits import SIDES, Splits


def people(n: int, k: int = 3) -> Dataset:
    rows = [{"name": f"name {i} {copy}"} for i in range(n) for copy in range(k)]
    return records.from_rows(rows, identities=[f"p{i}" for i in range(n) for _ in range(k)])


def who(data: Dataset, idx: np.ndarray) -> set[int]:
    return set(data.identities[idx].tolist())


def test_no_third_is_seen_by_the_encoder_that_it_judges() -> None:
    data = people(100)
    found = crossed.thirds(data)
    sizes = [len(who(data, idx)) for idx in found.sides().values()]
    assert sum(sizes) == 100 and min(sizes) >= 33
    for side in SIDES:
        part = crossed.without(data, found, side)
        learned = who(data, part.train) | who(data, part.dev)
        assert who(data, part.eval) == who(data, found.sides()[side])
        assert not learned & who(data, part.eval)
        assert len(learned) == 100 - len(who(data, part.eval))
        assert not who(data, part.train) & who(data, part.dev)


def test_the_served_encoder_learns_from_everybody() -> None:
    data = people(100)
    all_of = crossed.everything(data, crossed.thirds(data))
    assert len(who(data, all_of.train) | who(data, all_of.dev)) == 100
    assert len(all_of.eval) == 0 and len(who(data, all_of.dev)) == 20


def test_groups_stay_together(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    lines = (f"p{i},name {i} {k},d{i // 4}\n" for i in range(120) for k in (0, 1))
    path.write_text("person,name,device\n" + "".join(lines))
    data = records.read(path, identity="person", groups=["device"])
    device = data.groups["device"]
    found = crossed.thirds(data)
    for part in (found, crossed.without(data, found, "dev"), crossed.everything(data, found)):
        sides = [set(device[idx].tolist()) for idx in part.sides().values()]
        assert sum(map(len, sides)) == len(set.union(*sides))


def test_what_is_written_is_read_and_older_splits_are_as_they_were() -> None:
    found = crossed.thirds(people(30))
    assert Splits.from_dict(found.as_dict()).crossed
    plain = splits.by_identity(people(30))
    assert "crossed" not in plain.as_dict() and not Splits.from_dict(plain.as_dict()).crossed


@pytest.mark.parametrize(("n", "pays"), [(19, False), (20, True), (149, True), (150, False)])
def test_it_pays_between_too_few_and_enough(n: int, pays: bool) -> None:
    assert crossed.pays(people(n)) is pays


def test_what_can_be_had_of_fewer_is_said_with_what_is_missing() -> None:
    said = splits.too_few(people(12))
    assert said.startswith("12 identities have two records or more: enough to train and to search")
    assert "not to prove an error rate; with 8 more" in said
    few = people(60)
    assert "20 identities have two records or more in dev" in splits.too_few(
        few, crossed.thirds(few)
    )
    assert "(90 in all)" in splits.too_few(few, crossed.thirds(few))
    enough = people(100)
    assert splits.too_few(enough, crossed.thirds(enough)) == ""
    assert "split.crossed = true" in splits.too_few(enough, splits.by_identity(enough))
