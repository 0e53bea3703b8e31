from pathlib import Path

import numpy as np
import pytest

from gemel.arrays import Float32, unit_rows
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing

DIM = 16


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "gallery"


@pytest.fixture
def rows() -> Float32:
    return unit_rows(np.random.default_rng(7).standard_normal((3000, DIM)))


@pytest.fixture
def gallery(folder: Path):
    by_hand = Indexing(exact_rows=200, background=False)
    with LocalGallery.open(folder, space_id="s" * 64, dim=DIM, indexing=by_hand) as opened:
        yield opened
