"""How many records of one file belong to one of the other, and how rare that is, by the labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gemel.data.dataset import UNKNOWN, Dataset
from gemel.settings import Links


@dataclass(frozen=True)
class Found:
    """What labels say about links.

    Attributes:
        kind: how many partners a record has.
        share: of links among all pairs across the files.
    """

    kind: Links
    share: float


def of(dataset: Dataset) -> Found | None:
    """What the labels of two files say; None if they link nothing.

    Records of unknown identity are taken to have partners as often as labelled ones, known or not:
    of those of a labelled record, the other file labels as many as of all its records. No file has
    more than where each of its records had as many as the linked ones have.

    Args:
        dataset: of two files, with identities where they are known.
    """
    files = dataset.pairing.files
    if files is None:
        return None
    n_codes = len(dataset.identity_names)
    known = dataset.identities != UNKNOWN
    left, right = (
        np.bincount(dataset.identities[known & (files == file)], minlength=n_codes)
        for file in (0, 1)
    )
    n_links = int((left * right).sum())
    if not n_links:
        return None
    linked = (left > 0) & (right > 0)
    many_left, many_right = bool((left[linked] > 1).any()), bool((right[linked] > 1).any())
    kind: Links = "one-to-one"
    if many_left or many_right:
        kind = "many-to-many" if many_left and many_right else "one-to-many"
        kind = "many-to-one" if many_left and not many_right else kind
    sizes = np.bincount(files, minlength=2)
    expected, most = float(n_links), math.inf
    for n, side in zip(sizes.tolist(), (left, right), strict=True):
        expected *= n / int(side.sum())
        most = min(most, n * n_links / int(side[linked].sum()))
    share = min(expected, most) / float(sizes.prod())
    return Found(kind, min(0.5, float(f"{share:.2g}")))
