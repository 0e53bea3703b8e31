"""What views and crowding tell of records without labels."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from gemel.arrays import Bool, Int64
from gemel.calibrate.goals import estimated
from gemel.calibrate.goals.target import Target
from gemel.data.pairing import ALL
from gemel.train import towers
from gemel.train.comparators import by_views

N, COPIES = 400, 40
SIDE = 64
"""Pixels of a detail of a photo."""


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_views_that_differ_more_than_copies_do_not_make_matches_of_others() -> None:
    """Training varies a picture more than people do who save it once more."""
    rng = np.random.default_rng(0)
    one = _unit(rng.normal(size=(N, 8)))
    records = np.concatenate([one, _unit(one[:COPIES] + 0.01 * rng.normal(size=(COPIES, 8)))])
    one_view, other = (_unit(records + 0.3 * rng.normal(size=records.shape)) for _ in range(2))
    told = by_views.told(records, (one_view, other))
    found, same = _judged(told, np.concatenate([np.arange(N), np.arange(COPIES)]))
    assert found[same].all()
    assert same[found].mean() > 0.75


def test_where_nothing_is_the_same_hardly_anything_matches() -> None:
    """Points of a circle that keep their distances: fewer are close than would be by chance."""
    angle = np.linspace(0, 2 * np.pi, N, endpoint=False)
    records = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    turned = np.stack([np.cos(angle + 0.01), np.sin(angle + 0.01)], axis=1).astype(np.float32)
    _, told = by_views.told(records, (records, turned)).fitted()
    point = estimated.choose(estimated.sweep_of(told), Target(kind="f1"))
    assert point.precision.value < 0.01
    assert point.n_false_match <= N


def _judged(told: towers.Told, things: Int64) -> tuple[Bool, Bool]:
    """Which pairs match by the threshold with the best F1 expected, and which are the same."""
    assert isinstance(told, by_views.Viewed)
    _, expected = told.fitted()
    threshold = estimated.choose(estimated.sweep_of(expected), Target(kind="f1")).threshold
    left, right = np.triu_indices(len(things), 1)
    cosine = np.einsum("nd,nd->n", told.embeddings[left], told.embeddings[right])
    return cosine >= threshold, things[left] == things[right]


@pytest.mark.parametrize("versions", [3, 4, 6, 9])
def test_things_in_several_versions_each_are_not_taken_for_strangers(versions: int) -> None:
    """Pictures of a shop: each file cropped and recompressed for several pages."""
    photos = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    corners = [(p, x, y) for p in photos for y in range(20, 340, SIDE) for x in range(0, 576, SIDE)]
    rng, files, things = np.random.default_rng(0), [], []
    for thing, (photo, x, y) in enumerate(corners[:: len(corners) // 30][:30]):
        detail = photo.crop((x, y, x + SIDE, y + SIDE))
        files += [_saved(detail, 95), *(_version(detail, rng) for _ in range(versions - 1))]
        things += [thing] * versions
    image = towers.trainable("image")
    prepare = image.fitted(files, (), 24)
    arrays = prepare(files)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tower = image.tower(prepare, arrays, size="tiny")
    told = image.unlabelled(tower, arrays, image.views(prepare), seed=0, pairing=ALL)
    found, same = _judged(told, np.array(things))
    assert found[same].mean() > 0.7
    assert same[found].mean() > 0.9


def _version(detail: Image.Image, rng: np.random.Generator) -> bytes:
    """A picture with up to a sixteenth cut off each side, as a worse JPEG file."""
    left, top, right, bottom = rng.integers(0, SIDE // 16 + 1, 4).tolist()
    return _saved(detail.crop((left, top, SIDE - right, SIDE - bottom)), int(rng.integers(40, 80)))


def _saved(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()
