"""The training half of a modality: what it brings to the loop.

It fits the preprocessing on the training payloads, builds one tower (so that both sides of a
comparison are tied), and may vary records while training. It is found by the modality whose half it
is (`Modality.training`) and imported when training asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import nn

from gemel.arrays import Int64
from gemel.data.pairing import Pairing
from gemel.data.schema import Field
from gemel.encode import modality as modalities
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.modality import Prepare
from gemel.errors import ConfigError
from gemel.registry import MODALITIES
from gemel.release.run import Estimate
from gemel.settings import TrainSettings
from gemel.train.arrays import Arrays, Mix, Views, embed
from gemel.train.comparators import by_views as crowding
from gemel.train.loop import Supervision
from gemel.train.losses import ByIdentity, Loss

if TYPE_CHECKING:
    from gemel.train.backbones.source import Source

PATIENCE_BY_VIEWS = 2
BATCHES_BY_VIEWS = 40
"""About so many tell records from each other by their views; at least one epoch."""


@dataclass(frozen=True)
class Defaults:
    """What a setting of 0 or null means for a modality; measured, not guessed."""

    loss: str = "infonce"
    mining: str = "all"
    margin: str = "hard"
    identities_per_batch: int = 32
    views_per_identity: int = 4
    max_epochs: int = 20
    patience: int = 6
    learning_rate: float = 1e-3
    warmup_ratio: float = 0.1
    weight_decay: float = 1e-4
    averaging: float = 0.0
    size: str = "small"


class FitPrepare(Protocol):
    """Preprocessing chosen by looking at the training payloads."""

    def __call__(self, payloads: Sequence[Any], fields: tuple[Field, ...]) -> Prepare:
        """The preprocessing; `fields` is empty where payloads are not rows."""


class FitSized(Protocol):
    """Preprocessing of payloads that are brought to a size, as pictures are."""

    def __call__(self, payloads: Sequence[Any], size: int) -> Prepare:
        """The preprocessing; `size` is the side in pixels, 0 the best for these payloads."""


class BuildTower(Protocol):
    """A network that takes the prepared arrays by name and gives (b, d) unit rows."""

    def __call__(self, prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
        """The tower, initialised from torch's seeded generator; `arrays` are the training ones."""


class OpenBackbone(Protocol):
    """The training half of a modality on a pretrained network."""

    def __call__(self, source: Source) -> Trainable:
        """What training needs of a network out of this folder."""


class BuildViews(Protocol):
    """How records vary without changing who they are."""

    def __call__(self, prepare: Prepare) -> Views:
        """A random variant of each row of a batch."""


class Aim(Protocol):
    """What a modality adds to the loss on identities."""

    def __call__(
        self, tower: nn.Module, arrays: Arrays, identities: Int64, loss: Loss
    ) -> tuple[Supervision, Int64]:
        """What to train by, and the labels (n, ...) of the training records it takes.

        Batches are made by the first label of each record.
        """


class BeginAcross(Protocol):
    """What a tower of two kinds of records is given before it is trained."""

    def __call__(self, tower: nn.Module, arrays: Arrays, pairs: Int64) -> None:
        """(m, 2) pairs are the positions of a record of the first and one of the second kind."""


class FitComparator(Protocol):
    """What scores embeddings of the trained space."""

    def __call__(
        self,
        tower: nn.Module,
        arrays: Arrays,
        identities: Int64,
        views: Views,
        *,
        seed: int,
        pairing: Pairing,
    ) -> Comparator:
        """Fitted on the training records, arrays of n rows with (n,) codes.

        `pairing` says which pairs of them are comparisons.
        """


class Told(Protocol):
    """What was told of n records without labels."""

    @property
    def identities(self) -> Int64:
        """Codes of the n records; those that surely belong together share one."""

    @property
    def likely(self) -> Int64:
        """(2, m) positions of pairs that belong together rather than not, where they have keys."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of it."""

    def fitted(self) -> tuple[Comparator, Estimate]:
        """What scores pairs, and what its scores are expected to hold."""

    def fitted_otherwise(self) -> Comparator | None:
        """The comparator of the other way to read the records, if there is one."""


class FitUnlabelled(Protocol):
    """What can be told of records without any label."""

    def __call__(
        self, tower: nn.Module, arrays: Arrays, views: Views, *, seed: int, pairing: Pairing
    ) -> Told:
        """Guessed identities, a comparator and an estimate, of arrays of n rows.

        Only pairs that `pairing` allows are looked at.
        """


def plain(
    tower: nn.Module, arrays: Arrays, identities: Int64, loss: Loss
) -> tuple[Supervision, Int64]:
    """The loss as it is, on identities."""
    return ByIdentity(loss), identities


def cosine(
    tower: nn.Module,
    arrays: Arrays,
    identities: Int64,
    views: Views,
    *,
    seed: int,
    pairing: Pairing,
) -> Comparator:
    """The cosine, whatever the records."""
    return Cosine()


