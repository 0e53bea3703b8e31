"""Recordings to levels: what does not matter, what a long one keeps, and what is none."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal
from tests.encode import voices

from gemel.encode.audio.parts import AudioParts
from gemel.encode.audio.prepare import AudioPrepare, samples
from gemel.errors import InvalidInput, ReleaseError


def again(data: bytes, *, gain: float = 1.0, form: str = "WAV", channels: int = 1) -> bytes:
    sound, rate = soundfile.read(io.BytesIO(data))
    file = io.BytesIO()
    soundfile.write(file, np.stack([gain * sound] * channels, 1), rate, format=form)
    return file.getvalue()


def levels(prepare: AudioPrepare, data: bytes) -> np.ndarray:
    return prepare([data])["mel"][0].astype(float)


def test_loudness_channels_and_format_do_not_matter() -> None:
    data = voices.said(140, 0)
    prepare = AudioPrepare(8000, 100)
    own = levels(prepare, data)
    audible = own > 150
    for other in (again(data, gain=0.3), again(data, channels=2), again(data, form="FLAC")):
        assert np.abs(levels(prepare, other) - own)[audible].max() <= 2
    assert np.abs(levels(prepare, again(data, form="OGG")) - own)[audible].mean() < 12


def test_the_rate_of_the_file_does_not_matter() -> None:
    prepare = AudioPrepare(8000, 60)
    low, high = (levels(prepare, voices.said(140, 0, rate=r)) for r in (8000, 16000))
    bands = slice(4, 28)
    assert np.abs(low[:, bands].mean(0) - high[:, bands].mean(0)).mean() < 25
    assert AudioPrepare.fit([voices.said(140, 0, rate=44100)]).rate == 16000


def test_a_short_one_is_padded_and_a_long_one_heard_in_stretches() -> None:
    prepare = AudioPrepare(8000, 100)
    short = levels(prepare, voices.said(140, 0, seconds=0.5))
    assert short[:47].all() and not short[60:].any()
    sound = [soundfile.read(io.BytesIO(voices.said(p, 0, seconds=1)))[0] for p in (90, 300)]
    file = io.BytesIO()
    soundfile.write(file, np.concatenate(sound), 8000, format="WAV")
    long = levels(prepare, file.getvalue())
    first, last = (levels(prepare, voices.said(p, 0, seconds=1)).mean(0) for p in (90, 300))
    assert np.abs(long[:40].mean(0) - first).mean() < np.abs(long[:40].mean(0) - last).mean()
    assert np.abs(long[60:].mean(0) - last).mean() < np.abs(long[60:].mean(0) - first).mean()


def test_it_comes_back_from_its_spec() -> None:
    prepare = AudioPrepare.fit([voices.said(140, seed) for seed in range(3)])
    assert (prepare.rate, prepare.frames) == (8000, 80)
    assert AudioPrepare.from_spec(prepare.spec()).spec() == prepare.spec()
    with pytest.raises(ReleaseError, match="no preprocessing of recordings"):
        AudioPrepare.from_spec({**prepare.spec(), "rate": 11025})


def silent(seconds: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(int(seconds * 8000)), 8000, format="WAV")
    return file.getvalue()


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ("text", "a str is not the bytes of a recording"),
        (b"", "no recording that can be read"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "no recording that can be read"),
        (voices.said(140, 0, seconds=0.05), "0.05 seconds, at least 0.1"),
        (silent(601), "601 seconds, at most 600"),
        (silent(1), "silence"),
    ],
)
def test_what_is_no_recording(payload: object, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        AudioPrepare(8000, 100).check(payload)
    assert caught.value.where == "audio"


def test_parts_are_stretches_of_time() -> None:
    found = AudioParts(voices.said(140, 0, seconds=0.8))
    coarse = found.coarse()
    assert [cut.name for cut in coarse][:2] == ["0.0 to 0.1 s", "0.1 to 0.2 s"] and len(coarse) == 8
    sound, _ = soundfile.read(io.BytesIO(coarse[1].without))
    assert not sound[800:1600].any() and sound[:800].any() and sound[1600:].any()


def test_pauses_can_be_left_out_and_those_at_the_ends_are() -> None:
    sound, rate = soundfile.read(io.BytesIO(voices.said(140, 0, seconds=1.0)))
    quiet = 1e-4 * np.random.default_rng(0).standard_normal(2 * rate)
    file = io.BytesIO()
    parts = [quiet, sound, quiet[: rate // 2], sound, quiet]
    soundfile.write(file, np.concatenate(parts), rate, format="WAV")

    def heard(prepare: AudioPrepare) -> int:
        return int((prepare([file.getvalue()])["mel"][0].max(axis=1) > 0).sum())

    plain, voiced, trimmed = (
        AudioPrepare(8000, 600, **kept) for kept in ({}, {"voiced": True}, {"trimmed": True})
    )
    assert heard(plain) > 590 and 180 <= heard(voiced) <= 210 and 240 <= heard(trimmed) <= 260
    assert AudioPrepare.from_spec(voiced.spec()).voiced and "voiced" not in plain.spec()
    assert AudioPrepare.from_spec(trimmed.spec()).trimmed and "trimmed" not in plain.spec()
    assert AudioPrepare.fit([file.getvalue()]).trimmed


def test_a_release_of_before_keeps_the_levels_that_it_was_calibrated_with() -> None:
    new = AudioPrepare(8000, 200)
    said = {k: v for k, v in new.spec().items() if k != "numbers"}
    old = AudioPrepare.from_spec(said)
    assert old.spec() == said and not old.double and AudioPrepare.from_spec(new.spec()).double
    sound = samples(voices.said(140, 3, seconds=2.0))[0]
    # As it was computed then, in float32.
    frames = np.lib.stride_tricks.sliding_window_view(sound, 200)[::80]
    power = np.abs(np.fft.rfft(frames * old.taper, 256).astype(np.complex64)) ** 2
    decibels = 10 * np.log10(power @ old.bands + 1e-10)
    below = np.clip(decibels - np.percentile(decibels.max(axis=1), 95), -80, 0)
    assert_array_equal(old.levels(sound), 1 + np.round(3 * (below + 80)))
    assert abs(new.levels(sound).astype(int) - old.levels(sound)).max() <= 1
