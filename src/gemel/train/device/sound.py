"""Sound to the arrays of a prepared recording, in ONNX: `encode.audio` once more, as operators.

It takes one channel at the rate of the preprocessing; decoding and resampling are the device's. The
spectrum is a product with sines and cosines in float64, where every runtime agrees with numpy.
"""

from __future__ import annotations

import math

import numpy as np

from gemel.arrays import Float32, Float64
from gemel.encode.audio import prepare as of_levels
from gemel.encode.audio import windows as of_speech
from gemel.encode.audio.prepare import AudioPrepare
from gemel.encode.audio.waves import WavePrepare
from gemel.encode.audio.windows import WindowPrepare
from gemel.train.device.graph import Graph, filled, graph

TAKES = "sound, one channel at {:,} samples a second"
SOUND = """
    n_sound = Shape(sound)
"""
PERCENTILE = """
    NAME_n = Shape(NAME)
    NAME_sorted, NAME_order = TopK<axis = 0, largest = 0, sorted = 1>(NAME, NAME_n)
    NAME_last = Sub(NAME_n, one)
    NAME_last64 = Cast<to = 11>(NAME_last)
    NAME_95 = Constant<value = double[1] {0.95}>()
    NAME_at = Mul(NAME_last64, NAME_95)
    NAME_floor = Floor(NAME_at)
    NAME_low = Cast<to = 7>(NAME_floor)
    NAME_next = Add(NAME_low, one)
    NAME_high = Min(NAME_next, NAME_last)
    NAME_a = Gather(NAME_sorted, NAME_low)
    NAME_b = Gather(NAME_sorted, NAME_high)
    NAME_between = Sub(NAME_at, NAME_floor)
    NAME_rise = Sub(NAME_b, NAME_a)
    NAME_part = Mul(NAME_rise, NAME_between)
    NAME_top = Add(NAME_a, NAME_part)
"""
"""The 95th of a hundred parts of float64 values, as numpy interpolates it."""
AT = """
    NAME_column = Unsqueeze(NAME, one)
    NAME_inside = Range(zero0, LONG, one0)
    NAME_idx = Add(NAME_column, NAME_inside)
"""
"""Places of as many values as LONG says, from each of several on."""
STARTS = filled(AT, {"NAME": "start", "LONG": "long0"})
FRAMES = f"""
    NAME_begin = Mul(NAME, step)
    {filled(AT, {"NAME": "NAME_begin", "LONG": "width0"})}
    NAME_frames32 = Gather(padded, NAME_begin_idx)
    NAME_frames = Cast<to = 11>(NAME_frames32)
"""
POWER = """
    waved = MatMul(FROM_frames, waves)
    cosine, sine = Split<axis = 1, num_outputs = 2>(waved)
    cosine2 = Mul(cosine, cosine)
    sine2 = Mul(sine, sine)
    spectrum = Add(cosine2, sine2)
    power = MatMul(spectrum, bands)
"""
LOUD = """
    all = Range(zero0, n_frames0, one0)
    ALL_FRAMES
    all_squares = Mul(all_frames, all_frames)
    all_mean = ReduceMean<keepdims = 0>(all_squares, one)
    all_floor = Constant<value = double {1e-12}>()
    all_safe = Add(all_mean, all_floor)
    all_log = Log(all_safe)
    all_level = Mul(all_log, decibel)
    ALL_LEVEL
    quiet = Constant<value = double {QUIET}>()
    all_least = Sub(all_level_top, quiet)
    all_loud = GreaterOrEqual(all_level, all_least)
    loud = Compress<axis = 0>(all, all_loud)
"""
"""Frames that are no pauses."""
VOICED = f"""{LOUD}
    kept = Identity(loud)
    n_kept = Shape(kept)
"""
TRIMMED = f"""{LOUD}
    first = ReduceMin<keepdims = 0>(loud)
    last = ReduceMax<keepdims = 0>(loud)
    behind_last = Add(last, one0)
    kept = Range(first, behind_last, one0)
    n_kept = Shape(kept)
"""
WHOLE = """
    kept = Range(zero0, n_frames0, one0)
    n_kept = Identity(n_frames)
"""
LEVELS = """
    width = Constant<value = int64[1] {WIDTH}>()
    width0 = Constant<value = int64 {WIDTH}>()
    step = Constant<value = int64[1] {STEP}>()
    decibel = Constant<value = double {DECIBEL}>()
    lack = Sub(width, n_sound)
    more = Max(lack, zero)
    pads = Concat<axis = 0>(zero, more)
    padded = Pad(sound, pads)
    n_padded = Add(n_sound, more)
    n_behind = Sub(n_padded, width)
    n_steps = Div(n_behind, step)
    n_frames = Add(n_steps, one)
    n_frames0 = Squeeze(n_frames)
    KEPT
    most = Constant<value = int64[1] {MOST}>()
    stretch = Constant<value = int64[1] {STRETCH}>()
    stretches = Constant<value = int64[1] {STRETCHES}>()
    fits = LessOrEqual(n_kept, most)
    n_heard = Where(fits, n_kept, stretches)
    n_heard0 = Squeeze(n_heard)
    k = Range(zero0, n_heard0, one0)
    nth = Div(k, stretch)
    nth_begin = Mul(nth, stretch)
    within = Sub(k, nth_begin)
    rest = Sub(n_kept, stretch)
    even = Mul(nth, rest)
    gaps = Constant<value = int64[1] {GAPS}>()
    starts = Div(even, gaps)
    far = Add(starts, within)
    place = Where(fits, k, far)
    heard = Gather(kept, place)
    HEARD
    POWER
    floor = Constant<value = double {1e-10}>()
    safe = Add(power, floor)
    logs = Log(safe)
    decibels = Mul(logs, decibel)
    loudest = ReduceMax<keepdims = 0>(decibels, one)
    LOUDEST
    below = Sub(decibels, loudest_top)
    range = Constant<value = double {RANGE}>()
    deepest = Neg(range)
    clipped = Clip(below, deepest, zero64)
    above = Add(clipped, range)
    thirds = Constant<value = double {3.0}>()
    fine = Mul(above, thirds)
    whole = Round(fine)
    levels = Add(whole, one64)
    levels32 = Cast<to = 1>(levels)
    n_lacking = Sub(most, n_heard)
    level_pads = Concat<axis = 0>(zero, zero, n_lacking, zero)
    filled = Pad(levels32, level_pads)
    one_of_it = Unsqueeze(filled, zero)
    mel = Cast<to = 2>(one_of_it)
"""
SPEECH = """
    whole64 = Cast<to = 11>(sound)
    squares = Mul(whole64, whole64)
    square = ReduceMean<keepdims = 0>(squares)
    silent = Constant<value = double {1e-18}>()
    heard_at_all = Add(square, silent)
    log = Log(heard_at_all)
    decibel = Constant<value = double {DECIBEL}>()
    loudness = Mul(log, decibel)
    wanted = Constant<value = double {LOUDNESS}>()
    lacking = Sub(wanted, loudness)
    gained = Max(lacking, zero64)
    twenty = Constant<value = double {20.0}>()
    bels = Div(gained, twenty)
    ten = Constant<value = double {10.0}>()
    gain = Pow(ten, bels)
    gain32 = Cast<to = 1>(gain)
    amplified = Mul(sound, gain32)
    half = Constant<value = int64[2] {HALF, HALF}>()
    padded = Pad(amplified, half)
    width0 = Constant<value = int64 {WIDTH}>()
    step = Constant<value = int64[1] {STEP}>()
    n_steps = Div(n_sound, step)
    n_frames = Add(n_steps, one)
    n_frames0 = Squeeze(n_frames)
    every = Range(zero0, n_frames0, one0)
    EVERY
    POWER
    long = Constant<value = int64[1] {LENGTH}>()
    long0 = Constant<value = int64 {LENGTH}>()
    hop = Constant<value = int64[1] {HOP}>()
    behind = Sub(n_frames, long)
    last = Max(behind, zero)
    hops = Div(last, hop)
    hopped = Mul(hops, hop)
    is_more = Less(hopped, last)
    more = Cast<to = 7>(is_more)
    some = Add(hops, more)
    n_starts = Add(some, one)
    most = Constant<value = int64[1] {MOST}>()
    n = Min(n_starts, most)
    n0 = Squeeze(n)
    k = Range(zero0, n0, one0)
    gaps = Constant<value = int64[1] {GAPS}>()
    twice_gaps = Mul(gaps, two)
    far = Mul(k, some)
    twice_far = Mul(far, two)
    rounded = Add(twice_far, gaps)
    even = Div(rounded, twice_gaps)
    fits = LessOrEqual(n_starts, most)
    nth = Where(fits, k, even)
    nth_at = Mul(nth, hop)
    start = Min(nth_at, last)
    STARTS
    again = Mod(start_idx, n_frames)
    windows64 = Gather(power, again)
    windows = Cast<to = 1>(windows64)
    n_lacking = Sub(most, n)
    pads = Concat<axis = 0>(zero, zero, zero, n_lacking, zero, zero)
    filled = Pad(windows, pads)
    voice = Unsqueeze(filled, zero)
"""
WAVES = """
    long = Constant<value = int64[1] {LENGTH}>()
    long0 = Constant<value = int64 {LENGTH}>()
    most = Constant<value = int64[1] {MOST}>()
    before = Sub(long, one)
    up = Add(n_sound, before)
    covering = Div(up, long)
    n = Min(covering, most)
    n0 = Squeeze(n)
    k = Range(zero0, n0, one0)
    behind = Sub(n_sound, long)
    last = Max(behind, zero)
    fewer = Sub(n, one)
    gaps = Max(fewer, one)
    far = Mul(k, last)
    start = Div(far, gaps)
    STARTS
    again = Mod(start_idx, n_sound)
    repeated = Gather(sound, again)
    SHORT
    n_lacking = Sub(most, n)
    pads = Concat<axis = 0>(zero, zero, n_lacking, zero)
    filled = Pad(windows, pads)
    wave = Unsqueeze(filled, zero)
    there_pads = Concat<axis = 0>(zero, n_lacking)
    each = Expand(own, n)
    all_own = Pad(each, there_pads)
    samples = Unsqueeze(all_own, zero)
"""
SHORT = {
    "repeated": """
    windows = Identity(repeated)
    own = Identity(long)
""",
    "silent": """
    is_own = Less(start_idx, n_sound)
    silence = Constant<value = float {0.0}>()
    windows = Where(is_own, repeated, silence)
    own = Min(n_sound, long)
""",
}
"""What fills a window that a recording does not."""
DECIBEL = 10 / math.log(10)


