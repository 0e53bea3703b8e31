"""Suites that a plugged-in part has to pass: losses, encoders, and what else gemel lets you swap.

Each check raises AssertionError with one sentence about what a user would notice. They ship with
the package, so that a plug-in can run them in its own tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.arrays import Float32, Int64, unit_rows
from gemel.errors import DuplicateRecord, GalleryError, InvalidInput

if TYPE_CHECKING:
    from torch import Tensor

    from gemel.encode.encoder import Encoder, Payload
    from gemel.gallery.engines import Engine
    from gemel.train.losses import Loss

BATCH_TOLERANCE = 1e-5


def check_loss(loss: Loss) -> None:
    """Raise AssertionError unless this behaves as a loss.

    It gives a finite scalar, does not depend on the order of the batch, costs nothing where there
    is nothing to learn, never gives NaN gradients, and falls when it is followed downhill.

    Args:
        loss: takes (b, d) float32 unit rows and (b,) int64 labels.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    rows = torch.nn.functional.normalize(torch.randn(24, 6, generator=generator), dim=1)
    labels = torch.arange(24) % 6
    value, _ = _value_and_gradient(loss, rows, labels)
    _must(value >= 0, f"a loss is never negative, this one is {value}")
    order = torch.randperm(24, generator=generator)
    shuffled, _ = _value_and_gradient(loss, rows[order], labels[order])
    _must(abs(value - shuffled) < 1e-5, "the loss depends on the order of the batch")
    _check_degenerate(loss, rows)
    _check_descent(loss, rows, labels)


def check_encoder(encoder: Encoder, payloads: Sequence[Payload], bad: Sequence[Any] = ()) -> None:
    """Raise AssertionError unless this behaves as an encoder.

    Embeddings are unit rows, the same whatever else is in the batch and in every run; nothing in
    gives nothing out; what cannot be encoded is refused as InvalidInput.

    Args:
        encoder: to be checked.
        payloads: at least two that it can encode.
        bad: some that it must refuse.
    """
    rows = encoder.encode(payloads)
    _must(rows.dtype == np.float32, f"embeddings are {rows.dtype}, not float32")
    _must(rows.shape == (len(payloads), encoder.dim), f"embeddings have shape {rows.shape}")
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    _must(bool((abs(length - 1) < 1e-4).all()), "embeddings are not unit rows")
    _must(np.array_equal(rows, encoder.encode(payloads)), "a second run gives other embeddings")
    for size in (1, 3):
        apart = abs(rows - encoder.encode(payloads, batch=size)).max()
        _must(apart < BATCH_TOLERANCE, f"batches of {size} change embeddings by {apart:.1e}")
    turned = encoder.encode(payloads[::-1])[::-1]
    _must(abs(rows - turned).max() < BATCH_TOLERANCE, "embeddings depend on their neighbours")
    _must(encoder.encode([]).shape == (0, encoder.dim), "nothing in must give nothing out")
    for payload in bad:
        try:
            encoder.prepare.check(payload)
        except InvalidInput as e:
            _must(bool(e.where), f"the refusal of {payload!r:.60} does not say where")
        else:
            raise AssertionError(f"{payload!r:.60} was not refused")


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
        _must(np.isfinite(value), f"a batch {name} costs {value}")
        _must(bool(torch.isfinite(gradient).all()), f"a batch {name} has gradients that are NaN")
    value, _ = _value_and_gradient(loss, rows[:1], labels[:1])
    _must(value == 0, f"a batch of one row costs {value}, there is nothing to learn from")


def _check_descent(loss: Loss, rows: Tensor, labels: Tensor) -> None:
    """Followed downhill, positives end up closer than negatives more often than before."""
    import torch

    x = rows.clone()
    for _ in range(60):
        _, gradient = _value_and_gradient(loss, x, labels)
        step = 0.05 * gradient / gradient.norm().clamp(min=1e-6)
        x = torch.nn.functional.normalize(x - step * len(x) ** 0.5, dim=1)
    before, after = _gap(rows, labels), _gap(x, labels)
    _must(after > before + 0.05, f"following the loss moved the gap from {before} to {after}")


def _gap(rows: Tensor, labels: Tensor) -> float:
    """Mean cosine of positives minus mean cosine of negatives."""
    cosine = rows @ rows.T
    same = labels[:, None] == labels[None, :]
    same.fill_diagonal_(False)
    other = labels[:, None] != labels[None, :]
    return float(cosine[same].mean() - cosine[other].mean())


