"""Cepstra of sound exactly as SyncNet was trained on them: python_speech_features' defaults (metrics.md §1.2)."""

import functools

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
COEFFICIENTS = 13
WINDOW_ROWS = 20
ROWS_PER_FRAME = 4
"""Rows of cepstra (10 ms each) in one frame of 1/25 s."""

_WINDOW, _HOP, _FFT = 400, 160, 512
_FILTERS, _LIFTER = 26, 22
_PREEMPHASIS = 0.97
_LEAST = float(np.finfo(np.float64).eps)
"""Stands for a power of zero, whose logarithm there is not."""


def mfcc(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """16 kHz mono, 16-bit values (not -1..1, which would move coefficient 0) -> (rows, 13), a row each 10 ms; 99 rows of one second."""
    power = _power(_framed(_emphasised(sound.astype(np.float64))))
    energy = power.sum(1)
    bands = power @ mel_filters().T
    logarithms = np.log(np.where(bands == 0, _LEAST, bands))
    cepstra = logarithms @ _cosines().T * _lifter()
    cepstra[:, 0] = np.log(np.where(energy == 0, _LEAST, energy))
    return cepstra


def windows_of(cepstra: NDArray[np.float64], windows: int) -> NDArray[np.float32]:
    """(windows, 1, 13, 20): window i is rows 4 i to 4 i + 19. Raises `ValueError` when there are too few rows."""
    needed = ROWS_PER_FRAME * (windows - 1) + WINDOW_ROWS
    if windows < 1 or len(cepstra) < needed:
        raise ValueError(f"{windows} windows need {needed} rows of cepstra, there are {len(cepstra)}")
    views = np.lib.stride_tricks.sliding_window_view(cepstra, WINDOW_ROWS, axis=0)[::ROWS_PER_FRAME][:windows]
    return np.ascontiguousarray(views[:, None], np.float32)


@functools.cache
def mel_filters() -> NDArray[np.float64]:
    """(26, 257) triangles over the bins of the spectrum, equally wide in mel from 0 to 8000 Hz, not normalised by area."""
    edges = bin_edges()
    filters = np.zeros((_FILTERS, _FFT // 2 + 1))
    for row, (left, middle, right) in enumerate(zip(edges, edges[1:], edges[2:])):
        filters[row, left:middle] = (np.arange(left, middle) - left) / (middle - left)
        filters[row, middle:right] = (right - np.arange(middle, right)) / (right - middle)
    return filters


def bin_edges() -> list[int]:
    """The 28 bins at which filters begin, peak and end."""
    top = 2595 * np.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, _FILTERS + 2) / 2595) - 1)
    return np.floor((_FFT + 1) * hertz / SAMPLE_RATE_HZ).astype(int).tolist()


def _emphasised(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.append(sound[:1], sound[1:] - _PREEMPHASIS * sound[:-1])


def _framed(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows, 400), the last one filled up with zeros."""
    rows = 1 + max(0, -(-(len(sound) - _WINDOW) // _HOP))
    filled = np.zeros((rows - 1) * _HOP + _WINDOW)
    filled[: len(sound)] = sound
    return np.lib.stride_tricks.sliding_window_view(filled, _WINDOW)[::_HOP]


def _power(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(np.fft.rfft(frames, _FFT)) ** 2 / _FFT


@functools.cache
def _cosines() -> NDArray[np.float64]:
    """(13, 26): the first rows of the orthonormal DCT-II."""
    order, band = np.arange(COEFFICIENTS)[:, None], np.arange(_FILTERS)[None]
    basis = np.sqrt(2 / _FILTERS) * np.cos(np.pi * order * (2 * band + 1) / (2 * _FILTERS))
    basis[0] /= np.sqrt(2)
    return basis


def _lifter() -> NDArray[np.float64]:
    return 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
