"""Texts to arrays: which character n-grams, words and pairs of words a text has, and how often.

A text becomes a set of hashes of fixed width, so that length costs nothing in training. Of a text
with more different ones than the width, the smallest hashes count: a sample that does not depend on
where in the text they stand and is the same for the same n-gram in every text, so that the overlap
of two samples estimates the overlap of the texts (a bottom-k sketch: Cohen and Kaplan, 2007).
Nothing is cut off at the end. Knows nothing of networks.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from gemel.data.schema import Field
from gemel.encode.row.prepare import folded
from gemel.errors import DataError, InvalidInput, ReleaseError

SIZES = (3, 4, 5)
"""Bytes of an n-gram; none goes over the edge of a word by more than the blank there."""
MIN_WIDTH, MAX_WIDTH = 16, 2048
MAX_BYTES = 1 << 20
BITS = 31
MASK = (1 << BITS) - 1
AT_ONCE = 1 << 13
"""Characters of texts that are looked through together."""
FACTOR = np.uint64(1_099_511_628_211)
MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
BLANK = ord(" ")
HINT = 'send {"text": "..."}'
Found = tuple[NDArray[np.int32], NDArray[np.uint8]]


class Known(str):
    """A text, with what a preprocessing found in it, so that it need not look where others wait.

    Attributes:
        by: which preprocessing that was; another one does not take it.
        found: numbers, and how often each comes or whether it is one.
    """

    __slots__ = ("by", "found")
    by: str
    found: Found

    @classmethod
    def of(cls, text: str, by: str, found: Found) -> Known:
        """A text of which this is known."""
        new = cls(text)
        new.by, new.found = by, found
        return new


class TextPrepare:
    """Texts to `gram` (n, width) int32, increasing hashes and zeros, and `count` (n, width) uint8.

    Args:
        width: different n-grams and words of a text that are looked at.
    """

    modality = "text"
    fields: tuple[Field, ...] = ()
    by = "hashes"

    def __init__(self, width: int) -> None:
        if not MIN_WIDTH <= width <= MAX_WIDTH:
            raise DataError(f"a width of {width}, expected {MIN_WIDTH} to {MAX_WIDTH}")
        self.width = width

    @classmethod
    def fit(cls, texts: Sequence[str]) -> TextPrepare:
        """The preprocessing of which 99 of 100 of these texts use no more than the width."""
        widths = [len(found) for found, _ in hashes(texts)] or [MIN_WIDTH]
        width = math.ceil(float(np.percentile(widths, 99)))
        return cls(min(MAX_WIDTH, max(MIN_WIDTH, width)))

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> TextPrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: the spec is not one of texts.
        """
        try:
            return cls(int(spec["width"]))
        except (KeyError, TypeError, ValueError, DataError) as e:
            raise ReleaseError(f"this is no preprocessing of texts: {e}") from e

    def spec(self) -> dict[str, Any]:
        """Everything that decides the arrays, as JSON values."""
        return {
            "modality": self.modality,
            "width": self.width,
            "sizes": list(SIZES),
            "text": "NFKC, case folded, blanks collapsed, UTF-8",
        }

    def check(self, payload: Any) -> None:
        """Raise InvalidInput if the payload is no text, has no word, or is longer than 1 MiB."""
        check_text(payload)

    def __call__(self, payloads: Sequence[str]) -> dict[str, NDArray[Any]]:
        """`gram` (n, width) int32 and `count` (n, width) uint8, both zero where there is none."""
        gram = np.zeros((len(payloads), self.width), np.int32)
        count = np.zeros((len(payloads), self.width), np.uint8)
        new = hashes([text for text in payloads if not self._is_known(text)])
        for i, text in enumerate(payloads):
            found, times = text.found if self._is_known(text) else next(new)
            n = min(len(found), self.width)
            gram[i, :n], count[i, :n] = found[:n], times[:n]
        return {"gram": gram, "count": count}

    def work(self, text: str) -> float:
        """Half thousands of characters that are to be looked through."""
        return 1 if self._is_known(text) else max(1, len(text) / 500)

    def _is_known(self, text: str) -> TypeGuard[Known]:
        return isinstance(text, Known) and text.by == self.by

    def known(self, text: str) -> Known:
        """The text, with as many of its hashes as any width needs."""
        if self._is_known(text):
            return text
        values, counts = next(hashes([text]))
        return Known.of(text, self.by, (values[:MAX_WIDTH], counts[:MAX_WIDTH]))


