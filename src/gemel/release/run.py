"""A finished training run as a release needs it: its folder, its splits, what it says of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.errors import DataError, ReleaseError

TRAINING = "train.json"
UNTOLD = ("splits", "dataset", "format", "state", "key", "modality")
"""What a run says that a manifest or a data summary says already."""


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        folder: with `encoder/` and `train.json`.
        splits: of the dataset it was trained on.
        summary: what it says about itself.
    """

    folder: Path
    splits: Splits
    summary: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, dataset: Dataset) -> Run:
        """The run in a folder, if it was trained on this very dataset.

        Raises:
            ReleaseError: no finished run.
            DataError: it was trained on other records.
        """
        path = folder / TRAINING
        try:
            body = json.loads(path.read_bytes())
            stated, splits = body["dataset"], Splits.from_dict(body["splits"])
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise ReleaseError(
                f"no finished run: {e}", where=str(path), hint="train first: gemel train"
            ) from e
        if stated != dataset.digest:
            raise DataError(
                "the run was trained on other records",
                where=str(path),
                hint="train again, or name the records it was trained on",
            )
        return cls(folder, splits, {k: v for k, v in body.items() if k not in UNTOLD})
