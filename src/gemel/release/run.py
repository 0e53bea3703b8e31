"""A training run: the folder that training fills, and what `train.json` in it says.

Training writes it, a release is built from it, both by these structs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from gemel.arrays import Int64
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.errors import DataError, ReleaseError
from gemel.figures import html_table, number_of, share
from gemel.settings import Compares, Device, LongTexts, Margin, Tune

ENCODER = "encoder"
REPORT = "train.json"
LIKELY = "likely.npy"
"""Of a run without labels, see `Run.likely`."""
OTHERWISE = "otherwise"
"""Folder of a run without labels, see `Run.otherwise`."""
FORMAT = 2
DONE = "done"
MAP_AT_R = "MAP@R"
MODEL = "sentence-transformers"
"""Folder of a run with the trained network as the package of that name reads it."""
LATER = (
    *("image_size", "crossed", "backbone", "tune", "long_texts", "memory", "chunk", "comparator"),
    *("matryoshka", "skip_pauses", "projector", "views_first", "bf16"),
    *("gradient_checkpointing", "device"),
)
"""Settings that older runs did not have; unset, they change no name."""
SHOWING = ("trackers",)
"""Settings that change no result."""
By = Literal["fields", "views"]
WITHOUT = "without-{}"
"""Folder in a crossed run of the run that has not seen a side."""


class Batches(msgspec.Struct, frozen=True):
    """What the batches of an epoch had to teach.

    Attributes:
        active: share of negatives of a row that come within a margin of its farthest positive.
        hardness: 10 %, 50 % and 90 % quantiles over rows of the cosine of the closest negative less
            that of the farthest positive: above 0, a row is nearer to a stranger.
        dominated_by: identities with the largest shares of those negatives, and these shares.
        fair_share: of each, if all had the same.
    """

    active: float
    hardness: tuple[float, float, float]
    dominated_by: tuple[tuple[str, float], ...] = ()
    fair_share: float = 0.0

    @property
    def dominating(self) -> tuple[tuple[str, float], ...]:
        """Those of `dominated_by` that have a tenth or more, and three times what would be fair."""
        return tuple(d for d in self.dominated_by if d[1] >= max(0.1, 3 * self.fair_share))


class Epoch(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the history; epoch 0 is the untrained tower, which has no loss."""

    epoch: int
    loss: float | None
    metric: float
    mean_similarity: float
    effective_rank: float
    batches: Batches | None = None


class RunSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The settings of `[train]`, and what only modalities set, with every default resolved."""

    threads: int
    loss: str
    mining: str
    margin: Margin
    identities_per_batch: int
    views_per_identity: int
    max_epochs: int
    patience: int
    learning_rate: float
    warmup_ratio: float
    weight_decay: float
    averaging: float
    size: str
    seed: int
    image_size: int = 0
    memory: int = 0
    chunk: int = 0
    backbone: str = ""
    tune: Tune | None = None
    comparator: Compares | None = None
    long_texts: LongTexts | None = None
    matryoshka: bool = False
    skip_pauses: bool = False
    projector: bool = False
    views_first: int = 0
    bf16: bool = False
    gradient_checkpointing: bool = False
    device: Device = "cpu"


def named_by(settings: msgspec.Struct) -> dict[str, Any]:
    """What names a run, of `[split]`, `[train]` or as resolved; later settings count once set."""
    said: dict[str, Any] = msgspec.to_builtins(settings)
    return {k: v for k, v in said.items() if k not in SHOWING and (v or k not in LATER)}


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What the scores of a run without labels are expected to hold; nothing of it was measured.

    Attributes:
        n_records: whose pairs these are, all of them.
        share: of pairs that belong together.
        threshold: (m,) falling; the last one is the lowest score.
        right: (m,) pairs that belong together among those that reach each.
        wrong: (m,) pairs that do not.
        by: what told it: how fields agree, and scores are about log-odds; or variants of the
            records, and scores are cosines.
        doubtful: of the pairs taken to belong together, those that agree in some fields no better
            than strangers do: perhaps people of one household.
        notes: on what was taken for what, which answers may contradict.
    """

    n_records: int
    share: float
    threshold: tuple[float, ...]
    right: tuple[float, ...]
    wrong: tuple[float, ...]
    by: By = "fields"
    doubtful: float = 0.0
    notes: tuple[str, ...] = ()


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """What a run says about itself; part of the evidence of its releases.

    Attributes:
        settings: as they were used.
        history: one entry per epoch, epoch 0 untrained.
        parity: largest difference of a coordinate of the export to torch.
        learning_seconds: of the loop alone.
        n_weights: of the network.
        n_train: records of train.
        n_dev: records of dev.
        seconds: of the whole run.
        torch: its version.
        estimate: what its scores hold, of records without labels; None with labels.
        measure: name of the dev metric of the history.
        licence: of the weights that it started from.
        notes: on the training records.
        by_views: the dev metric is of the records and of a varied copy of each.
    """

    settings: RunSettings
    history: tuple[Epoch, ...]
    parity: float
    learning_seconds: float
    n_weights: int
    n_train: int
    n_dev: int
    seconds: float
    torch: str
    estimate: Estimate | None = None
    measure: str = MAP_AT_R
    licence: str = ""
    notes: tuple[str, ...] = ()
    by_views: bool = False

    @property
    def best(self) -> Epoch:
        """The epoch whose weights were kept: of the highest dev metric, the first of several."""
        return max(self.history, key=lambda e: (e.metric, -e.epoch))


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `train.json` says.

    Attributes:
        key: digest of everything that decided the result.
        dataset: digest of the records.
        modality: of the records.
        splits: of the records, as `Splits.as_dict` gives them.
        training: how it went; its fields stand beside these in the file.
    """

    key: str
    dataset: str
    modality: str
    splits: dict[str, Any]
    training: Training

    @classmethod
    def read(cls, folder: Path) -> RunReport:
        """What the run in a folder says.

        Raises:
            ReleaseError: no finished run.
        """
        path = folder / REPORT
        try:
            body = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
            if body.get("state", DONE) != DONE:
                raise ValueError(f"its state is {body['state']!r}")
            return msgspec.convert({**body, "training": body}, cls)
        except (OSError, ValueError) as e:
            why = "" if isinstance(e, FileNotFoundError) else f": {e}"
            raise ReleaseError(
                f"no finished run{why}", where=str(path), hint="train first: gemel train"
            ) from e

    def to_json(self) -> bytes:
        """The content of `train.json`."""
        body = {"format": FORMAT, "state": DONE, **msgspec.to_builtins(self)}
        body |= body.pop("training")
        return msgspec.json.format(msgspec.json.encode(body), indent=1)


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        folder: with `encoder/` and `train.json`.
        report: what `train.json` says.
    """

    folder: Path
    report: RunReport

    def __repr__(self) -> str:
        t = self.training
        return f"Run({self.report.modality}, {number_of(t.n_train, 'record')}, {self.folder})"

    def _repr_html_(self) -> str:
        t = self.training
        best, untrained = share(t.best.metric), share(t.history[0].metric)
        rows = [("epochs", f"{len(t.history) - 1}, the best was {t.best.epoch}")]
        rows += [(f"{t.measure} on dev", f"{best}, untrained {untrained}")]
        rows += [("seconds", f"{t.seconds:,.0f}"), ("folder", str(self.folder))]
        return html_table(f"Run of {self.report.modality} records", rows)

    @classmethod
    def open(cls, folder: str | Path, dataset: Dataset) -> Run:
        """The run in a folder, if it was trained on this very dataset.

        Raises:
            ReleaseError: no finished run.
            DataError: it was trained on other records.
        """
        run = cls(Path(folder), RunReport.read(Path(folder)))
        if run.report.dataset != dataset.digest:
            raise DataError(
                "the run was trained on other records",
                where=str(run.folder / REPORT),
                hint="train again, or name the records it was trained on",
            )
        return run

    def unseen(self, side: str, dataset: Dataset) -> Run:
        """The run whose encoder has not seen a side: itself, unless it is crossed.

        Raises:
            ReleaseError: a part of the crossed run is missing.
        """
        if not self.splits.crossed:
            return self
        return Run.open(self.folder / WITHOUT.format(side), dataset)

    @property
    def encoder(self) -> Path:
        """Folder with the exported encoder and its comparator."""
        return self.folder / ENCODER

    @property
    def likely(self) -> Int64:
        """(2, m) positions of records that a run without labels takes to belong together.

        (2, 0) where it compares no fields, or is from before.

        Raises:
            ReleaseError: the file of them is damaged.
        """
        path = self.folder / LIKELY
        if not path.is_file():
            return np.zeros((2, 0), np.int64)
        try:
            found: Int64 = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as e:
            what = f"pairs of the run cannot be read: {e}"
            raise ReleaseError(what, where=str(path), hint="delete the run and train again") from e
        return found

    @property
    def otherwise(self) -> Path | None:
        """Folder with the comparator of the other way to read records without labels, if any.

        Where some pairs agree in some fields alone, they are of one household, or of people who
        moved: what is not taken for true is kept, and answers choose.
        """
        folder = self.folder / OTHERWISE
        return folder if folder.is_dir() else None

    @property
    def training(self) -> Training:
        """How it went."""
        return self.report.training

    @cached_property
    def splits(self) -> Splits:
        """Of the dataset it was trained on."""
        return Splits.from_dict(self.report.splits)
