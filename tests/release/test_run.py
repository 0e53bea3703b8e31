from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.release.conftest import report

from gemel.data import splits
from gemel.data.dataset import Dataset
from gemel.errors import ReleaseError
from gemel.release.run import Run, RunReport


def test_a_report_is_one_flat_file_and_reads_back(people: Dataset, tmp_path: Path) -> None:
    said = report(people, splits.by_identity(people))
    (tmp_path / "train.json").write_bytes(said.to_json())
    body = json.loads(said.to_json())
    assert (body["format"], body["state"], body["dataset"]) == (2, "done", people.digest)
    assert body["settings"]["loss"] == "infonce"
    assert body["history"][0] == {
        "epoch": 0,
        "loss": None,
        "metric": 0.4,
        "mean_similarity": 0.1,
        "effective_rank": 9.5,
    }
    assert RunReport.read(tmp_path) == said
    run = Run.open(tmp_path, people)
    assert run.splits.as_dict() == splits.by_identity(people).as_dict()


@pytest.mark.parametrize("change", [{"state": "running"}, {"settings": {}}, {"history": 3}])
def test_what_is_not_a_finished_run_says_so(
    people: Dataset, tmp_path: Path, change: dict[str, object]
) -> None:
    body = json.loads(report(people, splits.by_identity(people)).to_json())
    (tmp_path / "train.json").write_text(json.dumps(body | change))
    with pytest.raises(ReleaseError, match="no finished run"):
        Run.open(tmp_path, people)


def test_pairs_of_a_run_that_cannot_be_read_say_what_to_do(people: Dataset, tmp_path: Path) -> None:
    (tmp_path / "train.json").write_bytes(report(people, splits.by_identity(people)).to_json())
    run = Run.open(tmp_path, people)
    assert run.likely.shape == (2, 0)
    (tmp_path / "likely.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ReleaseError, match="pairs of the run cannot be read") as raised:
        assert run.likely.size
    assert "train again" in raised.value.hint
