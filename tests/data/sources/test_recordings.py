from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from tests.encode import voices

from gemel.data.sources import recordings

WAV = voices.said(120.0, 0)


def renamed(size: int) -> bytes:
    """The file with another size of its sound in the head."""
    at = WAV.index(b"data") + 4
    return WAV[:at] + size.to_bytes(4, "little") + WAV[at + 4 :]


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_wav_file_that_ends_before_its_sound_is_refused(share: float) -> None:
    assert recordings.fault(WAV) == ""
    said = recordings.fault(WAV[: int(share * len(WAV))])
    assert said == "cut short: its head announces more sound than there is"


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F000])
def test_a_head_that_was_written_to_a_pipe_is_not_taken_at_its_word(size: int) -> None:
    assert not recordings.is_cut_short(renamed(size))


def test_what_stands_before_or_behind_the_sound_changes_nothing() -> None:
    at = WAV.index(b"data")
    noted = WAV[:at] + b"LIST\x03\0\0\0abc\0" + WAV[at:] + b"id3 \x04\0\0\0abcd"
    assert recordings.fault(noted) == ""
    assert recordings.is_cut_short(WAV[:at] + b"LIST\x03\0\0\0abc\0" + WAV[at:-100])


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "AIFF", "MP3"])
def test_other_formats_are_not_looked_at(kind: str) -> None:
    sound, rate = recordings.samples(WAV)
    file = io.BytesIO()
    soundfile.write(file, np.tile(sound, 3), rate, format=kind)
    assert not recordings.is_cut_short(file.getvalue()) and recordings.fault(file.getvalue()) == ""


def test_a_size_that_is_odd_may_lack_its_padding() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.full(8001, 0.5), 8000, format="WAV", subtype="PCM_U8")
    whole = file.getvalue()
    assert recordings.fault(whole[: whole.index(b"data") + 8 + 8001]) == ""
