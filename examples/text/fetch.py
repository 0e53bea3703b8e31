"""Which text is meant by a question in other words?

Words of one meaning that two dictionaries define on their own: WordNet 3.0 and Webster's of 1913
(in GCIDE). A class is a word, its members are its two definitions, which share few words.
"""

from __future__ import annotations

import gzip
import re
import string
from collections import Counter
from pathlib import Path

from gemel.cli import example
from gemel.data.archives import Archive

WORDNET = Archive(
    "apt",
    "wordnet-base",
    "1:3.0-37",
    "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
    "WordNet licence (permissive, with notice)",
)
WEBSTER = Archive(
    "apt",
    "dict-gcide",
    "0.48.5+nmu2",
    "7b0af5cfde3cbdef5e9d6e78f92ec335ced7c2790f37a40f49bebc6f7347ac0f",
    "GPL-2.0-or-later; fetched when it is run, not part of gemel",
)
PACKAGES = (WORDNET, WEBSTER)
WORDS = 800
LENGTH = (30, 400)
"""Characters of a definition."""
DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


def write(folder: Path, rows: int) -> None:
    """Write a table of definitions with the word of each."""
    one, other = wordnet(), webster()
    both = {word: [one[word], other[word]] for word in one if word in other}
    kept = example.whole(example.distinct(both), rows or 2 * WORDS)
    lines = [
        (f"{word}-{i}", word, text)
        for word, texts in sorted(kept.items())
        for i, text in enumerate(texts)
    ]
    example.write_table(folder / "definitions.csv", ("id", "word", "text"), lines)


def wordnet() -> dict[str, str]:
    """The definition of each word of one meaning, without its examples."""
    found: dict[str, list[str]] = {}
    for _, data in WORDNET.members("./usr/share/wordnet/data.*"):
        for line in data.decode().splitlines():
            head, _, gloss = line.partition(" | ")
            if gloss:
                words = head.split()
                named = words[4 : 4 + 2 * int(words[3], 16) : 2]
                text = gloss.partition('; "')[0].strip()
                for word in named:
                    found.setdefault(word.lower(), []).append(text)
    return {w: texts[0] for w, texts in found.items() if len(texts) == 1 and fits(w, texts[0])}


def webster() -> dict[str, str]:
    """The definition of each word of one meaning that is Webster's of 1913."""
    files = dict(WEBSTER.members("*/gcide.index", "*/gcide.dict.dz"))
    index, text = (files[f"./usr/share/dictd/gcide.{end}"] for end in ("index", "dict.dz"))
    entries = [line.split("\t") for line in index.decode().splitlines()]
    often, book = Counter(word.lower() for word, *_ in entries), gzip.decompress(text)
    found = {}
    for word, at, length in entries:
        start = number(at)
        entry = book[start : start + number(length)].decode(errors="replace")
        said = " ".join(re.sub(r"\[[^\]]*\]", "", entry).partition("\n")[2].split())
        said = re.sub(r"^(1\. )?(\([A-Z][a-z. &]*\) )?| --.*", "", said)
        whole = often[word.lower()] == 1 and "[1913 Webster]" in entry and "WordNet" not in entry
        if whole and " 2. " not in said and fits(word, said):
            found[word.lower()] = said
    return found


def fits(word: str, text: str) -> bool:
    """Whether a definition is of a plain word, long enough, and does not name it."""
    plain = re.fullmatch(r"[A-Za-z]+", word) and "Same as" not in text
    return bool(plain) and LENGTH[0] <= len(text) <= LENGTH[1] and word.lower() not in text.lower()


def number(digits: str) -> int:
    """A number as indexes of dictd have it, to the base of 64."""
    total = 0
    for digit in digits:
        total = 64 * total + DIGITS.index(digit)
    return total


if __name__ == "__main__":
    example.script(PACKAGES, write)
