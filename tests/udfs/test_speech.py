"""Speech is found in speech, and nowhere else."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from udfs import weights
from udfs.footage import voice
from udfs.speech import STEP_S, SpeechRule, VoiceDetector, overlap_s, speech_spans, union

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def detector() -> VoiceDetector:
    return VoiceDetector(weights.path("silero-vad"))


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    """Six seconds: two of silence, then speech."""
    return np.concatenate((np.zeros(32_000, np.float32), voice.speech(4.0).astype(np.float32) / 32768))


def share(spans, seconds):
    return overlap_s(spans, 0.0, seconds) / seconds


def test_speech_is_found_where_it_is(detector, spoken):
    spans = speech_spans(detector.listen([spoken]).probabilities)
    assert overlap_s(spans, 0.0, 1.9) == 0.0
    assert overlap_s(spans, 2.0, 6.0) > 2.5


@pytest.mark.parametrize("kind", ["silence", "noise", "tone", "chord"])
def test_no_speech_in_what_is_none(detector, kind):
    times = np.arange(4 * 16_000) / 16_000
    sounds = {
        "silence": np.zeros_like(times),
        "noise": np.random.default_rng(0).normal(0, 0.1, times.size),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * times),
        "chord": sum(0.1 * np.sin(2 * np.pi * pitch * times) for pitch in (262, 330, 392)),
    }
    assert share(speech_spans(detector.listen([sounds[kind].astype(np.float32)]).probabilities), 4.0) < 0.05


def test_pieces_make_no_difference(detector, spoken):
    whole = detector.listen([spoken])
    pieces = detector.listen([spoken[:10_001], spoken[10_001:10_100], spoken[10_100:]])
    assert np.array_equal(whole.probabilities, pieces.probabilities)
    assert np.array_equal(whole.loudness, pieces.loudness)


def test_loudness_is_the_root_mean_square_of_each_step(detector):
    heard = detector.listen([np.concatenate((np.full(512, 0.5, np.float32), np.full(256, 1.0, np.float32)))])
    assert heard.loudness.tolist() == pytest.approx([0.5, np.sqrt(0.5)])


def test_no_sound_gives_no_steps(detector):
    assert detector.listen([]).probabilities.size == 0
    assert speech_spans(np.zeros(0, np.float32)) == []


def test_short_pauses_are_bridged_and_short_bursts_dropped():
    rule = SpeechRule(least_speech_s=4 * STEP_S, least_pause_s=3 * STEP_S, pad_s=0.0)
    probabilities = np.array([0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0], np.float32)
    assert speech_spans(probabilities, rule) == [pytest.approx((STEP_S, 7 * STEP_S))]


def test_between_both_thresholds_speech_goes_on():
    rule = SpeechRule(least_speech_s=0.0, least_pause_s=STEP_S, pad_s=0.0)
    assert speech_spans(np.array([0.9, 0.4, 0.4, 0.9, 0.1, 0.1], np.float32), rule) == [pytest.approx((0.0, 4 * STEP_S))]


def test_union_joins_what_touches():
    assert union([(3.0, 4.0), (0.0, 1.0), (1.0, 2.0), (5.0, 5.0)]) == [(0.0, 2.0), (3.0, 4.0)]


def test_spans_are_those_of_the_package(detector, spoken, tmp_path):
    """In a process of its own, since importing the package changes torch's threads."""
    np.save(tmp_path / "sound.npy", spoken)
    program = (
        "import json, sys, numpy, torch; from silero_vad import load_silero_vad, get_speech_timestamps as find;"
        "print(json.dumps(find(torch.from_numpy(numpy.load(sys.argv[1])), load_silero_vad(onnx=True))))"
    )
    said = subprocess.run([sys.executable, "-c", program, str(tmp_path / "sound.npy")], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    expected = union((span["start"] / 16_000, span["end"] / 16_000) for span in json.loads(said.stdout.splitlines()[-1]))
    found = speech_spans(detector.listen([spoken]).probabilities)
    assert len(found) == len(expected)
    assert np.allclose(found, expected, atol=0.035)
