"""Several labels of a record make graded pairs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gemel.data import records
from gemel.data.dataset import UNKNOWN
from gemel.errors import DataError


def read(path: Path, rows: list[tuple[str, str]]) -> records.Dataset:
    path.write_text("\n".join(["of\ttext", *("\t".join(row) for row in rows)]))
    return records.read(path, kind="text", identity="of", separator=";")


def test_groups_share_a_label_and_pairs_are_graded_by_all_that_two_share(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tags = ["red", "blue", "round", "flat", "old", "new"]
    of = [frozenset(rng.choice(tags, rng.integers(1, 4), replace=False)) for _ in range(60)]
    rows = [("; ".join(sorted(s, reverse=True)), f"text {i}") for i, s in enumerate(of)]
    found = read(tmp_path / "texts.tsv", [*rows, ("", "nothing")])
    assert found.identities[-1] == UNKNOWN
    pairing = found.pairing
    assert pairing.given is not None and pairing.grade is not None and pairing.same is not None
    for (a, b), grade, same in zip(
        pairing.given.tolist(), pairing.grade, pairing.same, strict=True
    ):
        assert grade == len(of[a] & of[b]) / len(of[a] | of[b])
        assert same == (grade > 0) == (found.identities[a] == found.identities[b])
    for code, name in enumerate(found.identity_names):
        group = [of[i] for i in np.flatnonzero(found.identities == code)]
        assert name.split()[0] in frozenset.intersection(*group) and len(group) <= 4
    assert (np.bincount(found.identities[:-1]) > 1).mean() > 0.7
    assert 60 < pairing.same.sum() < len(pairing.same)
    assert read(tmp_path / "texts.tsv", [*rows, ("", "nothing")]).digest == found.digest


def test_lists_as_json_writes_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(
        "\n".join(
            json.dumps({"of": str(tags).replace("'", '"'), "text": text})
            for tags, text in [(["a", "b"], "x"), (["b"], "y"), (["c"], "z")]
        )
    )
    found = records.read(path, kind="text", identity="of", separator=",")
    assert found.identities[0] == found.identities[1] != found.identities[2]


def test_labels_that_tell_nothing_apart_are_refused(tmp_path: Path) -> None:
    for rows, what in (
        ([("a", "x"), ("b", "y"), ("c", "z")], "no two share a label"),
        ([("a;b", "x"), ("a", "y"), ("a;c", "z")], "all share a label"),
    ):
        with pytest.raises(DataError, match=what):
            read(tmp_path / "texts.tsv", rows)
