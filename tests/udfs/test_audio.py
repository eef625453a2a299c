import numpy as np
import pytest

from schemas.codes import Rejected
from tests.udfs.clips import PICTURE, convert, make
from udfs.media import audio_16k

BEEP = "aevalsrc=exprs=0.5*sin(2000*PI*t)*between(t\\,2\\,2.2):sample_rate=44100:duration=4"


def beep_s(samples: np.ndarray) -> float:
    """When the beep begins."""
    return float(np.argmax(np.abs(samples) > 0.03)) / 16_000


@pytest.fixture(scope="module")
def beep(tmp_path_factory):
    return make(tmp_path_factory.mktemp("audio") / "beep.mp4", picture=PICTURE, sound=BEEP)


def test_sound_is_mono_16_khz_of_the_length_of_the_video(beep):
    samples = audio_16k(beep)
    assert samples.dtype == np.float32
    assert samples.shape == (64_000,)
    assert 0.05 < np.abs(samples).max() <= 1.0


@pytest.mark.parametrize("start_s", [0.0, 0.5, 1.25, 1.999])
def test_sample_0_is_at_the_start_of_the_span(beep, start_s):
    samples = audio_16k(beep, start_s, 3.0)
    assert samples.shape == (round((3.0 - start_s) * 16_000),)
    assert beep_s(samples) == pytest.approx(2.0 - start_s, abs=0.003)


@pytest.mark.parametrize(("name", "options"), [("a.webm", ("-c:v", "libvpx", "-c:a", "libopus")), ("a.ts", ()), ("a.mkv", ("-c:a", "mp3"))])
def test_other_containers_keep_sound_and_picture_together(tmp_path, name, options):
    video = make(tmp_path / name, "-g", "20", *options, sound=BEEP)
    # ffmpeg's own Matroska writer puts Opus 6.5 ms before the picture.
    assert beep_s(audio_16k(video, 1.0, 3.0)) == pytest.approx(1.0, abs=0.008)
    assert beep_s(audio_16k(video, 1.5, 3.0)) == pytest.approx(beep_s(audio_16k(video, 0.0, 3.0)) - 1.5, abs=0.001)


def test_silence_fills_in_where_sound_begins_late_and_ends_early(tmp_path, beep):
    late = convert(tmp_path / "late.mkv", "-i", str(beep), "-itsoffset", "0.7", "-i", str(beep), "-map", "0:v", "-map", "1:a", "-c", "copy", "-t", "3.0")
    samples = audio_16k(late, 0.0, 5.0)
    assert samples.shape == (80_000,)
    assert beep_s(samples) == pytest.approx(2.7, abs=0.003)
    assert not samples[: round(0.6 * 16_000)].any()
    assert not samples[-16_000:].any()


def test_picture_that_begins_late_is_where_time_begins(tmp_path, beep):
    late = convert(tmp_path / "late.mkv", "-itsoffset", "0.5", "-i", str(beep), "-i", str(beep), "-map", "0:v", "-map", "1:a", "-c", "copy")
    assert beep_s(audio_16k(late)) == pytest.approx(1.5, abs=0.003)


def test_sound_files_without_picture_work(tmp_path):
    sound = make(tmp_path / "a.wav", picture=None, sound=BEEP)
    samples = audio_16k(sound)
    assert samples.shape == (64_000,)
    assert beep_s(samples) == pytest.approx(2.0, abs=0.001)


def test_silent_film_has_no_audio(tmp_path):
    with pytest.raises(Rejected) as caught:
        audio_16k(make(tmp_path / "a.mp4", sound=None))
    assert caught.value.code == "no_audio"


def test_empty_span_is_no_sample(beep):
    assert audio_16k(beep, 1.0, 1.0).shape == (0,)
