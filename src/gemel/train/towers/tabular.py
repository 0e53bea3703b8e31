"""The row tower: one block of the embedding per field, one for the row as a whole.

A block is a sum of learned vectors of hashed character n-grams, so that it starts as a random
projection of what character TF-IDF sees and is trained from there. Its direction says what the
value is, its length how much evidence it carries (n-grams that are rare in the training rows count
more); a missing value is a block of zeros. The first coordinate is constant, so that lengths can be
read off a unit row. `encode.comparators.blocks` scores such rows block by block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.arrays import Int64
from gemel.data.pairing import Pairing
from gemel.data.schema import Field
from gemel.encode.comparators import Comparator
from gemel.encode.comparators.cosine import Cosine
from gemel.encode.modality import Prepare
from gemel.encode.row.prepare import RowPrepare
from gemel.errors import ConfigError
from gemel.train.arrays import Arrays, Views, embed
from gemel.train.comparators import learned, unlabelled
from gemel.train.comparators.pairs import Layout
from gemel.train.loop import Supervision
from gemel.train.losses import InfoNCE, Loss
from gemel.train.relations import Relations
from gemel.train.towers import Defaults, Trainable
from gemel.train.views.row import RowViews

WIDTHS = {"tiny": (16, 64), "small": (64, 256), "base": (128, 512)}
"""Lengths of the block of a field and of the block of the whole row."""
MAX_BUCKETS = 1 << 15
N_KNOTS = 16
FACTORS = ((31, 0, 0), (263, 8191, 0), (1031, 4099, 16411), (521, 0, 12289))
"""Of three neighbouring bytes, an n-gram takes one, two, three, or two around a gap (factor 0)."""
OFFSETS = (1, 7, 3, 5)
CONSTANT = 0.5
TEMPERATURE = 0.07
MAX_SWAPPED = 5
"""With more text fields than this, no pair of them is checked for having changed places."""


class RowTower(nn.Module):
    """Bytes and positions of rows to unit rows made of blocks.

    Args:
        prepare: says which bytes belong to which field.
        arrays: prepared training rows; n-gram frequencies are counted on them.
        size: `tiny`, `small` or `base`, the lengths of blocks.
    """

    neighbours: Tensor
    factors: Tensor
    offsets: Tensor
    bags: Tensor
    evidence: Tensor
    typical: Tensor
    knots: Tensor
    of_numbers: Tensor

    def __init__(self, prepare: RowPrepare, arrays: Arrays, *, size: str = "small") -> None:
        super().__init__()
        width, whole = WIDTHS[size]
        kinds = {f.name: f.kind for f in prepare.fields}
        self.strips = prepare.strips
        self.n_strips, self.n_numbers = len(self.strips), len(prepare.numbers)
        numbers = [i for i, s in enumerate(self.strips) if kinds[s.field] == "number"]
        self.text_strips = [i for i, s in enumerate(self.strips) if kinds[s.field] == "text"]
        self.days = frozenset(name for name, kind in kinds.items() if kind == "date")
        self.blocks = [width] * self.n_strips + [N_KNOTS] * self.n_numbers + [whole]
        self.register_buffer("of_numbers", torch.tensor(numbers).long(), persistent=False)
        self._layout()
        text = torch.from_numpy(np.array(arrays["text"]))
        self.buckets = self._n_buckets(text)
        rare = self._rarity(text)
        # What an n-gram tells, squared, so that sums of it are squared lengths; the last is none.
        self.register_buffer("evidence", F.pad(rare**2, (0, 1))[:, None])
        self.table = nn.Parameter(torch.randn(self.buckets, whole) * 0.1 * rare[:, None])
        # Texts share their projection, so that a name in the wrong field is still that name.
        owner = [0 if i in self.text_strips else 1 + i for i in range(self.n_strips)]
        self.owner = np.unique(owner, return_inverse=True)[1].tolist()
        self.project = nn.Parameter(
            torch.randn(max(self.owner) + 1, whole, width) / math.sqrt(whole)
        )
        self.log_weight = nn.Parameter(torch.zeros(len(self.blocks)))
        self.register_buffer("typical", torch.ones(self.n_strips + 1))
        with torch.no_grad():
            mass = torch.cat([self._pooled(t)[1] for t in text.split(512)])
        typical = mass.sum(0) / (mass > 0).sum(0).clamp(min=1)
        self.typical.copy_(torch.where(typical > 0, typical, torch.ones(())))

    def _layout(self) -> None:
        """Constants that follow from the strips."""
        of = np.repeat(np.arange(self.n_strips), [s.width for s in self.strips])
        # Each byte, the next and the one after it; one past the end where the strip is over.
        at = np.arange(len(of)) + np.arange(3)[:, None]
        at = np.where(np.pad(of, (0, 2), constant_values=-1)[at] == of, at, len(of))
        constants = {
            "neighbours": torch.from_numpy(at.reshape(-1)),
            "factors": torch.tensor(FACTORS, dtype=torch.float64),
            "offsets": torch.tensor(OFFSETS, dtype=torch.float64)[:, None],
            "bags": torch.tensor([s.start * len(FACTORS) for s in self.strips]),
            "knots": torch.linspace(0, 1, N_KNOTS),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def _grams(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Hash (before the modulus) and presence of every n-gram, (b, 4, L) each.

        Products in float64 have these whole numbers exactly, also where a network learns in fewer
        bits, and are few operators in ONNX Runtime, each of which costs as much as its arithmetic.
        """
        x = F.pad(text, (0, 1)).to(torch.float64).index_select(1, self.neighbours)
        x = x.unflatten(1, (3, -1))
        hashed = (self.factors @ x + self.offsets).to(torch.int32)
        missing = (self.factors > 0).to(x.dtype) @ (x == 0).to(x.dtype)
        return hashed, missing == 0

    def _rows_of(self, text: Tensor) -> Tensor:
        """Row of the table of every n-gram, (b, 4, L); one past its end where there is none."""
        ids, there = self._grams(text)
        return torch.where(there, ids & (self.buckets - 1), self.buckets)

    def _n_buckets(self, text: Tensor) -> int:
        """A power of two at least twice the number of different n-grams, within bounds."""
        used: set[int] = set()
        for part in text.split(512):
            ids, there = self._grams(part)
            used.update(torch.unique(ids[there] % MAX_BUCKETS).tolist())
        return min(MAX_BUCKETS, 1 << max(8, 2 * len(used) - 1).bit_length())

    def _rarity(self, text: Tensor) -> Tensor:
        """log((n + 1) / (rows with the n-gram + 1)) + .3 for every row of the table, scaled."""
        rows = torch.zeros(self.buckets)
        for part in text.split(512):
            found = self._rows_of(part).to(torch.int64)
            row = torch.arange(len(part))[:, None, None].expand_as(found)
            there = found < self.buckets
            seen = torch.unique(row[there] * self.buckets + found[there]) % self.buckets
            rows += torch.bincount(seen, minlength=self.buckets)
        return (torch.log((len(text) + 1) / (rows + 1)) + 0.3) / 3.0

    def _pooled(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of n-gram vectors per strip, (b, strips, whole), and evidence, (b, strips + 1)."""
        rows = self._rows_of(text)
        table = torch.cat([F.pad(self.table, (0, 0, 0, 1)), self.evidence], 1)
        if torch.compiler.is_exporting():
            # A strip at a time: the vectors of its n-grams stay in the processor's cache.
            parts = rows.split([s.width for s in self.strips], 2)
            sums = torch.cat([F.embedding(p, table).sum((1, 2)) for p in parts], 1)
            sums = sums.unflatten(1, (self.n_strips, -1))
        else:
            # The same without a vector per n-gram in memory; ONNX has no such operator.
            flat = rows.transpose(1, 2).reshape(len(rows), -1)
            nth = torch.arange(len(rows), dtype=flat.dtype, device=flat.device)
            starts = nth[:, None] * flat.shape[1] + self.bags
            starts = starts.to(flat.dtype).reshape(-1)
            sums = F.embedding_bag(flat.reshape(-1), table, starts, mode="sum")
            sums = sums.reshape(len(rows), self.n_strips, -1)
        squares = sums[..., -1]
        squares = torch.cat([squares, squares.sum(1, keepdim=True)], 1)
        return sums[..., :-1], torch.sqrt(squares.clamp(min=0))

    def forward(self, text: Tensor, number: Tensor) -> Tensor:
        """Unit rows, (b, 1 + sum(blocks)), of `text` (b, L) uint8 and `number` (b, m)."""
        sums, mass = self._pooled(text)
        weight = torch.exp(self.log_weight)
        length = mass / self.typical
        projected = (sums.transpose(0, 1) @ self.project[self.owner]).transpose(0, 1)
        fields = _unit(projected)
        parts = [(fields * (length[:, :-1] * weight[: self.n_strips])[..., None]).flatten(1)]
        if self.n_numbers:
            near = torch.exp(-0.5 * ((number[..., None] - self.knots) * (N_KNOTS - 1)) ** 2)
            there = (mass.index_select(1, self.of_numbers) > 0).to(near.dtype)
            share = there * weight[self.n_strips : -1]
            parts.append((_unit(near) * share[..., None]).flatten(1))
        parts.append(_unit(sums.sum(1)) * (length[:, -1:] * weight[-1]))
        constant = torch.full_like(parts[0][:, :1], CONSTANT)
        return _unit(torch.cat([constant, *parts], 1))


def _unit(x: Tensor) -> Tensor:
    """Each row of the last axis divided by its length, which torch's own spreads out before."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.clamp(min=1e-12)


@dataclass(frozen=True)
class BlockLoss:
    """Views of one record belong together, as a whole and in each text block.

    A field is a small problem of its own: two views of one value belong together, other values of
    other identities apart. What the records of one identity have in a field is neither: how much
    their differences matter is for the comparator to learn, which could not do so on records whose
    differences the tower has learned away.

    Args:
        whole: on rows and records.
        blocks: first coordinate and width of each text block.
    """

    whole: Loss
    blocks: tuple[tuple[int, int], ...]

    def __call__(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of (b, d) rows; labels (b, 2 + blocks): record, identity, block values."""
        identity = labels[:, 1]
        apart = identity[:, None] != identity[None]
        total = self.whole(rows, Relations.of_labels(labels[:, 0]))
        for i, (start, width) in enumerate(self.blocks):
            block = rows[:, start : start + width]
            there = block.detach().norm(dim=1) > 1e-4
            known = there[:, None] & there[None]
            of_values = Relations.of_labels(labels[:, 2 + i])
            relations = Relations(of_values.positive & known, of_values.negative & apart & known)
            total = total + 2.0 * InfoNCE(TEMPERATURE)(block, relations) / len(self.blocks)
        return total


def _prepare(payloads: Sequence[Any], fields: tuple[Field, ...]) -> Prepare:
    return RowPrepare.fit(payloads, fields)


def _rows(prepare: Prepare) -> RowPrepare:
    if not isinstance(prepare, RowPrepare):
        raise ConfigError(f"the row tower cannot take {prepare.modality!r} input")
    return prepare


def _tower(prepare: Prepare, arrays: Arrays, *, size: str) -> nn.Module:
    return RowTower(_rows(prepare), arrays, size=size)


def _row_tower(tower: nn.Module) -> RowTower:
    if not isinstance(tower, RowTower):
        raise ConfigError(f"not a row tower: {type(tower).__name__}")
    return tower


def _views(prepare: Prepare) -> Views:
    return RowViews(_rows(prepare).strips)


def _aim(
    tower: nn.Module, arrays: Arrays, identities: Int64, loss: Loss
) -> tuple[Supervision, Int64]:
    tower = _row_tower(tower)
    starts = 1 + np.concatenate([[0], np.cumsum(tower.blocks)[:-1]])
    texts = [*range(tower.n_strips), len(tower.blocks) - 1]
    labels = []
    for strip in [*tower.strips, None]:
        text = arrays["text"]
        part = text if strip is None else text[:, strip.start : strip.start + strip.width]
        labels.append(np.unique(part, axis=0, return_inverse=True)[1].reshape(-1))
    where = tuple((int(starts[i]), tower.blocks[i]) for i in texts)
    # Equal rows are one record.
    columns = [labels[-1], identities, *labels]
    return BlockLoss(loss, where), np.stack(columns, axis=1).astype(np.int64)


def _comparator(
    tower: nn.Module,
    arrays: Arrays,
    identities: Int64,
    views: Views,
    *,
    seed: int,
    pairing: Pairing,
) -> Comparator:
    """Fitted on the records and on one view of each; the cosine if genuine pairs are few."""
    if not learned.enough(identities, pairing):
        return Cosine()
    tower = _row_tower(tower)
    varied = views(arrays, np.random.default_rng(seed))
    rows = np.concatenate([embed(tower, arrays), embed(tower, varied)])
    both = np.concatenate([identities, identities])
    return learned.fit(rows, both, _layout(tower), seed=seed, pairing=pairing.twice())


def _layout(tower: RowTower) -> Layout:
    texts = tower.text_strips if len(tower.text_strips) <= MAX_SWAPPED else []
    swaps = tuple((i, j) for k, i in enumerate(texts) for j in texts[k + 1 :])
    return Layout(tuple(tower.blocks), swaps)


def _unlabelled(
    tower: nn.Module, arrays: Arrays, views: Views, *, seed: int, pairing: Pairing
) -> unlabelled.Told:
    """By the levels to which the texts of fields agree; where a number lies counts for nothing."""
    tower = _row_tower(tower)
    fields: dict[str, list[int]] = {}
    for block, strip in enumerate(tower.strips):
        fields.setdefault(strip.field, []).append(block)
    share = []
    for blocks in fields.values():
        strips = [tower.strips[block] for block in blocks]
        value = [arrays["text"][:, s.start : s.start + s.width] for s in strips]
        _, of, count = np.unique(
            np.concatenate(value, 1), axis=0, return_inverse=True, return_counts=True
        )
        share.append(count[of.reshape(-1)] / len(of))
    varied = embed(tower, views(arrays, np.random.default_rng(seed)))
    return unlabelled.told(
        (embed(tower, arrays), varied),
        _layout(tower),
        fields,
        np.stack(share, 1),
        days=tower.days,
        seed=seed,
        pairing=pairing,
    )


ROW = Trainable(
    "row",
    prepare=_prepare,
    tower=_tower,
    views=_views,
    aim=_aim,
    judge_views=True,
    comparator=_comparator,
    enough=learned.enough,
    unlabelled=_unlabelled,
    defaults=Defaults(
        identities_per_batch=64,
        views_per_identity=4,
        max_epochs=8,
        patience=3,
        learning_rate=1e-2,
        weight_decay=0.0,
    ),
)
