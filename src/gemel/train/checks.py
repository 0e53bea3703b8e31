"""Settings and records that nothing can be trained by, refused before anything is."""

from __future__ import annotations

import numpy as np

from gemel import config
from gemel.arguments import require
from gemel.data.dataset import UNKNOWN, Dataset, require_dataset
from gemel.data.splits import Splits
from gemel.errors import ConfigError, DataError
from gemel.figures import number_of
from gemel.settings import TrainSettings
from gemel.train import towers
from gemel.train.towers import Trainable


def require_given(dataset: Dataset, splits: Splits, settings: TrainSettings) -> None:
    """Raise ConfigError where what training is asked with is something else than that."""
    require_dataset(dataset, "to learn from")
    require(splits, Splits, "the Splits of the records", "gemel.by_identity(records) makes them")
    config.check("train", settings)


def require_settings(
    settings: TrainSettings, half: Trainable, dataset: Dataset, splits: Splits
) -> None:
    """Raise ConfigError where a backbone or a comparator does not go with the records."""
    if settings.backbone and not dataset.has_identities:
        raise ConfigError(
            "a pretrained network needs records of which some belong together",
            where="train.backbone",
            hint="name the column that says it as data.identity, or leave train.backbone out",
        )
    trained = bool(settings.backbone) and settings.tune in ("lora", "all")
    whole = {"bf16": trained or not settings.backbone, "gradient_checkpointing": trained}
    for name, goes in whole.items():
        if getattr(settings, name) and not goes:
            raise ConfigError(
                "no layers of a pretrained network are trained here, and it is for those",
                where=f"train.{name}",
                hint=f'set train.tune = "all" or "lora", or leave train.{name} out; train.chunk '
                "saves memory with any network",
            )
    reasons = (
        (splits.crossed, "three encoders (split.crossed) have no one learned comparator"),
        (not dataset.has_identities, "nothing says which records belong together"),
        (half.comparator is not towers.cosine, f"{half.modality} records have one of their own"),
    )
    reason = next((said for holds, said in reasons if holds), "")
    if settings.comparator and reason:
        raise ConfigError(reason, where="train.comparator", hint="leave train.comparator out")
    for name in ("matryoshka", "projector", "views_first"):
        if getattr(settings, name) and half.comparator is not towers.cosine:
            raise ConfigError(
                f"embeddings of {half.modality} records are compared part by part, and not cut, "
                "projected or told apart as a whole",
                where=f"train.{name}",
                hint=f"leave train.{name} out",
            )
    if settings.views_first and not dataset.has_identities:
        raise ConfigError(
            "nothing says which records belong together: variants are all that teaches",
            where="train.views_first",
            hint="leave train.views_first out",
        )


def require_records(dataset: Dataset, splits: Splits) -> None:
    """Raise DataError where records of train or dev are too few to learn from or to choose by."""
    for name in ("train", "dev"):
        identities = dataset.identities[getattr(splits, name)]
        _, counts = np.unique(identities[identities != UNKNOWN], return_counts=True)
        if name == "dev" and not (counts > 1).any():
            raise DataError(
                "no identity of dev has two records, so the best epoch cannot be chosen",
                where=dataset.source,
                hint="give dev a larger share of the identities",
            )
        if len(counts) < 2:
            raise DataError(
                f"{name} has records of {number_of(len(counts), 'identity')}, at least 2 are "
                "needed",
                where=dataset.source,
            )
