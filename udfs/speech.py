"""Where somebody speaks: the Silero voice detector, run through onnxruntime.

Its package is never imported (that would set torch to one thread for the whole process); its network is read by path. How
probabilities become spans follows the defaults that the package documents.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from udfs.nets.onnx_session import open_session
from udfs.scorer import Device

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SAMPLE_RATE_HZ = 16_000
STEP_SAMPLES, CONTEXT_SAMPLES = 512, 64
STATE_SHAPE = (2, 1, 128)
STEP_S = STEP_SAMPLES / SAMPLE_RATE_HZ

Spans = list[tuple[float, float]]
"""Ascending (start, end) in seconds that do not overlap."""


@dataclass(frozen=True)
class SpeechRule:
    """When steps are speech. It begins over `begin` and ends under `end`; shorter pauses and shorter speech do not count."""

    begin: float = 0.5
    end: float = 0.35
    least_speech_s: float = 0.25
    least_pause_s: float = 0.1
    pad_s: float = 0.03


class VoiceDetector:
    """The network, ready to run. Not for use by two threads at once."""

    def __init__(self, weights: Path) -> None:
        self._session: InferenceSession = open_session(weights, Device("cpu"))

    def listen(self, sound: Iterable[NDArray[np.float32]]) -> "Heard":
        """What is heard in mono float32 sound at 16 kHz that comes in pieces; the last 32 ms are filled with silence."""
        state = np.zeros(STATE_SHAPE, np.float32)
        rate = np.array(SAMPLE_RATE_HZ, np.int64)
        padded = np.zeros((1, CONTEXT_SAMPLES + STEP_SAMPLES), np.float32)
        probabilities, loudness = [], []
        for step in _steps(sound):
            padded[0, CONTEXT_SAMPLES:] = step
            probability, state = self._session.run(None, {"input": padded, "state": state, "sr": rate})
            probabilities.append(probability[0, 0])
            loudness.append(np.sqrt(np.mean(np.square(step))))
            padded[0, :CONTEXT_SAMPLES] = step[-CONTEXT_SAMPLES:]
        return Heard(np.array(probabilities, np.float32), np.array(loudness, np.float32))


@dataclass(frozen=True)
class Heard:
    """Of each 32 ms of sound: the probability 0..1 that somebody speaks, and the root mean square."""

    probabilities: NDArray[np.float32]
    loudness: NDArray[np.float32]


def speech_spans(probabilities: NDArray[np.float32], rule: SpeechRule = SpeechRule()) -> Spans:
    """Spans of speech, in seconds, from the probability of each 32 ms."""
    spans: Spans = []
    start: float | None = None
    pause: float | None = None
    for step, probability in enumerate(probabilities):
        time_s = step * STEP_S
        if probability >= rule.begin:
            start, pause = (time_s if start is None else start), None
        elif start is not None and probability < rule.end:
            pause = time_s if pause is None else pause
            if time_s - pause >= rule.least_pause_s:
                spans.append((start, pause))
                start = pause = None
    end_s = len(probabilities) * STEP_S
    if start is not None:
        spans.append((start, end_s if pause is None else pause))
    long_enough = [span for span in spans if span[1] - span[0] >= rule.least_speech_s]
    return union((max(0.0, start - rule.pad_s), min(end_s, end + rule.pad_s)) for start, end in long_enough)


def union(spans: Iterable[tuple[float, float]]) -> Spans:
    """Spans in order, those that touch or overlap made one, empty ones left out."""
    joined: Spans = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif end > start:
            joined.append((start, end))
    return joined


def overlap_s(spans: Spans, start_s: float, end_s: float) -> float:
    """Seconds of `spans` that lie in [start_s, end_s)."""
    return sum(max(0.0, min(end, end_s) - max(start, start_s)) for start, end in spans)


def _steps(sound: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Sound in steps of 512 samples."""
    rest = np.zeros(0, np.float32)
    for piece in sound:
        joined = np.concatenate((rest, piece)) if rest.size else piece
        whole = joined.size // STEP_SAMPLES * STEP_SAMPLES
        yield from joined[:whole].reshape(-1, STEP_SAMPLES)
        rest = joined[whole:]
    if rest.size:
        yield np.pad(rest, (0, STEP_SAMPLES - rest.size))
