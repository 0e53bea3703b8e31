"""A small real release, and people of whom nobody was seen in training."""

from __future__ import annotations

import pytest
from tests.release import conftest as small

from gemel.data import records
from gemel.data.dataset import Dataset
from gemel.release.evidence.goals import Goals
from gemel.release.make.build import build
from gemel.release.release import Release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("release")
    found, names = small.rows(600)
    dataset = records.from_rows(found, identities=names, fields=small.FIELDS)
    run = small.write_run(folder / "run", dataset)
    return build(run, dataset, goals=Goals(), into=folder / "release", name="people")


@pytest.fixture(scope="session")
def strangers() -> Dataset:
    """200 people, two records each."""
    found, names = small.rows(200, seed=9)
    ids = [f"r{i}" for i in range(len(found))]
    return records.from_rows(found, identities=names, ids=ids, fields=small.FIELDS)