def _value_and_gradient(loss: Loss, rows: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    import torch

    x = rows.detach().clone().requires_grad_()
    value = loss(x, labels)
    _must(value.ndim == 0, f"a loss is one number, this one has shape {tuple(value.shape)}")
    (gradient,) = torch.autograd.grad(value, x)
    return float(value.detach()), gradient


def check_engine(make: Callable[[int], Engine], folder: Path, *, min_recall: float = 0.9) -> None:
    """Raise AssertionError, saying what is wrong, unless this is an engine a gallery can trust.

    Checks it against an exact scan: what it finds, score direction, removal, ids used twice, k
    beyond the count, emptiness, and files, also damaged ones.

    Args:
        make: gives an empty engine for rows of a length.
        folder: an empty directory to save in.
        min_recall: index recall at 10 that must be reached on 2,000 random rows.
    """
    rng = np.random.default_rng(5)
    rows = unit_rows(rng.standard_normal((2000, 24)))
    ids = rng.permutation(10_000)[: len(rows)].astype(np.int64)
    queries = unit_rows(rows[:50] + 0.05 * rng.standard_normal((50, 24)))
    engine = make(24)
    _check_empty(engine, queries)
    engine.add(ids[:1200], rows[:1200])
    engine.add(ids[1200:], rows[1200:])
    _check_found(engine, ids, rows, queries, min_recall)
    _check_ids_used_twice(engine, ids, rows)
    _must(
        engine.remove(np.array([*ids[:700], -5, ids[0]])) == 700,
        "remove does not count what was there",
    )
    _must(engine.remove(ids[:700]) == 0, "what is removed can be removed again")
    _check_found(engine, ids[700:], rows[700:], queries, min_recall)
    engine.add(ids[:10], rows[10:20])
    ids, rows = np.r_[ids[:10], ids[700:]], np.r_[rows[10:20], rows[700:]]
    _check_found(engine, ids, rows, queries, min_recall)
    _check_files(engine, make, folder, queries)


def _check_empty(engine: Engine, queries: Float32) -> None:
    found, scores = engine.search(queries, 3)
    shapes = {found.shape, scores.shape}
    _must(engine.count() == 0 and shapes == {(len(queries), 0)}, "an empty engine finds something")
    _must(engine.remove(np.array([1, 2])) == 0, "something can be removed from an empty engine")


def _check_found(
    engine: Engine, ids: Int64, rows: Float32, queries: Float32, min_recall: float
) -> None:
    n, k = len(ids), 10
    _must(engine.count() == n, f"count is {engine.count()}, {n} rows are there")
    exact = queries @ rows.T
    found, scores = engine.search(queries, k)
    _must(
        found.shape == scores.shape == (len(queries), k),
        "a search does not give (q, k) ids and scores",
    )
    _must(
        found.dtype == np.int64 and scores.dtype == np.float32,
        "ids are not int64, or scores not float32",
    )
    _must(bool(np.isin(found, ids).all()), "a search finds ids that are not there")
    _must(all(len(set(row)) == k for row in found.tolist()), "a search finds an id more than once")
    _must(
        bool((np.diff(scores, axis=1) <= 0).all()),
        "hits are not best first, higher being more alike",
    )
    place = {int(i): at for at, i in enumerate(ids)}
    true = np.array([[exact[q, place[i]] for i in row] for q, row in enumerate(found.tolist())])
    _must(
        bool(np.allclose(true, scores, atol=1e-4)), "a score is not the inner product with its row"
    )
    floor = np.sort(exact, axis=1)[:, -k]
    recall = float((scores >= floor[:, None] - 1e-5).mean())
    _must(recall >= min_recall, f"index recall at {k} is {recall:.3f}, expected {min_recall}")
    everything, _ = engine.search(queries[:3], n + 100)
    complete = all(set(row) == set(ids.tolist()) for row in everything.tolist())
    _must(complete and everything.shape[1] == n, "k beyond the count does not give every row once")


def _check_ids_used_twice(engine: Engine, ids: Int64, rows: Float32) -> None:
    before = engine.count()
    for again in (ids[:1], np.array([20_000, 20_000])):
        try:
            engine.add(again, rows[: len(again)])
        except DuplicateRecord:
            continue
        raise AssertionError("an id that stands twice is not refused")
    _must(engine.count() == before, "a refused add changes something")


def _check_files(
    engine: Engine, make: Callable[[int], Engine], folder: Path, queries: Float32
) -> None:
    path = folder / "engine.index"
    engine.save(path)
    _must(
        [file.name for file in folder.iterdir()] == [path.name],
        "save leaves other files than the one named",
    )
    copy = make(24)
    copy.load(path)
    (ids, scores), (found, found_scores) = engine.search(queries, 5), copy.search(queries, 5)
    same = np.array_equal(ids, found) and np.array_equal(scores, found_scores)
    _must(
        same and copy.count() == engine.count(),
        "a loaded engine finds other rows than the saved one did",
    )
    data = path.read_bytes()
    middle = len(data) // 2
    changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    damaged = {"truncated": data[:-7], "halved": data[:middle], "empty": b"", "changed": changed}
    for what, content in damaged.items():
        path.write_bytes(content)
        _must(_is_refused(make(24), path), f"a file that was {what} is not refused")
    path.write_bytes(data)
    _must(_is_refused(make(16), path), "a file of another dimension is not refused")
    path.unlink()
    _must(_is_refused(make(24), path), "a missing file is not refused")


def _is_refused(engine: Engine, path: Path) -> bool:
    try:
        engine.load(path)
    except GalleryError:
        return True
    return False


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
