"""What a setting of 0 or null says that it means is what training does."""

import re
from dataclasses import asdict

import pytest

from gemel.config import describe
from gemel.train.towers import trainable

EACH = r"0: ([\w.]+) for rows, ([\w.]+) for images, ([\w.]+) for texts, ([\w.]+) for audio$"
SAID = {
    key: re.findall(EACH, describe(f"train.{key}"))
    for key in (
        "identities_per_batch", "views_per_identity", "max_epochs", "patience", "learning_rate",
    )
}  # fmt: skip
ALIKE = {
    key: re.findall(r"null: ([\w.]+)$", describe(f"train.{key}"))
    for key in ("loss", "mining", "margin", "warmup_ratio")
}


@pytest.mark.parametrize("key", SAID)
def test_defaults_of_a_modality_are_as_described(key: str) -> None:
    (values,) = SAID[key]
    for modality, value in zip(("row", "image", "text", "audio"), values, strict=True):
        assert float(value) == asdict(trainable(modality).defaults)[key]


@pytest.mark.parametrize("key", ALIKE)
def test_defaults_of_every_modality_are_as_described(key: str) -> None:
    (value,) = ALIKE[key]
    for modality in ("row", "image", "text", "audio"):
        assert value == str(asdict(trainable(modality).defaults)[key])
