"""Thresholds of a search by the size of the gallery, each with its own certificate.

A search compares with every record, so a threshold that is right for ten records lets a thousand
strangers in at a million. The ladder has a step for each doubling of the gallery, up to the
largest size that the data can prove.
"""

from __future__ import annotations

import math

import msgspec

from gemel.calibrate.goals.certificates import Certificate, fmr_threshold, fmr_thresholds
from gemel.calibrate.goals.refusal import refused
from gemel.calibrate.goals.target import Target
from gemel.calibrate.scores.scores import Scores
from gemel.decide.bands import Band, SizedBand
from gemel.errors import ConfigError, TargetRefused

FIRST = 10
N_STEPS = 24
"""Doublings of the first size, at most: 84 million records."""


def fmr_for_fpir(fpir: float, gallery_size: int) -> float:
    """FMR that each comparison may have, so that a search of a gallery stays within an FPIR.

    Args:
        fpir: share of searches without a mate in the gallery that may match something, in (0, 1).
        gallery_size: enrolled records.
    Where some probes match more easily than others, or records of the gallery are alike, the FPIR
    is smaller than this allows for (Jensen), never larger.

    Source: Grother and Phillips 2004, independent comparisons: FPIR = 1 - (1 - FMR)^N.
    Example:
        >>> f"{fmr_for_fpir(0.01, 10_000):.3g}"
        '1.01e-06'
    """
    return -math.expm1(math.log1p(-fpir) / max(gallery_size, 1))


def fpir_threshold(scores: Scores, target: Target) -> Certificate:
    """The loosest threshold proven to keep the FPIR of a gallery within the target.

    Args:
        scores: labelled comparisons of both classes.
        target: of kind `fpir`.
    Returns:
        The certificate of the FMR that the FPIR needs.
    Raises:
        TargetRefused: the data cannot prove it; says what is missing.
        ConfigError: the target does not say how large the gallery is.
    """
    fpir, size = target.value or 0.0, target.gallery_size
    if size is None:
        raise ConfigError(
            "an FPIR depends on the size of the gallery",
            where="calibrate.gallery_size",
            hint="say how many records a search compares with",
        )
    try:
        return fmr_threshold(scores, fmr_for_fpir(fpir, size), target.confidence)
    except TargetRefused as e:
        # The largest gallery for which the smallest FMR still gives the FPIR.
        reach = math.log1p(-fpir) / math.log1p(-min(e.refusal.reach, 1 - 1e-9))
        raise refused(
            msgspec.structs.replace(
                e.refusal, kind="fpir", value=fpir, gallery_size=size, reach=math.floor(reach)
            )
        ) from e


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
        fpir_threshold(scores, msgspec.structs.replace(target, gallery_size=asked or FIRST))
    return tuple(found)


def _step(size: int, proof: Certificate, below: list[SizedBand]) -> SizedBand:
    """A step that is not less strict than the one below."""
    threshold = max([proof.threshold, *(step.band.threshold for step in below[-1:])])
    band = Band(threshold=threshold, review_low=threshold, review_high=threshold)
    return SizedBand(gallery_size=size, band=band, fmr=proof.bound)