def check_text(payload: Any) -> None:
    """Raise InvalidInput if the payload is no text, has no word, or is longer than 1 MiB."""
    if not isinstance(payload, str):
        raise InvalidInput(f"a {type(payload).__name__} is no text", where="text", hint=HINT)
    try:
        n_bytes = len(payload.encode())
    except UnicodeEncodeError as e:
        raise InvalidInput("half a character (a lone surrogate)", where="text") from e
    if n_bytes > MAX_BYTES:
        hint = "split it, and enroll the parts as records of one identity"
        raise InvalidInput(
            f"a text of {n_bytes:,} bytes, at most {MAX_BYTES:,}", where="text", hint=hint
        )
    if not folded(payload):
        raise InvalidInput("an empty text", where="text", hint=HINT)


def hashes(texts: Sequence[str]) -> Iterator[Found]:
    """What each text has: different hashes, increasing and above 0, and how often, at most 255.

    Short texts are looked through together, since the calls cost more than the work.
    """
    together: list[list[bytes]] = []
    n_letters = 0
    for text in texts:
        words = folded(text).encode().split(b" ")
        together.append(words)
        n_letters += len(text)
        if n_letters >= AT_ONCE:
            yield from _hashes(together)
            together, n_letters = [], 0
    yield from _hashes(together)


def _hashes(texts: Sequence[Sequence[bytes]]) -> Iterator[Found]:
    """The same of the words of some texts."""
    if not texts:
        return
    lines = [b" ".join([b"", *words, b""]) for words in texts]
    line = np.frombuffer(b"".join(lines), np.uint8)
    pairs = [[b" ".join(pair) for pair in pairwise(words)] for words in texts]
    owner = np.repeat(np.arange(len(texts)), [len(one) for one in lines])
    keys = [
        *(_of_words(some, salt) for salt, some in ((1, texts), (2, pairs))),
        *_ngrams(line, owner),
    ]
    found, counts = np.unique(np.concatenate(keys), return_counts=True)
    values = (found & MASK).astype(np.int32)
    times = np.minimum(counts, 255).astype(np.uint8)
    ends = np.searchsorted(found >> BITS, np.arange(len(texts) + 1))
    for start, end in pairwise(ends):
        yield values[start:end], times[start:end]


def _of_words(texts: Sequence[Sequence[bytes]], salt: int) -> NDArray[np.int64]:
    values = np.array([zlib.crc32(word) for words in texts for word in words], np.uint64)
    owner = np.repeat(np.arange(len(texts)), [len(words) for words in texts])
    return _keys(values + np.uint64(salt << 32), owner)


def _ngrams(line: NDArray[np.uint8], owner: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Of a line of bytes, those n-grams that have no blank but at their ends.

    Between two texts are two blanks, one of which is inside of whatever reaches over them.
    """
    letter, wide = line != BLANK, line.astype(np.uint64)
    for n in SIZES:
        size = len(line) - n + 1
        if size < 1:
            continue
        inside, hashed = np.ones(size, bool), np.full(size, n, np.uint64)
        for j in range(n):
            hashed = hashed * FACTOR + wide[j : j + size]
            if 0 < j < n - 1:
                inside &= letter[j : j + size]
        yield _keys(hashed[inside], owner[:size][inside])


def _keys(hashed: NDArray[np.uint64], owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which text, and the upper bits of hashes times a constant, above 0."""
    mixed = np.maximum((hashed * MIX) >> np.uint64(64 - BITS), np.uint64(1))
    keys: NDArray[np.int64] = (owner << BITS) | mixed.astype(np.int64)
    return keys
