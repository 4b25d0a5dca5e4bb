"""Speech as a keyword model hears it: mel-frequency cepstral coefficients of a second of sound.

The steps are those of the MLPerf Tiny keyword spotting reference (mlcommons/tiny,
benchmark/training/keyword_spotting), which uses TensorFlow's signal ops: scale to the largest
sample, Hann windows, magnitude spectrum, triangular mel bands, logarithm, orthonormal DCT-II.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from harness.errors import TensorInputError
from harness.ir.tensor import Array
from harness.models.schema import MfccInput

_LOG_FLOOR = 1e-6
"""Added to a band's magnitude, so that silence has a logarithm."""


def read_wav(path: Path, how: MfccInput) -> Array:
    """Return a clip's samples as float64, padded with silence to the length that the model hears.

    Raises:
        TensorInputError: not a WAV of 16-bit mono at the right rate, or too long.
    """
    try:
        with wave.open(str(path), "rb") as file:
            found = (file.getframerate(), file.getnchannels(), 8 * file.getsampwidth())
            count = file.getnframes()
            wanted = (how.sample_rate_hz, 1, 16)
            if found != wanted or count > how.clip_samples:
                raise TensorInputError(
                    f"{path}: {count:,} samples, {_describe(*found)}; the model takes at most "
                    f"{how.clip_samples:,}, {_describe(*wanted)}",
                    hint="convert and cut it, for example with ffmpeg -ac 1 -ar 16000 -t 1",
                )
            data = file.readframes(count)
    except OSError as error:
        raise TensorInputError(f"{path}: {error.strerror or error}") from error
    except (wave.Error, EOFError, RuntimeError) as error:
        raise TensorInputError(f"{path}: is not a sound file that can be read: {error}") from error
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float64)
    return np.pad(samples, (0, how.clip_samples - len(samples)))


def mfcc(samples: Array, how: MfccInput) -> Array:
    """Return the coefficients ``[frames, coefficients]`` of a clip."""
    loudest = samples.max()
    signal = samples / loudest if loudest > 0 else samples
    starts = range(0, len(signal) - how.window_samples + 1, how.hop_samples)
    frames = np.stack([signal[start : start + how.window_samples] for start in starts])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(how.window_samples) / how.window_samples)
    magnitudes = np.abs(np.fft.rfft(frames * hann, how.fft_samples))
    bands = np.log(magnitudes @ mel_weights(how) + _LOG_FLOOR)
    angles = np.outer(np.arange(how.mel_bands) + 0.5, np.arange(how.coefficients))
    cosines = np.cos(angles * np.pi / how.mel_bands)
    coefficients: Array = bands @ cosines * np.sqrt(2 / how.mel_bands)
    return coefficients


def mel_weights(how: MfccInput) -> Array:
    """Return the bands as triangles on the mel scale, ``[fft_samples // 2 + 1, mel_bands]``."""
    low, high = how.band_hz
    bins = _mel(np.linspace(0, how.sample_rate_hz / 2, how.fft_samples // 2 + 1))[:, np.newaxis]
    edges = np.linspace(_mel(low), _mel(high), how.mel_bands + 2)
    left, peak, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - left) / (peak - left), (right - bins) / (right - peak)
    weights: Array = np.maximum(0, np.minimum(rising, falling))
    return weights


def _mel(frequency_hz: Array | float) -> Array:
    return np.asarray(1127 * np.log1p(np.asarray(frequency_hz) / 700))


def _describe(rate_hz: int, channels: int, bits: int) -> str:
    return f"{channels} channel{'s' if channels != 1 else ''} of {bits} bits at {rate_hz:,} Hz"
