"""The smaller encoders that are tried, and how each is made out of a release's own.

A candidate is a folder with what a training run leaves (`encoder/`, `train.json`), so that it is
measured and becomes a release as any run does. Its comparator follows: a cosine compares rows of
any length, one that reads blocks is fitted anew on the training records, any other stays as it is
and takes no other rows than it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gemel.arrays import Float32, Int64, canonical_json
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.as_norm import AsNorm
from gemel.encode.comparators.blocks import Blocks
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import NETWORK, PREPARE, Encoder
from gemel.files import write_whole
from gemel.release.evidence.part import encode
from gemel.release.release import Release
from gemel.release.run import ENCODER, REPORT, Run, RunReport
from gemel.train import towers
from gemel.train.arrays import Arrays
from gemel.train.comparators import learned
from gemel.train.comparators.pairs import Layout
from gemel.train.fit import known
from gemel.train.shrink import int8, projection

DIVISORS = (2, 4, 8)
"""Of the dimensions of an embedding."""
LEAST_DIM, STEP = 16, 8
LEAST_BLOCK = 4
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
    """

    parent: Release
    dataset: Dataset
    splits: Splits

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

    @cached_property
    def arrays(self) -> Arrays:
        """A few of those records, prepared."""
        every = max(1, len(self.learned_from) // RANGED)
        idx = self.learned_from[::every][:RANGED]
        return self.parent.encoder.prepare(self.dataset.payloads(idx))

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


@dataclass(frozen=True)
class Candidate:
    """A smaller encoder.

    Args:
        divisor: of the dimensions, 1 for all of them.
        in_8_bits: whether the network is quantized.
    """

    divisor: int = 1
    in_8_bits: bool = False

    def name(self, source: Source) -> str:
        """Such as `pca-96+int8`."""
        parts = [f"pca-{self.dim(source)}"] if self.divisor > 1 else []
        return "+".join([*parts, *(["int8"] if self.in_8_bits else [])])

    def how(self, source: Source) -> str:
        """The name in words."""
        parts = []
        if self.divisor > 1:
            dim = source.parent.encoder.dim
            parts.append(f"{self.dim(source)} of {dim} dimensions, by principal components")
        if self.in_8_bits:
            parts.append("weights in 8 bits, ranges fixed on training records")
        return "; ".join(parts)

    def dim(self, source: Source) -> int:
        """Length of its embeddings."""
        if isinstance(source.plain, Blocks):
            return 1 + sum(_narrowed(source.plain, self.divisor))
        whole = source.parent.encoder.dim
        return whole if self.divisor == 1 else whole // self.divisor // STEP * STEP

    def is_told(self, source: Source) -> bool:
        """Whether there are training records enough to tell so many directions."""
        widest = self.dim(source)
        if isinstance(source.plain, Blocks):
            widest = max(_narrowed(source.plain, self.divisor))
        return widest <= len(source.learned_from)

    def make(self, source: Source, folder: Path) -> Run:
        """The candidate as a run in an empty folder."""
        network = source.network
        if self.divisor > 1:
            network = projection.appended(network, self._matrix(source))
        if self.in_8_bits:
            network = int8.quantized(network, source.arrays)
        prepare = source.parent.encoder.prepare
        (folder / ENCODER).mkdir(parents=True)
        write_whole(folder / ENCODER / PREPARE, canonical_json(prepare.spec()))
        write_whole(folder / ENCODER / NETWORK, network)
        self._comparator(source, Encoder(prepare, network)).save(folder / ENCODER)
        return source.run(folder)

    def _matrix(self, source: Source) -> Float32:
        if isinstance(source.plain, Blocks):
            dims = _narrowed(source.plain, self.divisor)
            return projection.by_block(source.rows, source.plain.blocks, dims)
        return projection.principal(source.rows, self.dim(source))

    def _comparator(self, source: Source, encoder: Encoder) -> Comparator:
        """What scores the rows of the candidate."""
        if not isinstance(source.plain, Blocks):
            return source.plain
        dataset = source.dataset.take(source.learned_from)
        arrays = encoder.prepare(dataset.payloads(np.arange(len(dataset))))
        varied = towers.trainable(source.parent.modality).views(encoder.prepare)(
            arrays, np.random.default_rng(source.splits.seed)
        )
        layout = Layout(tuple(_narrowed(source.plain, self.divisor)), source.plain.swaps)
        rows = np.concatenate([encoder.embed(arrays), encoder.embed(varied)])
        return learned.fit(
            rows,
            np.concatenate([known(dataset.identities)] * 2),
            layout,
            seed=source.splits.seed,
            pairing=dataset.pairing.twice(),
        )


def _narrowed(comparator: Blocks, divisor: int) -> list[int]:
    """Widths of the blocks, divided; what is narrow stays as it is."""
    least = [min(width, LEAST_BLOCK) for width in comparator.blocks]
    return [max(w // divisor, few) for w, few in zip(comparator.blocks, least, strict=True)]


def candidates(source: Source) -> list[Candidate]:
    """All that can be tried on a release."""
    follows = isinstance(source.plain, Cosine | Blocks)
    divisors = [
        divisor
        for divisor in DIVISORS
        if follows
        and LEAST_DIM <= Candidate(divisor).dim(source) < source.parent.encoder.dim
        and Candidate(divisor).is_told(source)
    ]
    return [
        Candidate(divisor, in_8_bits)
        for divisor in (1, *divisors)
        for in_8_bits in (False, True)
        if divisor > 1 or in_8_bits
    ]
