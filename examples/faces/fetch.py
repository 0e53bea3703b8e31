"""Are two old photographs of the same person?

173 yearbook photographs of 30 people, of which the eyes are marked. Each is turned and cut so that
the eyes stand at the same places.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from gemel.cli import example
from gemel.data.archives import Archive

PACKAGES = (
    Archive(
        "pip",
        "pyvision-toolkit",
        "1.3.6",
        "216587b4d9ce273a5eca99fbdd4b03d2ff0300244d3b03a6e00200eba86b40ae",
        "BSD of PyVision, by David S. Bolme",
    ),
)
SIDE = 112
EYES = ((0.31, 0.33), (0.69, 0.33))
"""Where the eyes come to stand, as shares of the side."""


def write(folder: Path, rows: int) -> None:
    """Write the photographs, a folder for each person."""
    shots = "pyvision/data/csuScrapShots/"
    found = dict(PACKAGES[0].members(f"{shots}*.pgm", f"{shots}coords.txt"))
    people: dict[str, list[bytes]] = {}
    for line in found[f"{shots}coords.txt"].decode().splitlines():
        name, *numbers = line.split()
        if f"{shots}{name}.pgm" in found and len(numbers) == 4:
            eyes = np.array(numbers, dtype=float).reshape(2, 2)
            photo = Image.open(io.BytesIO(found[f"{shots}{name}.pgm"]))
            people.setdefault(name[:5], []).append(aligned(photo, eyes))
    example.write_files(folder / "faces", example.whole(people, rows), ".png")


def aligned(photo: Image.Image, eyes: np.ndarray) -> bytes:
    """A square PNG of a photograph; `eyes` are their (x, y), the left one of the picture first."""
    wanted = SIDE * np.array(EYES)
    # A turn and a scale, as complex numbers: from where they shall stand to where they stand.
    (a, b), (c, d) = ([complex(*point) for point in points] for points in (wanted, eyes))
    turn = (d - c) / (b - a)
    shift = c - turn * a
    moved = (turn.real, -turn.imag, shift.real, turn.imag, turn.real, shift.imag)
    square = photo.transform((SIDE, SIDE), Image.Transform.AFFINE, moved, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    square.convert("L").save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    example.script(PACKAGES, write)
