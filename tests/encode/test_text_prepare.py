"""Texts to hashes: what is the same text, what a long one keeps, and what is none."""

from __future__ import annotations

import zlib
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from gemel.encode.text.modality import EXPLAINED, TEXT
from gemel.encode.text.parts import TextParts
from gemel.encode.text.prepare import (
    AT_ONCE,
    FACTOR,
    MAX_BYTES,
    MAX_WIDTH,
    MIX,
    SIZES,
    Found,
    Known,
    TextPrepare,
)
from gemel.encode.text.prepare import hashes as hashes_of
from gemel.errors import InvalidInput, ReleaseError


def hashes(text: str) -> Found:
    return next(hashes_of([text]))


def plainly(text: str) -> Counter[int]:
    """The same by the book: one n-gram after the other, in Python's own integers."""
    words = text.encode().split(b" ")
    found = [(1 << 32) + zlib.crc32(word) for word in words]
    found += [(2 << 32) + zlib.crc32(b" ".join(pair)) for pair in pairwise(words)]
    for size in SIZES:
        for word in words:
            framed = b" " + word + b" "
            for at in range(len(framed) - size + 1):
                hashed = size
                for byte in framed[at : at + size]:
                    hashed = (hashed * int(FACTOR) + byte) % 2**64
                found.append(hashed)
    return Counter(max(1, (value * int(MIX)) % 2**64 >> 33) for value in found)


def test_texts_looked_through_together_have_what_each_has_by_the_book() -> None:
    rng = np.random.default_rng(1)
    texts = [
        " ".join("".join(rng.choice(list("abcé"), rng.integers(1, 7))) for _ in range(n))
        for n in [1, 1, 2, 3, 40, 1, *rng.integers(1, 60, 2000)]
    ]
    assert sum(map(len, texts)) > 2 * AT_ONCE
    for text, (values, counts) in zip(texts, hashes_of(texts), strict=True):
        assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == plainly(text)
        assert (np.diff(values) > 0).all()
    assert list(hashes_of([])) == []


def test_case_blanks_and_forms_of_unicode_do_not_matter() -> None:
    one, times = hashes("Die  STRASSE\u00a0\ufb01ndet\n")
    other, again = hashes("die strasse findet")
    assert np.array_equal(one, other) and np.array_equal(times, again)
    assert (np.diff(one) > 0).all() and one[0] > 0


def test_words_and_their_order_count() -> None:
    one, other = (set(hashes(text)[0].tolist()) for text in ("dog bites man", "man bites dog"))
    assert one != other and len(one & other) > 0.7 * len(one)
    assert not set(hashes("abc def")[0].tolist()) >= set(hashes("c d")[0].tolist())


def test_what_comes_often_is_counted() -> None:
    found, times = hashes("ha ha ha")
    assert times.max() == 3 and hashes("ha " * 1000)[1].max() == 255
    assert len(found) == len(hashes("ha " * 1000)[0])


def test_a_long_text_keeps_a_sample_that_estimates_overlap() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in rng.integers(0, 10**9, 6000)]
    prepare = TextPrepare(1024)
    left, right = " ".join(words[:4000]), " ".join(words[2000:])
    whole = [set(hashes(text)[0].tolist()) for text in (left, right)]
    some = [set(row[row > 0].tolist()) for row in prepare([left, right])["gram"]]
    true = len(whole[0] & whole[1]) / len(whole[0] | whole[1])
    smallest = sorted(some[0] | some[1])[:1024]
    estimated = len(some[0] & some[1] & set(smallest)) / len(smallest)
    assert abs(estimated - true) < 0.06  # four standard errors
    # What stands at the end is as likely to count as what stands in front.
    changed = prepare([left + " " + " ".join(words[4000:])])["gram"]
    assert not np.array_equal(changed[0], prepare([left])["gram"][0])


def test_a_long_text_is_looked_through_once_and_travels_with_what_it_has() -> None:
    text = " ".join(f"word{i}" for i in range(5000))
    prepare = TextPrepare(MAX_WIDTH)
    checked = TEXT.checked(prepare, text)
    arrived = TEXT.arrived(prepare, TEXT.travelling(checked))
    assert checked == arrived == text and type(TEXT.pack(arrived)) is str
    for there, plain in zip(prepare([arrived]).values(), prepare([text]).values(), strict=True):
        assert np.array_equal(there, plain)
    assert isinstance(arrived, Known) and TEXT.checked(prepare, arrived) is arrived
    short = TEXT.checked(prepare, "a short one")
    assert type(short) is str and TEXT.arrived(prepare, TEXT.travelling(short)) == short


def test_the_width_is_what_most_texts_need() -> None:
    texts = ["a few words", "some more words that are here"] * 50
    assert TextPrepare.fit(texts).width == len(hashes(texts[1])[0])
    assert TextPrepare.from_spec(TextPrepare(64).spec()).width == 64
    with pytest.raises(ReleaseError, match="no preprocessing of texts"):
        TextPrepare.from_spec({"modality": "text", "width": 0})


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (5, "a int is no text"),
        (b"text", "a bytes is no text"),
        ("", "an empty text"),
        (" \u00a0\n\t ", "an empty text"),
        ("\ud800", "half a character"),
        ("x" * (MAX_BYTES + 1), "1,048,577 bytes"),
    ],
)
def test_what_is_no_text(payload: object, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        TextPrepare(64).check(payload)
    assert caught.value.where == "text"


def test_a_text_that_is_too_long_to_take_apart_is_refused() -> None:
    text = "word " * (EXPLAINED // 5)
    assert len(TEXT.parts(TextPrepare(64), text).coarse()) == 12
    with pytest.raises(InvalidInput, match="up to 65,536 are explained"):
        TEXT.parts(TextPrepare(64), text + "words")


def test_long_texts_are_more_work_until_they_are_known() -> None:
    prepare, text = TextPrepare(64), "word " * 4000
    assert TEXT.work(prepare, {"text": text}) == TEXT.work(prepare, text) == len(text) / 500
    assert TEXT.work(prepare, prepare.known(text)) == TEXT.work(prepare, "word") == 1


def test_parts_are_runs_of_words() -> None:
    text = " ".join(f"word{i}" for i in range(60))
    coarse = TextParts(text).coarse()
    assert len(coarse) == 12 and coarse[0].name == "word0 word1 word2 word3 word4"
    assert coarse[0].without.startswith("word5 ")
    assert [cut.name for cut in TextParts(text).finer(coarse[0])] == [f"word{i}" for i in range(5)]
    assert len(TextParts("no no no no").coarse()) == 4
