"""What a loss has to hold to be trained with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gemel.testing.must import must

if TYPE_CHECKING:
    from torch import Tensor

    from gemel.train.losses import Loss
    from gemel.train.relations import Relations


def check_loss(loss: Loss) -> None:
    """Raise AssertionError unless this behaves as a loss.

    It gives a finite scalar, does not depend on the order of the batch, costs nothing where there
    is nothing to learn, never gives NaN gradients, falls when it is followed downhill, and takes
    relations at their word: weights, pairs that nobody judged, rows beside the batch.

    Args:
        loss: takes (b, d) float32 unit rows and their relations.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(24, 6, generator=generator), dim=1)
    labels = torch.arange(24) % 6
    value, _ = _value_and_gradient(loss, rows, labels)
    must(value >= 0, f"a loss is never negative, this one is {value}")
    order = torch.randperm(24, generator=generator)
    shuffled, _ = _value_and_gradient(loss, rows[order], labels[order])
    must(abs(value - shuffled) < 1e-5, "the loss depends on the order of the batch")
    _check_degenerate(loss, rows)
    _check_descent(loss, rows, labels)
    _check_relations(loss, rows, labels)


def _check_degenerate(loss: Loss, rows: Tensor) -> None:
    """Batches that every run meets some day: one identity, no pairs, equal rows, zero rows."""
    import torch

    n = len(rows)
    zeros, equal = torch.zeros_like(rows), rows[:1].expand(n, -1)
    labels = torch.arange(n) % 4
    for name, x, y in (
        ("without positives", rows, torch.arange(n)),
        ("of one identity", rows, torch.zeros(n, dtype=torch.int64)),
        ("of equal rows", equal, labels),
        ("of zeros", zeros, labels),
        ("of one row", rows[:1], labels[:1]),
        ("without rows", rows[:0], labels[:0]),
    ):
        value, gradient = _value_and_gradient(loss, x, y)
        must(np.isfinite(value), f"a batch {name} costs {value}")
        must(bool(torch.isfinite(gradient).all()), f"a batch {name} has gradients that are NaN")
    value, _ = _value_and_gradient(loss, rows[:1], labels[:1])
    must(value == 0, f"a batch of one row costs {value}, there is nothing to learn from")


def _check_descent(loss: Loss, rows: Tensor, labels: Tensor) -> None:
    """Followed downhill, positives end up closer than negatives more often than before."""
    import torch

    x = rows.clone()
    for _ in range(60):
        _, gradient = _value_and_gradient(loss, x, labels)
        step = 0.05 * gradient / gradient.norm().clamp(min=1e-6)
        x = torch.nn.functional.normalize(x - step * len(x) ** 0.5, dim=1)
    before, after = _gap(rows, labels), _gap(x, labels)
    must(after > before + 0.05, f"following the loss moved the gap from {before} to {after}")


def _check_relations(loss: Loss, rows: Tensor, labels: Tensor) -> None:
    """Weights, unknown pairs and references are heeded."""
    import torch

    from gemel.train.relations import Relations

    plain = Relations.of_labels(labels)
    value, weight = _value(loss, rows, plain), torch.ones(plain.positive.shape)
    weighed = _value(loss, rows, replace(plain, weight=weight))
    must(abs(value - weighed) < 1e-4, f"weights of one change the loss from {value} to {weighed}")
    weight[labels == labels[0]] = 9.0
    uneven = _value(loss, rows, replace(plain, weight=weight))
    must(abs(value - uneven) > 1e-6, "weights do not count")
    known = torch.ones(plain.positive.shape, dtype=torch.bool)
    known[-1], known[:, -1] = False, False
    without = Relations(plain.positive & known, plain.negative & known)
    moved = torch.cat([rows[:-1], rows[:1]])
    apart = abs(_value(loss, rows, without) - _value(loss, moved, without))
    must(apart < 1e-5, f"a row of which nothing is known changes the loss by {apart:.1e}")
    half = len(rows) // 2
    beside = Relations.of_labels(labels[:half], references=rows[half:], of_references=labels[half:])
    x = rows[:half].clone().requires_grad_()
    there = loss(x, beside)
    (gradient,) = torch.autograd.grad(there, x)
    must(bool(torch.isfinite(gradient).all()), "references make gradients that are NaN")
    turned = _value(loss, x.detach(), replace(beside, references=-rows[half:]))
    must(float(there.detach()) != turned, "references do not count")


def _value(loss: Loss, rows: Tensor, relations: Relations) -> float:
    return float(loss(rows, relations).detach())


def _gap(rows: Tensor, labels: Tensor) -> float:
    """Mean cosine of positives minus mean cosine of negatives."""
    cosine = rows @ rows.T
    same = labels[:, None] == labels[None, :]
    same.fill_diagonal_(False)
    other = labels[:, None] != labels[None, :]
    return float(cosine[same].mean() - cosine[other].mean())


def _value_and_gradient(loss: Loss, rows: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    import torch

    from gemel.train.relations import Relations

    x = rows.detach().clone().requires_grad_()
    value = loss(x, Relations.of_labels(labels))
    must(value.ndim == 0, f"a loss is one number, this one has shape {tuple(value.shape)}")
    (gradient,) = torch.autograd.grad(value, x)
    return float(value.detach()), gradient
