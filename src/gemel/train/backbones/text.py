"""Texts by a pretrained transformer: as it is, with a layer behind it, or trained as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from gemel.encode.modality import Prepare
from gemel.encode.text.tokens import TokenPrepare
from gemel.train.arrays import Arrays
from gemel.train.backbones import lora, sentence
from gemel.train.backbones.frozen import tuned, unvaried
from gemel.train.backbones.source import Source
from gemel.train.towers import Defaults, Trainable

DEFAULTS = {
    "none": Defaults(max_epochs=0),
    "head": Defaults(
        identities_per_batch=256,
        views_per_identity=2,
        max_epochs=20,
        patience=4,
        learning_rate=1e-3,
        weight_decay=0.0,
    ),
    "lora": Defaults(
        identities_per_batch=32,
        views_per_identity=2,
        max_epochs=5,
        patience=2,
        learning_rate=5e-4,
        weight_decay=0.01,
    ),
    "all": Defaults(
        identities_per_batch=32,
        views_per_identity=2,
        max_epochs=3,
        patience=2,
        learning_rate=2e-5,
        weight_decay=0.01,
    ),
}


def opened(source: Source) -> Trainable:
    """The training half of texts on a folder of sentence-transformers or transformers.

    Raises:
        ConfigError: the folder is none, or has parts that are not known.
    """
    recipe = sentence.read(source.folder, source.long_texts)
    tokens = TokenPrepare(recipe.tokens)

    def tower(prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
        loaded = sentence.load(recipe)
        if source.tune == "lora":
            loaded.transformer = lora.adapted(loaded.transformer)
        return tuned(loaded, loaded.dim, source)

    def notes(payloads: Sequence[Any]) -> tuple[str, ...]:
        n = tokens.n_cut(payloads)
        most, of = recipe.tokens.max_length, len(payloads)
        cut = (
            f"{n:,} of {of:,} training texts have more than {most} tokens, and their end is not "
            'looked at; train.long_texts = "windows" looks at all of them'
        )
        return (cut,) if n else ()

    return Trainable(
        "text",
        prepare=lambda payloads, fields: tokens,
        tower=tower,
        views=unvaried,
        defaults=DEFAULTS[source.tune],
        start=source.digest,
        licence=source.licence,
        notes=notes,
        save=save,
    )


def save(tower: nn.Module, folder: Path) -> None:
    """Write a trained tower as a folder that sentence-transformers opens."""
    if isinstance(tower, sentence.SentenceTower):
        sentence.write(folder, tower)
