"""Do two short recordings have the same voice?

Letters, syllables and names of things, spoken for two programs for children in some forty
languages, mostly by one voice a language. What a voice said is joined to segments of two seconds
or more, at 8 kHz.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from gemel.cli import example
from gemel.data.archives import Archive
from gemel.errors import DataError

LETTERS = Archive(
    "apt",
    "klettres-data",
    "4:22.12.3-1",
    "1186d257a19e84230856baea0b0b1ded8be9195080fcdb2588970b5cd937f5a8",
    "GPL-2.0-or-later; fetched when it is run, not part of gemel",
)
THINGS = Archive(
    "apt",
    "ktuberling-data",
    "4:22.12.3-1",
    "fba44c875bfa31ea488dadd9263e87a4dcaea0bd47d28817f6c0dc6d2af970ed",
    "GPL-2.0-or-later; fetched when it is run, not part of gemel",
)
PACKAGES = (LETTERS, THINGS)
SEVERAL = {"letters-da", "letters-ml", "things-sr@ijekavian", "things-sr@ijekavianlatin"}
"""Languages of several voices, or with the recordings of another one."""
SAME = {"things-nds": "letters-nds", "things-sr@latin": "things-sr"}
"""One voice under two names."""
RATE = 8000
SECONDS = 2.0
MOST = 8
"""Segments of a voice."""


def write(folder: Path, rows: int) -> None:
    """Write the segments, a folder for each voice."""
    voices: dict[str, list[np.ndarray]] = {}
    for package, start, kind in (
        (LETTERS, "./usr/share/klettres/", "letters"),
        (THINGS, "./usr/share/ktuberling/sounds/", "things"),
    ):
        for path, data in sorted(package.members(f"{start}*.ogg", f"{start}*.wav")):
            voice = f"{kind}-{path.removeprefix(start).partition('/')[0]}"
            if voice not in SEVERAL:
                voices.setdefault(SAME.get(voice, voice), []).append(heard(data))
    joined = {voice: segments(sounds)[:MOST] for voice, sounds in voices.items()}
    kept = example.whole(joined, rows)
    files = {voice: [wav(s) for s in sounds] for voice, sounds in kept.items()}
    example.write_files(folder / "voices", files, ".wav")


def heard(data: bytes) -> np.ndarray:
    """The samples of a file at RATE, of one channel, the silence around them cut off."""
    try:
        import soundfile
    except ImportError as e:
        what = "recordings need the package soundfile"
        raise DataError(what, hint="pip install 'gemel[audio]'") from e
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    width = max(1, rate // RATE)
    mono = np.convolve(mono, np.full(width, 1 / width), "same")
    at = np.arange(0, len(mono) - 1, rate / RATE)
    mono = np.interp(at, np.arange(len(mono)), mono).astype(np.float32)
    loud = np.flatnonzero(np.abs(mono) > 0.02 * max(np.abs(mono).max(initial=0), 1e-6))
    return mono[loud[0] : loud[-1] + 1] if len(loud) else mono[:0]


def segments(sounds: list[np.ndarray]) -> list[np.ndarray]:
    """What a voice said, in turn, joined until each is long enough; a short rest is left out."""
    done: list[np.ndarray] = []
    open_: list[np.ndarray] = []
    for sound in sounds:
        open_.append(sound)
        if sum(map(len, open_)) >= SECONDS * RATE:
            done.append(np.concatenate(open_))
            open_ = []
    return done


def wav(samples: np.ndarray) -> bytes:
    """A WAV file of samples at RATE."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples, RATE, format="WAV", subtype="PCM_16")
    return out.getvalue()


if __name__ == "__main__":
    example.script(PACKAGES, write)
