"""Which picture is meant by a few words, and which words by a picture?

The emoji of the example `products` with their names: three pictures of each, by Twitter, Google
and Microsoft, and the one name that the first of them gives it. A class is an emoji, its members
are its pictures and its name.
"""

from __future__ import annotations

from pathlib import Path

from gemel.cli import example

EMOJI = example.named("products").module
PACKAGES = EMOJI.PACKAGES
THINGS = 400
VENDORS: int = EMOJI.VENDORS


def write(folder: Path, rows: int) -> None:
    """Write the pictures, and then the table with the name of each."""
    most = rows * VENDORS // (VENDORS + 1) or VENDORS * THINGS
    kept = example.whole(EMOJI.emoji(), most)
    files = {points: [EMOJI.drawn(svg) for _, svg in found] for points, found in kept.items()}
    example.write_files(folder / "emoji", files, ".png")
    lines = [
        (f"emoji/{points}/{points}-{i}.png", found[0][0].replace("-", " "))
        for points, found in kept.items()
        for i in range(len(found))
    ]
    example.write_table(folder / "captions.csv", ("file", "name"), lines)


if __name__ == "__main__":
    example.script(PACKAGES, write)
