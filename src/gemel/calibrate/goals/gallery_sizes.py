"""Thresholds of a search by the size of the gallery, each with its own certificate.

A search compares with every record, so a threshold that is right for ten records lets a thousand
strangers in at a million. The ladder has a step for each doubling of the gallery, up to the
largest size that the data can prove.
"""

from __future__ import annotations

import msgspec

from gemel.calibrate.goals.certificates import Certificate, fmr_thresholds
from gemel.calibrate.goals.choose import Target, choose, fmr_for_fpir
from gemel.calibrate.scores.scores import Scores
from gemel.decide.bands import Band, SizedBand
from gemel.errors import ConfigError

FIRST = 10
N_STEPS = 24
"""Doublings of the first size, at most: 84 million records."""


def ladder(scores: Scores, target: Target) -> tuple[SizedBand, ...]:
    """A threshold for each size of the gallery, from small to large.

    A bound on the FMR of a comparison bounds the FPIR of a search, whatever the probes and the
    records have in common: see `fmr_for_fpir`. Simulated worlds with alike and with unlike
    probes have it too strict, never too loose.

    Args:
        scores: labelled comparisons of both classes (of dev).
        target: of kind `fpir`; its `gallery_size` must be reached, None goes as far as it can.
    Returns:
        At least one step; each size is certified on its own.
    Raises:
        TargetRefused: the size that was asked for, or even the first, cannot be proven.
    """
    if target.kind != "fpir" or target.value is None:
        raise ConfigError(f"target {target.kind} does not depend on the gallery", where="fpir")
    asked = target.gallery_size
    sizes = [FIRST * 2**i for i in range(N_STEPS)]
    if asked is not None:
        sizes = [*(size for size in sizes if size < asked), asked]
    limits = [fmr_for_fpir(target.value, size) for size in sizes]
    found: list[SizedBand] = []
    for size, proof in zip(sizes, fmr_thresholds(scores, limits, target.confidence), strict=True):
        if proof is not None:
            found.append(_step(size, proof, found))
    if not found or (asked is not None and found[-1].gallery_size != asked):
        wanted = msgspec.structs.replace(target, gallery_size=asked or FIRST)
        choose(scores, wanted)  # is refused, with what is missing
    return tuple(found)


def _step(size: int, proof: Certificate, below: list[SizedBand]) -> SizedBand:
    """A step that is not less strict than the one below."""
    threshold = max([proof.threshold, *(step.band.threshold for step in below[-1:])])
    band = Band(threshold=threshold, review_low=threshold, review_high=threshold)
    return SizedBand(gallery_size=size, band=band, fmr=proof.bound)