def levels(prepare: AudioPrepare) -> Graph:
    """The levels of bands that gemel's own encoder hears."""
    taper = prepare.taper
    stretch = prepare.frames // of_levels.N_STRETCHES
    head = "(float[samples] sound) => (uint8[1, MOST, BANDS] mel)"
    words = {
        "KEPT": VOICED if prepare.voiced else TRIMMED if prepare.trimmed else WHOLE,
        "ALL_FRAMES": FRAMES.replace("NAME", "all"),
        "ALL_LEVEL": PERCENTILE.replace("NAME", "all_level"),
        "HEARD": FRAMES.replace("NAME", "heard"),
        "LOUDEST": PERCENTILE.replace("NAME", "loudest"),
        "POWER": POWER.replace("FROM", "heard"),
        "WIDTH": len(taper),
        "STEP": int(of_levels.STEP * prepare.rate),
        "DECIBEL": DECIBEL,
        "QUIET": of_levels.QUIET,
        "MOST": prepare.frames,
        "STRETCHES": of_levels.N_STRETCHES * stretch,
        "STRETCH": stretch,
        "GAPS": of_levels.N_STRETCHES - 1,
        "RANGE": of_levels.RANGE,
        "BANDS": of_levels.N_BANDS,
    }
    arrays = {"waves": _waves(taper, prepare.size), "bands": prepare.bands.astype(np.float64)}
    return graph(head, SOUND + LEVELS, words, TAKES.format(prepare.rate), arrays)


