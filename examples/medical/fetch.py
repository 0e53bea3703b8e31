"""Which slice of a brain is this, seen in another contrast?

The brain template MNI152 (2009a) in three contrasts: T1, grey matter and white matter. A class is
one place, every third slice along each axis; its members are its pictures in the three contrasts,
so that whatever matches must match across contrasts, against all other slices of its own.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
from PIL import Image

from gemel.cli import example
from gemel.data.archives import Archive

PACKAGES = (
    Archive(
        "pip",
        "nilearn",
        "0.14.1",
        "725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a",
        "BSD-3-Clause; template: free with notice, McConnell Brain Imaging Centre, McGill",
    ),
)
CONTRASTS = ("t1", "gm", "wm")
STEP = 3
SIDE = 96
LEAST = 0.05
"""Share of a slice that is not black."""


def write(folder: Path, rows: int) -> None:
    """Write the slices, a folder for each place."""
    pattern = "nilearn/datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
    volumes = []
    for contrast in CONTRASTS:
        [(_, packed)] = PACKAGES[0].members(pattern.format(contrast))
        volumes.append(volume(gzip.decompress(packed)))
    places: dict[str, list[bytes]] = {}
    for axis, name in enumerate(("sagittal", "coronal", "axial")):
        for at in range(0, volumes[0].shape[axis], STEP):
            slices = [np.moveaxis(v, axis, 0)[at] for v in volumes]
            if all((s > 25).mean() > LEAST for s in slices):
                places[f"{name}-{at:03d}"] = [picture(s) for s in slices]
    example.write_files(folder / "slices", example.whole(places, rows), ".png")


def volume(nifti: bytes) -> np.ndarray:
    """The voxels of a NIfTI-1 file of bytes, (x, y, z) uint8."""
    shape = np.frombuffer(nifti, "<i2", 4, 40)[1:]
    start = int(np.frombuffer(nifti, "<f4", 1, 108)[0])
    return np.frombuffer(nifti, np.uint8, int(np.prod(shape)), start).reshape(shape, order="F")


def picture(pixels: np.ndarray) -> bytes:
    """A slice as a PNG, with the head up, SIDE pixels wide."""
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels.T[::-1]))
    image.resize((SIDE, SIDE), Image.Resampling.BILINEAR).save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    example.script(PACKAGES, write)
