"""What stands on two sides of a split is seen, in the data and by embeddings."""

from __future__ import annotations

import numpy as np

from gemel.data import records
from gemel.data.splits import Splits
from gemel.improve.doctor import leaks

NAMES = ("anna koch", "berta meier", "carla braun", "doris wolf", "emma lang", "frida jung")


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def people(names: list[str], who: list[str]) -> records.Dataset:
    rows = [{"name": name, "born": f"194{NAMES.index(name)}-01-01"} for name in names]
    return records.from_rows(rows, identities=who)


def test_a_record_under_two_names_on_two_sides_comes_with_what_helps() -> None:
    names = [NAMES[i // 2] for i in range(12)]
    who = [f"p{i // 2}" for i in range(12)]
    splits = Splits(np.arange(4), np.arange(4, 8), np.arange(8, 12))
    (sign,) = leaks.in_data(people(names, who), splits)
    assert sign.fine
    names[9] = names[0]  # of p4, in eval: what p0 has in train
    (sign,) = leaks.in_data(people(names, who), splits)
    assert not sign.fine and sign.found == "1 of dev and eval"
    assert "p4" in sign.says and "p0" in sign.says and "(eval)" in sign.says
    assert "give all of it one identity" in sign.says
    assert not sign.settings  # none helps: to refuse such records only ends what reads them


def test_an_identity_written_in_two_ways_is_one() -> None:
    names = [NAMES[i // 2] for i in range(12)]
    who = [f"p{i // 2}" for i in range(10)] + ["P0", "P0"]
    splits = Splits(np.arange(4), np.arange(4, 8), np.arange(8, 12))
    (sign,) = leaks.in_data(people(names, who), splits)
    assert not sign.fine and "under one name, written in two ways" in sign.says


def test_copies_that_are_no_longer_the_same_bytes_are_seen_by_their_embeddings() -> None:
    rng = np.random.default_rng(0)
    centres = unit(rng.normal(size=(40, 32))).repeat(3, 0)
    x = unit(centres + 0.1 * rng.normal(size=centres.shape))
    who = np.arange(40).repeat(3)
    train, dev = x[:60], x[60:].copy()
    names = ([f"t{i}" for i in range(60)], [f"d{i}" for i in range(60)])
    (sign,) = leaks.by_embedding((train, dev), (who[:60], who[60:]), names)
    assert sign.fine
    dev[7] = unit(train[31:32] + 0.01 * rng.normal(size=(1, 32)))[0]
    (sign,) = leaks.by_embedding((train, dev), (who[:60], who[60:]), names)
    assert not sign.fine and sign.found == "1 of 60 in dev"
    assert "d7 to t31" in sign.says
