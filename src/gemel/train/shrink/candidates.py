"""The smaller encoders that are tried, and how each is made out of a release's own.

A candidate is a folder with what a training run leaves (`encoder/`, `train.json`), so that it is
measured and becomes a release as any run does. Its comparator follows: a cosine compares rows of
any length, one that reads blocks is fitted anew on the training records, any other stays as it is
and takes no other rows than it was made for.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gemel.arrays import Float32, canonical_json, unit_rows
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.blocks import Blocks
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.encoder import NETWORK, PREPARE, Encoder
from gemel.files import write_whole
from gemel.release.run import ENCODER, Run
from gemel.train import towers
from gemel.train.comparators import learned
from gemel.train.comparators.pairs import Layout
from gemel.train.fit import known
from gemel.train.losses.nested import DIVISORS, LEAST_DIM, cut_to
from gemel.train.shrink import int8, projection
from gemel.train.shrink.source import Source
from gemel.train.shrink.student import student

LEAST_BLOCK = 4
PROJECTED = (2, 4, 6, 8)
"""Divisors of the dimensions that principal components are left of; `DIVISORS` were taught."""


@dataclass(frozen=True)
class Candidate:
    """A smaller encoder.

    Args:
        divisor: of the dimensions, 1 for all of them.
        in_8_bits: whether the network is quantized.
        taught: whether it is a narrower tower that learns from the release.
        cut: whether its dimensions are the first ones, which `train.matryoshka` taught so.
    """

    divisor: int = 1
    in_8_bits: bool = False
    taught: bool = False
    cut: bool = False

    def name(self, source: Source) -> str:
        """Such as `pca-96+int8`."""
        kind = "first" if self.cut else "pca"
        parts = [f"{kind}-{self.dim(source)}"] if self.divisor > 1 else []
        parts += ["student"] if self.taught else []
        return "+".join([*parts, *(["int8"] if self.in_8_bits else [])])

    def how(self, source: Source) -> str:
        """The name in words."""
        parts = []
        if self.divisor > 1:
            dim = source.parent.encoder.dim
            by = "the first" if self.cut else "by principal components"
            parts.append(f"{self.dim(source)} of {dim} dimensions, {by}")
        if self.taught:
            parts.append("a narrower network of gemel's own, taught by the embeddings")
        if self.in_8_bits:
            parts.append("weights in 8 bits, ranges fixed on training records")
        return "; ".join(parts)

    def dim(self, source: Source) -> int:
        """Length of its embeddings."""
        if isinstance(source.plain, Blocks):
            return 1 + sum(_narrowed(source.plain, self.divisor))
        whole = source.parent.encoder.dim
        return whole if self.divisor == 1 else cut_to(whole, self.divisor)

    def is_told(self, source: Source) -> bool:
        """Whether there are training records enough to tell so many directions."""
        widest = self.dim(source)
        if isinstance(source.plain, Blocks):
            widest = max(_narrowed(source.plain, self.divisor))
        return widest <= len(source.learned_from)

    def make(self, source: Source, folder: Path) -> Run:
        """The candidate as a run in an empty folder."""
        if self.taught:
            return self._student(source, folder)
        network = source.in_8_bits if self.in_8_bits else source.network
        if self.divisor > 1:
            # Behind what is in 8 bits, since its rounding would cost more than its few weights.
            network = projection.appended(network, self._matrix(source))
        prepare = source.parent.encoder.prepare
        (folder / ENCODER).mkdir(parents=True)
        write_whole(folder / ENCODER / PREPARE, canonical_json(prepare.spec()))
        write_whole(folder / ENCODER / NETWORK, network)
        self._comparator(source, Encoder(prepare, network)).save(folder / ENCODER)
        return source.run(folder)

    def rows(self, source: Source) -> dict[str, Float32] | None:
        """Embeddings of dev and eval that need no encoding; None: they do."""
        if self.taught:
            return None
        whole = source.judged[self.in_8_bits]
        if self.divisor == 1:
            return whole
        matrix = self._matrix(source)
        return {side: unit_rows(rows @ matrix) for side, rows in whole.items()}

    def _student(self, source: Source, folder: Path) -> Run:
        beside = folder.with_name(replace(self, in_8_bits=False).name(source))
        if self.in_8_bits and beside.is_dir():
            shutil.copytree(beside, folder)  # learned already
            run = source.run(folder)
        else:
            run = student(source, folder)
        if self.in_8_bits:
            made = Encoder.open(run.encoder)
            arrays = made.prepare(source.dataset.payloads(source.ranged))
            network = (run.encoder / NETWORK).read_bytes()
            write_whole(run.encoder / NETWORK, int8.quantized(network, arrays))
        return source.run(folder)

    def _matrix(self, source: Source) -> Float32:
        if isinstance(source.plain, Blocks):
            dims = _narrowed(source.plain, self.divisor)
            return projection.by_block(source.rows, source.plain.blocks, dims)
        if self.cut:
            return np.eye(source.parent.encoder.dim, self.dim(source), dtype=np.float32)
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


def candidates(source: Source, *, taught: bool = False) -> list[Candidate]:
    """All that can be tried on a release; `taught`: also what has to be trained."""
    follows = isinstance(source.plain, Cosine | Blocks)
    divisors = [
        divisor
        for divisor in sorted({*DIVISORS, *PROJECTED})
        if follows
        and LEAST_DIM <= Candidate(divisor).dim(source) < source.parent.encoder.dim
        and Candidate(divisor).is_told(source)
    ]
    learning = [Candidate(in_8_bits=b, taught=True) for b in (False, True) if taught and follows]
    ways = (False, True) if source.parent.evidence.training.settings.matryoshka else (False,)
    return learning + [
        Candidate(divisor, in_8_bits, cut=cut)
        for divisor in (1, *divisors)
        for cut in ways
        for in_8_bits in (False, True)
        if divisor in (DIVISORS if cut else PROJECTED) or (in_8_bits and not cut)
    ]
