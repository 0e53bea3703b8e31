"""Texts to arrays for a pretrained network: tokens, by the tokenizer that the network came with.

The tokenizer is part of the description, whole, and so of `space_id`. A text that is longer than
the network takes is cut off, or goes in as windows of which the network takes the mean; which of
the two is part of the description too. Serving needs `tokenizers` (the extra `text`), no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import digest
from gemel.data.schema import Field
from gemel.encode.ragged import THERE
from gemel.encode.text.prepare import Known, check_text
from gemel.errors import ConfigError, InvalidInput, ReleaseError
from gemel.settings import LongTexts

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

TOKENS = "token"
MAX_WINDOWS = 32
LETTERS = 4
"""Characters of a token, about."""
LOOKED_AT = 16
"""Characters for each token that is taken; of a text that is cut off, more only where needed."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides the tokens of a text; part of `prepare.json`.

    Attributes:
        tokenizer: content of a `tokenizer.json`.
        max_length: tokens of a text, or of one window of it, with those that mark its ends.
        long_texts: truncate: what is behind `max_length` is not looked at; windows: it is.
        pad: id of the token that fills up.
        lower: texts are put into small letters first.
        prefix: is put before every text.
        modality: of the payloads.
    """

    tokenizer: str
    max_length: int
    long_texts: LongTexts = "truncate"
    pad: int = 0
    lower: bool = False
    prefix: str = ""
    modality: str = "text"


class TokenPrepare:
    """Texts to `token` int32 and `there` uint8: (n, tokens), or (n, windows, tokens) of windows.

    Args:
        said: what decides the tokens.
    Raises:
        ReleaseError: it holds no tokenizer.
        ConfigError: `tokenizers` is not installed.
    """

    modality = "text"
    fields: tuple[Field, ...] = ()

    def __init__(self, said: Tokens) -> None:
        self.said = said
        self.by = digest(msgspec.json.encode(said))
        self._tokenizer = _tokenizer(said)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> TokenPrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: the spec is not one of tokens.
        """
        try:
            return cls(msgspec.convert(dict(spec), Tokens))
        except msgspec.ValidationError as e:
            raise ReleaseError(f"this is no preprocessing of texts to tokens: {e}") from e

    def spec(self) -> dict[str, Any]:
        """Everything that decides the arrays, as JSON values."""
        spec: dict[str, Any] = msgspec.to_builtins(self.said)
        return spec

    def check(self, payload: Any) -> None:
        """Raise InvalidInput if the payload is no text, has no word, or has too many windows."""
        check_text(payload)
        # A token has at least a byte: most texts need no look.
        if self.said.long_texts == "windows" and len(payload.encode()) > MAX_WINDOWS:
            n = 1 + len(self._encoded([payload])[0].overflowing)
            if n > MAX_WINDOWS:
                raise InvalidInput(
                    f"a text of {n:,} windows of {self.said.max_length} tokens, "
                    f"at most {MAX_WINDOWS}",
                    where="text",
                    hint="split it, and enroll the parts as records of one identity",
                )

    def n_cut(self, payloads: Sequence[str]) -> int:
        """How many of the texts have an end that is not looked at."""
        if self.said.long_texts == "windows":
            return 0
        return sum(bool(e.overflowing) for e in self._encoded(payloads))

    def __call__(self, payloads: Sequence[str]) -> dict[str, NDArray[Any]]:
        """`token` int32 and `there` uint8, as wide as the longest of these texts."""
        found = self._windows(payloads)
        n_windows = max((len(windows) for windows in found), default=1)
        width = max((len(ids) for windows in found for ids in windows), default=1)
        shape = (len(found), n_windows, max(1, width))
        token, there = np.full(shape, self.said.pad, np.int32), np.zeros(shape, np.uint8)
        for i, windows in enumerate(found):
            for j, ids in enumerate(windows):
                token[i, j, : len(ids)] = ids
                there[i, j, : len(ids)] = 1
        if self.said.long_texts == "windows":
            return {TOKENS: token, THERE: there}
        return {TOKENS: token[:, 0], THERE: there[:, 0]}

    def work(self, text: str) -> float:
        """Tens of tokens that a text has, about, as far as they are taken."""
        windows = MAX_WINDOWS if self.said.long_texts == "windows" else 1
        n_tokens = min(len(text) / LETTERS, self.said.max_length * windows)
        return max(1, n_tokens / 10)

    def known(self, text: str) -> Known:
        """The text, with its tokens, and where among them a window begins."""
        if self._knows(text):
            return text
        (windows,) = self._windows([text])
        begins = np.zeros(sum(len(ids) for ids in windows), np.uint8)
        begins[:1] = 1
        begins[np.cumsum([len(ids) for ids in windows[:-1]], dtype=int)] = 1
        return Known.of(text, self.by, (np.concatenate(windows, dtype=np.int32), begins))

    def _knows(self, text: str) -> TypeGuard[Known]:
        return isinstance(text, Known) and text.by == self.by

    def _windows(self, texts: Sequence[str]) -> list[list[NDArray[np.int32]]]:
        """Of each text its windows, of each window its tokens."""
        fresh = iter(self._encoded([text for text in texts if not self._knows(text)]))
        found: list[list[NDArray[np.int32]]] = []
        for text in texts:
            if self._knows(text):
                ids, begins = text.found
                found.append(np.split(ids, np.flatnonzero(begins)[1:]))
                continue
            encoded = next(fresh)
            more = encoded.overflowing if self.said.long_texts == "windows" else ()
            found.append([np.array(one.ids, np.int32) for one in (encoded, *more)])
        return found

    def _encoded(self, texts: Sequence[str]) -> list[Encoding]:
        whole = [self.said.prefix + (t.lower() if self.said.lower else t) for t in texts]
        if self.said.long_texts == "windows":
            return self._tokenizer.encode_batch_fast(whole)
        return self._beginnings(whole, LOOKED_AT * self.said.max_length)

    def _beginnings(self, texts: Sequence[str], size: int) -> list[Encoding]:
        """What is not cut off, which does not depend on what stands far behind it.

        Texts are looked at as far as a blank behind `size` characters, and further if fewer tokens
        than for two windows more stand before it.
        """
        parts = [_until_blank(text, size) for text in texts]
        found = self._tokenizer.encode_batch_fast(parts)
        short = [
            i
            for i, (part, text) in enumerate(zip(parts, texts, strict=True))
            if len(part) < len(text) and len(found[i].overflowing) < 2
        ]
        if short:
            more = self._beginnings([texts[i] for i in short], 8 * size)
            for i, encoded in zip(short, more, strict=True):
                found[i] = encoded
        return found


def _until_blank(text: str, size: int) -> str:
    at = text.find(" ", size)
    return text if at < 0 else text[:at]


def _tokenizer(said: Tokens) -> Tokenizer:
    try:
        from tokenizers import Tokenizer
    except ImportError as e:
        raise ConfigError(
            "texts of this release go through a tokenizer, which is not installed",
            hint="pip install 'gemel[text]'",
        ) from e
    try:
        tokenizer = Tokenizer.from_str(said.tokenizer)
    except Exception as e:  # what the library raises has no type of its own
        raise ReleaseError(f"this is no tokenizer: {e}") from e
    tokenizer.no_padding()
    tokenizer.enable_truncation(said.max_length)
    return tokenizer