def by_views(
    tower: nn.Module, arrays: Arrays, views: Views, *, seed: int, pairing: Pairing
) -> Told:
    """By how records crowd, and how far apart two views of one record are."""
    twice = {name: np.concatenate([a, a]) for name, a in arrays.items()}
    one, two = np.split(embed(tower, views(twice, np.random.default_rng(seed))), 2)
    return crowding.told(embed(tower, arrays), (one, two), pairing)


def nothing(payloads: Sequence[Any]) -> tuple[str, ...]:
    """No notes."""
    return ()


@dataclass(frozen=True)
class Trainable:
    """Everything that training asks of a modality.

    Args:
        modality: name of the other half, `gemel.encode.modality.Modality`.
        prepare: fits the preprocessing.
        sized: fits it for `train.image_size`; None where payloads have no size.
        tower: builds the network.
        views: builds the augmentation.
        aim: adds to the loss.
        judge_views: a batch is drawn by record, of which views belong together, and dev consists
            of its records and one view of each; False: by identity, and of records alone.
        comparator: fits what scores.
        enough: whether the pairs that are compared hold genuine ones enough for it, or it is the
            cosine; None: always.
        mix: makes new identities of a batch of old ones, or None.
        unlabelled: tells of records without labels.
        defaults: of the settings.
        across: begins the training of a tower for records of two kinds, which are compared with
            the other kind only; None: whatever is compared, records are of one kind.
        on: opens a pretrained network (`train.backbone`); None: there is no way to.
        start: digest of the weights that training starts from; empty: it starts from none.
        licence: of those weights.
        notes: what a user should know of the training payloads.
        save: writes the trained tower as others read it; None: nobody does.
        voiced: fits the preprocessing that leaves pauses out; None where there are none.
    """

    modality: str
    prepare: FitPrepare
    tower: BuildTower
    views: BuildViews
    aim: Aim = plain
    judge_views: bool = False
    comparator: FitComparator = cosine
    enough: Callable[[Int64, Pairing], bool] | None = None
    mix: Mix | None = None
    defaults: Defaults = field(default_factory=Defaults)
    sized: FitSized | None = None
    unlabelled: FitUnlabelled = by_views
    across: BeginAcross | None = None
    on: OpenBackbone | None = None
    start: str = ""
    licence: str = ""
    notes: Callable[[Sequence[Any]], tuple[str, ...]] = nothing
    save: Callable[[nn.Module, Path], None] | None = None
    voiced: FitPrepare | None = None

    def defaults_for(self, n_alone: int = 0) -> Defaults:
        """The defaults of records with labels, or of so many without.

        Two views of many records in a batch, and few batches: this teaches what stays the same at
        a fraction of the time.
        """
        if not n_alone or self.unlabelled is not by_views:
            return self.defaults
        p = self.defaults.identities_per_batch * self.defaults.views_per_identity // 2
        epochs = max(1, min(self.defaults.max_epochs, BATCHES_BY_VIEWS * p // n_alone))
        patience = min(self.defaults.patience, PATIENCE_BY_VIEWS)
        return replace(
            self.defaults,
            identities_per_batch=p,
            views_per_identity=2,
            max_epochs=epochs,
            patience=patience,
        )

    def fitted(self, payloads: Sequence[Any], fields: tuple[Field, ...], size: int) -> Prepare:
        """The preprocessing of training payloads, at a size if one is asked for.

        Raises:
            ConfigError: a size, and payloads that have none.
        """
        if not size:
            return self.prepare(payloads, fields)
        if self.sized is None:
            raise ConfigError(
                f"{self.modality} records have no size",
                where="train.image_size",
                hint="leave train.image_size out",
            )
        return self.sized(payloads, size)


def trainable(name: str, settings: TrainSettings | None = None, base: Path = Path()) -> Trainable:
    """The training half of the modality of that name, on the backbone that the settings name.

    Args:
        name: of the modality.
        settings: of training; None: the defaults.
        base: folder that a relative `train.backbone` is seen from.
    Raises:
        ConfigError: nobody has the modality, it cannot be trained, or not from that backbone.
    """
    place = modalities.named(name).training
    found = EntryPoint(name, place, MODALITIES.group).load() if place else None
    if not isinstance(found, Trainable) or found.modality != name:
        raise ConfigError(
            f"modality {name!r} cannot be trained",
            hint=f"its half of training, {place or 'not named'}, is no Trainable of that name",
        )
    if settings is not None and settings.skip_pauses:
        if found.voiced is None or settings.backbone:
            what = f"{modalities.named(name).nouns[1]} have no pauses"
            if settings.backbone:
                what = "a pretrained network hears recordings with their pauses"
            raise ConfigError(
                what,
                where="train.skip_pauses",
                hint="leave train.skip_pauses out",
            )
        found = replace(found, prepare=found.voiced)
    if settings is None or not settings.backbone:
        return found
    if found.on is None:
        raise ConfigError(
            f"no pretrained network is known for {modalities.named(name).nouns[1]}",
            where="train.backbone",
            hint="leave train.backbone out",
        )
    from gemel.train.backbones import source

    return found.on(source.find(settings, base))
