"""Recordings made up for tests: a buzz through resonances, as vowels are, one pitch a voice."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from scipy.signal import lfilter

RATE = 8000


def said(
    pitch: float, seed: int, *, seconds: float = 0.8, rate: int = RATE, pause: float = 0.0
) -> bytes:
    """A WAV file of a voice of that pitch (Hz), which says something else for each seed.

    `pause` seconds of its end are hardly a noise.
    """
    rng = np.random.default_rng(seed)
    at = np.arange(int(seconds * rate)) / rate
    wobble = 1 + 0.02 * np.sin(2 * np.pi * rng.uniform(3, 6) * at)
    sound = np.sign(np.sin(2 * np.pi * np.cumsum(pitch * wobble) / rate))
    for low, high in ((300, 900), (1000, 2300), (2400, 3200)):
        centre = rng.uniform(low, high) * (pitch / 170) ** 0.4
        radius = np.exp(-np.pi * 90 / rate)
        pole = [1, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2]
        sound = lfilter([1 - radius], pole, sound)
    sound = sound / np.abs(sound).max() * 0.5 + 0.003 * rng.standard_normal(len(at))
    sound[len(sound) - int(pause * rate) :] *= 1e-3
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