def speech(prepare: WindowPrepare) -> Graph:
    """The windows of power that a speaker encoder hears."""
    head = "(float[samples] sound) => (float[1, MOST, LENGTH, BANDS] voice)"
    words = {
        "STARTS": STARTS,
        "EVERY": FRAMES.replace("NAME", "every"),
        "POWER": POWER.replace("FROM", "every"),
        "DECIBEL": DECIBEL,
        "LOUDNESS": of_speech.LOUDNESS,
        "HALF": of_speech.WIDTH // 2,
        "WIDTH": of_speech.WIDTH,
        "STEP": of_speech.STEP,
        "LENGTH": of_speech.LENGTH,
        "HOP": of_speech.HOP,
        "MOST": of_speech.N_WINDOWS,
        "GAPS": of_speech.N_WINDOWS - 1,
        "BANDS": of_speech.N_BANDS,
    }
    arrays = {
        "waves": _waves(of_speech.taper(), of_speech.WIDTH),
        "bands": of_speech.bands().astype(np.float64),
    }
    return graph(head, SOUND + SPEECH, words, TAKES.format(of_speech.RATE), arrays)


def waves(prepare: WavePrepare) -> Graph:
    """The windows of samples that a network hears which takes the wave itself."""
    said = prepare.said
    head = "(float[n] sound) => (float[1, MOST, LENGTH] wave, int64[1, MOST] samples)"
    words = {
        "SHORT": SHORT[said.short],
        "STARTS": STARTS,
        "LENGTH": said.length,
        "MOST": said.windows,
    }
    return graph(head, SOUND + WAVES, words, TAKES.format(said.rate))


def _waves(taper: Float32, size: int) -> Float64:
    """Tapered cosines and sines of a frame, (width, 2 (size // 2 + 1)) float64."""
    turns = np.outer(np.arange(len(taper)), np.arange(size // 2 + 1)) * (2 * np.pi / size)
    both = np.concatenate([np.cos(turns), np.sin(turns)], axis=1)
    found: Float64 = both * np.asarray(taper, np.float64)[:, None]
    return found
