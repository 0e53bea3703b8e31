"""The release that is shrunk, with what of its records it takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.as_norm import AsNorm
from gemel.encode.encoder import NETWORK, Encoder
from gemel.files import write_whole
from gemel.release.evidence.part import encode
from gemel.release.release import Release
from gemel.release.run import ENCODER, REPORT, Run, RunReport
from gemel.train.arrays import Arrays
from gemel.train.shrink import int8

LOOKED_AT = 8_000
"""Training records whose embeddings say which directions matter."""
RANGED = 256
"""Training records that set the ranges of activations."""


@dataclass(frozen=True)
class Source:
    """What is shrunk, with the records that it learned from.

    Args:
        parent: the release.
        dataset: that it was made from.
        splits: of the dataset.
        kept: folder for what goes on where it was after a kill; None: it begins again.
    """

    parent: Release
    dataset: Dataset
    splits: Splits
    kept: Path | None = None

    @cached_property
    def plain(self) -> Comparator:
        """The comparator of the parent, before a cohort normalises it."""
        found = self.parent.comparator
        return found.inner if isinstance(found, AsNorm) else found

    @cached_property
    def network(self) -> bytes:
        """The ONNX model of the parent."""
        return (self.parent.folder / ENCODER / NETWORK).read_bytes()

    @cached_property
    def in_8_bits(self) -> bytes:
        """The same with weights of 8 bits, whose ranges these records set."""
        return int8.quantized(self.network, self.arrays)

    @cached_property
    def judged(self) -> dict[bool, dict[str, Float32]]:
        """Embeddings of dev and eval, (n, d) float32 each: of the network, and of that in 8 bits.

        What is projected behind either of them needs to be encoded no more.
        """
        prepare, found = self.parent.encoder.prepare, {}
        for in_8_bits, network in ((False, self.network), (True, self.in_8_bits)):
            encoder = Encoder(prepare, network)
            found[in_8_bits] = {
                side: encode(encoder, self.dataset, idx) for side, idx in self.sides.items()
            }
        return found

    @property
    def sides(self) -> dict[str, Int64]:
        """Positions of what a candidate is calibrated and judged on."""
        return {"dev": self.splits.dev, "eval": self.splits.eval}

    @cached_property
    def learned_from(self) -> Int64:
        """Positions of training records, of randomly chosen ones where there are many."""
        train = self.splits.train
        if len(train) <= LOOKED_AT:
            return train
        rng = np.random.default_rng(self.splits.seed)
        return np.sort(rng.choice(train, LOOKED_AT, replace=False))

    @cached_property
    def rows(self) -> Float32:
        """Embeddings of those records by the parent, (n, d) float32."""
        return encode(self.parent.encoder, self.dataset, self.learned_from)

    @property
    def ranged(self) -> Int64:
        """Positions of a few of those records."""
        every = max(1, len(self.learned_from) // RANGED)
        return self.learned_from[::every][:RANGED]

    @cached_property
    def arrays(self) -> Arrays:
        """The few, prepared."""
        return self.parent.encoder.prepare(self.dataset.payloads(self.ranged))

    def run(self, folder: Path) -> Run:
        """A run in a folder that already has an encoder and its comparator."""
        report = RunReport(
            key=Encoder.open(folder / ENCODER).space_id,
            dataset=self.dataset.digest,
            modality=self.parent.modality,
            splits=self.splits.as_dict(),
            training=self.parent.evidence.training,
        )
        write_whole(folder / REPORT, report.to_json())
        return Run(folder, report)
