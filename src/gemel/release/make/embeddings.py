"""Embeddings of a run's dev and eval, kept beside it, so that another goal encodes nothing.

A cache may be deleted at any time and is never trusted: its key is the space, the records and the
rows of each side. One that cannot be written costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gemel.arrays import Float32, Int64, digest
from gemel.data.dataset import Dataset
from gemel.encode.encoder import Encoder
from gemel.files import whole
from gemel.release.evidence.part import encode

FILE = "embeddings.npz"


def embeddings(
    run_folder: Path, encoder: Encoder, dataset: Dataset, sides: Mapping[str, Int64]
) -> dict[str, Float32]:
    """Embeddings of the records of each side: (n, d) float32, read if they are kept, else made.

    Args:
        run_folder: of a finished run.
        encoder: of the run.
        dataset: that it was trained on.
        sides: name to positions of records.
    """
    path = run_folder / FILE
    key = digest(
        encoder.space_id.encode(),
        dataset.digest.encode(),
        *(part for name, idx in sides.items() for part in (name.encode(), idx.tobytes())),
    )
    kept = _read(path, key)
    if kept is not None:
        return kept
    rows = {name: encode(encoder, dataset, idx) for name, idx in sides.items()}
    _write(path, key, rows)
    return rows


def _read(path: Path, key: str) -> dict[str, Float32] | None:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            if str(file["key"]) == key:
                return {name: file[name] for name in file.files if name != "key"}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        pass  # none yet, or damaged
    return None


def _write(path: Path, key: str, rows: Mapping[str, Float32]) -> None:
    with contextlib.suppress(OSError), whole(path) as file:
        np.savez(file, allow_pickle=False, key=np.array(key), **rows)
