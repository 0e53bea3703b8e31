"""Bodies are written with the bytes that dicts were, so that chains made before go on."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gemel.errors import LedgerError
from gemel.ledger.bodies import BODIES, Answered, Enrolled, Pointed, Searched, Verified, written
from gemel.ledger.ledger import Ledger

KEPT = Path(__file__).parents[1] / "flows" / "kept" / "state"
OLD = msgspec.json.Encoder(order="deterministic")


@pytest.mark.parametrize(
    ("body", "before"),
    [
        (
            Verified(
                outcome="match",
                score=0.9375,
                threshold=0.5,
                release="r",
                request_id="q",
                review_probability=0.02,
            ),
            {
                "outcome": "match",
                "score": 0.9375,
                "threshold": 0.5,
                "probability": None,
                "interval": None,
                "release": "r",
                "request_id": "q",
                "review_probability": 0.02,
            },
        ),
        (
            Searched(hits=1, matches=0, best=("a", 0.5, "no_match"), k=3, release="r"),
            {"hits": 1, "matches": 0, "best": ["a", 0.5, "no_match"], "k": 3, "release": "r"},
        ),
        (
            Enrolled(added=1, updated=0, unchanged=2, release="r", actor="ann"),
            {"added": 1, "updated": 0, "unchanged": 2, "release": "r", "actor": "ann"},
        ),
        (
            Pointed(pointer="stable", previous=None, reason="", release=None, actor="ann"),
            {
                "pointer": "stable",
                "release": None,
                "previous": None,
                "reason": "",
                "actor": "ann",
            },
        ),
    ],
)
def test_a_struct_is_written_as_the_dict_was(body, before):
    assert written(body) == written(before) == OLD.encode(before)
    assert msgspec.json.decode(written(body), type=type(body)) == body


def test_what_numpy_computed_and_what_is_not_finite_can_be_noted():
    body = Verified(outcome="match", score=np.float32(0.5), probability=float("nan"))
    assert b'"probability":null' in written(body)
    assert b'"score":0.5' in written(body)


def test_an_entry_is_read_as_what_it_is_or_named(tmp_path):
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        record = ledger.append_durable(
            "verdict", Answered(decision="d", genuine=True, reviewer="ann")
        )
        entry = ledger.find(record)
        assert entry.read(BODIES[entry.kind]).reviewer == "ann"
        with pytest.raises(LedgerError, match="row 1 is no verdict"):
            entry.read(Verified)


def test_entries_of_a_ledger_made_before_are_written_again_byte_for_byte(tmp_path):
    shutil.copytree(KEPT, tmp_path / "state")
    with Ledger.open(tmp_path / "state" / "ledger.db") as ledger:
        entries = ledger.entries()
        assert len({entry.kind for entry in entries}) >= 5
        for entry in entries:
            assert written(entry.read(BODIES[entry.kind])) == entry.text.encode(), entry.kind
