"""Synthetic speech, and other sound."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from schemas.errors import MissingError
from udfs.ffmpeg import source
from udfs.footage.encoder import SAMPLE_RATE, ffmpeg_bytes

Sound = NDArray[np.int16]

SENTENCES = (
    "Today I would like to talk about the way a small idea grows into a large machine, one careful step after another.",
    "The weather over the coast was clear this morning, and every window in the old harbour was shining like a mirror.",
    "When you look at the earth from far away, you begin to see how thin and how quiet the blue line of the air is.",
    "Please remember to check the lights, close the heavy door behind you, and leave the key where I can find it again.",
)


def speech(seconds: float, first_sentence: int = 0) -> Sound:
    """Mono speech at 16 kHz that fills `seconds`. Raises `MissingError` when neither flite nor espeak-ng is there."""
    wanted = round(seconds * SAMPLE_RATE)
    parts: list[Sound] = []
    while sum(map(len, parts)) < wanted:
        parts.append(_spoken(SENTENCES[(first_sentence + len(parts)) % len(SENTENCES)]))
    return np.concatenate(parts)[:wanted]


def room_noise(seconds: float, seed: int = 0) -> Sound:
    """The faint hiss of an empty room, mono at 16 kHz."""
    return np.random.default_rng(seed).normal(0, 12, round(seconds * SAMPLE_RATE)).astype(np.int16)


def tone(seconds: float, hertz: float = 440.0) -> Sound:
    """A sine, mono at 16 kHz."""
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.int16)


def loudness(sound: Sound | None, frames: int, fps: float) -> NDArray[np.float32]:
    """How loud each video frame is, 0..1, smoothed over three frames; zeros without sound."""
    if sound is None:
        return np.zeros(frames, np.float32)
    edges = np.round(np.arange(frames + 1) * SAMPLE_RATE / fps).astype(int)
    energy = np.concatenate([[0.0], np.cumsum(np.square(sound.astype(np.float64)))])[np.minimum(edges, len(sound))]
    power = np.sqrt(np.diff(energy) * fps / SAMPLE_RATE)
    smooth = np.convolve(power, [0.25, 0.5, 0.25], mode="same")
    return np.clip(smooth / max(float(np.percentile(smooth, 95)), 300.0), 0, 1).astype(np.float32)


@cache
def _spoken(sentence: str) -> Sound:
    try:
        raw = ffmpeg_bytes(_samples(ffmpeg.input(f"flite=text='{sentence}':voice=slt", format="lavfi")))
    except MissingError:
        raw = _by_espeak(sentence)
    return np.frombuffer(raw, "<i2")


def _by_espeak(sentence: str) -> bytes:
    if shutil.which("espeak-ng") is None:
        raise MissingError("the sample footage needs a voice: install an ffmpeg with flite, or espeak-ng (for example: apt-get install espeak-ng)")
    with tempfile.TemporaryDirectory() as scratch:
        spoken = Path(scratch, "spoken.wav")
        subprocess.run(["espeak-ng", "-s", "150", "-w", str(spoken), sentence], check=True, timeout=60)
        return ffmpeg_bytes(_samples(source(spoken, "wav")))


def _samples(stream: Any) -> Any:
    return stream.output("pipe:1", format="s16le", ar=SAMPLE_RATE, ac=1)
