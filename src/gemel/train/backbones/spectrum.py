"""What pretrained networks make of a wave before their first layer, as layers that are exported.

A short-time spectrum is a convolution with sines and cosines, so that everything that is linear in
a frame (its mean taken off, high tones lifted, the taper) is in the weights of that convolution. No
package for sound is needed, neither here nor where the exported network runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.arrays import Float32, Float64
from gemel.encode.audio.waves import Short
from gemel.errors import ConfigError

QUIETEST, KALDI_QUIETEST = 1e-10, 1.192092955078125e-07
KALDI_FRAME, KALDI_STEP, KALDI_SIZE, LIFTED = 400, 160, 512, 0.97
KNOWN = ("Wav2Vec2FeatureExtractor", "WhisperFeatureExtractor", "ASTFeatureExtractor")


class Heard(nn.Module):
    """Windows of a wave, (m, length) float32, to what a network takes, under the name it has there.

    Attributes:
        name: of the network's argument.
        rate: samples a second.
        length: samples of a window; 0: any.
        short: what fills a window that a recording does not.
        per_step: samples from one place of the network to the next, where places behind the end
            of the recording do not count; 0: all count.
    """

    name = "input_values"
    length = 0
    short: Short = "repeated"
    per_step = 0

    def __init__(self, rate: int) -> None:
        super().__init__()
        self.rate = rate


class Levelled(Heard):
    """The wave itself, brought to mean 0 and variance 1 where the network was taught so."""

    def __init__(self, said: Any) -> None:
        super().__init__(int(said.sampling_rate))
        self.normal = bool(said.do_normalize)

    def forward(self, wave: Tensor, samples: Tensor) -> Tensor:
        """(m, length) float32; all samples of a window are there."""
        if not self.normal:
            return wave
        centred = wave - wave.mean(dim=1, keepdim=True)
        variance = centred.square().mean(dim=1, keepdim=True)
        return centred / torch.sqrt(variance + 1e-7)


class LogMel(Heard):
    """Logarithms of mel bands, eighty decibels below the loudest, as Whisper takes them.

    Source: Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak Supervision.
    """

    name = "input_features"
    short = "silent"
    waves: Tensor
    bands: Tensor

    def __init__(self, said: Any) -> None:
        super().__init__(int(said.sampling_rate))
        self.length = int(said.chunk_length * said.sampling_rate)
        self.size, self.step = int(said.n_fft), int(said.hop_length)
        self.per_step = 2 * self.step
        taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.size) / self.size)
        self.register_buffer("waves", _waves(self.size, self.size, np.diag(taper)))
        bands = np.asarray(said.mel_filters, np.float32)
        self.register_buffer("bands", torch.from_numpy(bands))

    def forward(self, wave: Tensor, samples: Tensor) -> Tensor:
        """(m, bands, frames) float32."""
        padded = F.pad(wave[:, None], (self.size // 2, self.size // 2), mode="reflect")
        power = _power(padded, self.waves, self.step)[:, :-1]
        levels = (power @ self.bands).clamp(min=QUIETEST).log10()
        loudest = levels.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(levels, loudest - 8.0) / 4.0 + 1.0).transpose(1, 2)


class KaldiBands(Heard):
    """Logarithms of Kaldi's mel bands, as Audio Spectrogram Transformers take them.

    Source: Gong, Chung and Glass 2021, AST: Audio Spectrogram Transformer.
    """

    short = "silent"
    waves: Tensor
    bands: Tensor

    def __init__(self, said: Any) -> None:
        super().__init__(int(said.sampling_rate))
        self.frames = int(said.max_length)
        self.length = KALDI_FRAME + (self.frames - 1) * KALDI_STEP
        centre = np.eye(KALDI_FRAME) - 1 / KALDI_FRAME
        lift = np.eye(KALDI_FRAME) - LIFTED * np.eye(KALDI_FRAME, k=-1)
        lift[0, 0] = 1 - LIFTED
        linear = np.diag(np.hanning(KALDI_FRAME)) @ lift @ centre
        self.register_buffer("waves", _waves(KALDI_FRAME, KALDI_SIZE, linear))
        bands = _kaldi_bands(self.rate, int(said.num_mel_bins))
        self.register_buffer("bands", torch.from_numpy(bands))
        self.mean, self.spread = float(said.mean), 2 * float(said.std)
        self.normal = bool(said.do_normalize)

    def forward(self, wave: Tensor, samples: Tensor) -> Tensor:
        """(m, frames, bands) float32; frames that are not whole in the recording are zeros."""
        power = _power(wave[:, None], self.waves, KALDI_STEP)
        levels = (power @ self.bands).clamp(min=KALDI_QUIETEST).log()
        whole = (
            torch.arange(self.frames, device=wave.device) * KALDI_STEP + KALDI_FRAME
            <= samples[:, None]
        )
        levels = levels * whole[..., None].to(levels.dtype)
        return (levels - self.mean) / self.spread if self.normal else levels


def heard(said: Any) -> Heard:
    """What a feature extractor of `transformers` does, as layers.

    Args:
        said: the extractor, as the folder of a network describes it.
    Raises:
        ConfigError: of another kind than those that are known.
    """
    found = type(said).__name__
    makes = dict(zip(KNOWN, (Levelled, LogMel, KaldiBands), strict=True))
    if found not in makes:
        raise ConfigError(
            f"recordings for this network are prepared by {found}, which is not known",
            where="train.backbone",
            hint=f"known: {', '.join(KNOWN)}",
        )
    return makes[found](said)


def _waves(width: int, size: int, linear: Float64) -> Tensor:
    """Cosines and sines of a frame that something linear is done to first: (size + 2, 1, width)."""
    turns = np.outer(np.arange(size // 2 + 1), np.arange(width)) * (2 * np.pi / size)
    both = np.concatenate([np.cos(turns), -np.sin(turns)]) @ linear
    return torch.from_numpy(both.astype(np.float32))[:, None]


def _power(wave: Tensor, waves: Tensor, step: int) -> Tensor:
    """(m, frames, size // 2 + 1) of a wave (m, 1, length)."""
    cosine, sine = F.conv1d(wave, waves, stride=step).chunk(2, dim=1)
    return (cosine.square() + sine.square()).transpose(1, 2)


def _kaldi_bands(rate: int, n: int) -> Float32:
    """Triangles of even width on Kaldi's mel scale, from 20 hertz: (257, n)."""

    def mel(hertz: Float64) -> Float64:
        return 1127.0 * np.log1p(hertz / 700.0)

    low, high = mel(np.array([20.0, rate // 2]))
    edges = np.linspace(low, high, n + 2)
    at = mel(np.arange(KALDI_SIZE // 2 + 1) * rate / KALDI_SIZE)[:, None]
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    out: Float32 = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return out
