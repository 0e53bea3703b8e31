"""An encoder to be trained: its settings as they are in force, and the key that names the run.

Whatever decides the weights of a run has its part in the key; nothing is trained or written here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import msgspec

from gemel.arrays import canonical_json, digest
from gemel.data.dataset import Dataset
from gemel.data.pairing import ALL, Pairing
from gemel.data.schema import readings
from gemel.data.splits import Splits
from gemel.release.run import FORMAT, RunSettings, named_by
from gemel.settings import TrainSettings
from gemel.train.towers import Defaults, Trainable

OF_PAIRS = "cosent"
"""The loss of given pairs, whatever the modality."""


@dataclass(frozen=True, eq=False)
class Task:
    """An encoder to be trained.

    Attributes:
        dataset: its records.
        splits: that are written down.
        seen: those that it learns from.
        half: of the modality.
        settings: as they were given.
        learns: whether it gets the comparator of the modality, where that was settled for several.
    """

    dataset: Dataset
    splits: Splits
    seen: Splits
    half: Trainable
    settings: TrainSettings
    learns: bool | None = None


def resolve(
    settings: TrainSettings, defaults: Defaults, *, n_drawn: int, pairing: Pairing = ALL
) -> RunSettings:
    """The settings with the modality's default for each 0 or null.

    With fewer identities than a batch is to have, each gives more records, so that a batch stays as
    large: small batches of few identities made the encoder worse than an untrained one. It becomes
    no larger either, which two settings that no longer multiply to its rows would make it.

    Args:
        settings: as they were given.
        defaults: of the modality.
        n_drawn: identities that batches are drawn from; records, where those are drawn.
        pairing: which records are compared.
    """
    given = {k: v for k, v in msgspec.to_builtins(settings).items() if v is not None}
    # Zero is a valid share of warm-up, and a valid seed.
    meant = {k: v for k, v in given.items() if v != 0 or k in ("warmup_ratio", "seed")}
    own = asdict(defaults)
    if pairing.given is not None:
        own["loss"] = OF_PAIRS
    resolved = {"threads": 1, **own, **meant}
    if "views_per_identity" not in meant:
        rows = resolved["identities_per_batch"] * resolved["views_per_identity"]
        few = min(max(2, n_drawn), resolved["identities_per_batch"])
        resolved |= {"identities_per_batch": few, "views_per_identity": rows // few}
    if settings.tune == "none":
        resolved["max_epochs"] = 0
    return msgspec.convert(resolved, RunSettings)


def key_of(task: Task, settings: RunSettings) -> str:
    """Digest of everything that decides the result."""
    said = named_by(settings)
    described = {"format": FORMAT, "settings": said, "splits": task.splits.as_dict()}
    if written := readings(task.dataset.fields):
        described["readings"] = written
    if task.half.start:
        described["start"] = task.half.start
    if task.learns is not None:
        described["learns"] = task.learns
    return digest(canonical_json(described), task.dataset.digest.encode())
