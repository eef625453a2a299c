import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from inference.sound import whole_sound
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


def constant(path: Path, levels: dict[str, float], seconds: float = 1.0, *options: str) -> Path:
    """Sound whose channels keep one level each."""
    each = [f"aevalsrc=exprs={'|'.join(map(str, levels.values()))}:channel_layout={'+'.join(levels)}:sample_rate=48000:duration={seconds}"]
    return make(path, *options, picture=None, sound=each[0])


STEREO = {"FL": 0.5, "FR": 0.5}
SURROUND = {"FL": 0.5, "FR": 0.5, "FC": 0.5, "LFE": 0.5, "BL": 0.5, "BR": 0.5}
MANY = {name: 0.1 * number for number, name in enumerate(("FL", "FR", "FC", "BL", "BR", "SL", "SR"))}


@pytest.mark.parametrize("levels", [{"FC": 0.5}, STEREO, {"FL": 0.8, "FR": -0.2}, SURROUND, {**SURROUND, "LFE": -0.7}, MANY])
def test_mono_is_the_mean_of_the_channels(tmp_path, levels):
    path = constant(tmp_path / "a.wav", levels, 1.0, "-c:a", "pcm_f32le")
    for samples in (audio_16k(path), whole_sound(path)):
        assert samples[2000:-2000] == pytest.approx(sum(levels.values()) / len(levels), abs=1e-4)


def test_loud_sound_of_many_channels_stays_within_1(tmp_path):
    path = constant(tmp_path / "a.flac", dict.fromkeys(SURROUND, 0.99))
    assert 0.98 < np.abs(audio_16k(path)[2000:-2000]).max() <= 1.0


def test_channels_without_names_are_heard_too(tmp_path):
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(10)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.full((16_000, 10), 1 << 14, np.int16).tobytes())
    assert audio_16k(path) == pytest.approx(0.5, abs=1e-4)


def test_mono_sound_is_the_resampled_sound_bit_for_bit(tmp_path):
    for name, options in (("a.wav", ()), ("a.flac", ()), ("a.m4a", ()), ("a.mp3", ()), ("f.wav", ("-c:a", "pcm_f32le")), ("d.wav", ("-c:a", "pcm_f64le"))):
        path = make(tmp_path / name, "-ac", "1", *options, picture=None)
        filters = "aresample=async=1:first_pts=0,aresample=16000,aformat=sample_fmts=flt:channel_layouts=mono"
        command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-af", filters, "-f", "f32le", "-"]
        expected = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)
        assert np.array_equal(whole_sound(path), expected), name


def test_sound_whose_channels_change_on_the_way_keeps_its_level(tmp_path):
    parts = []
    for number, names in enumerate((SURROUND, STEREO, {"FC": 0.5})):
        tones = f"aevalsrc=exprs={'|'.join(['0.5*sin(880*PI*t)'] * len(names))}:channel_layout={'+'.join(names)}:sample_rate=48000:duration=2"
        parts.append(make(tmp_path / f"{number}.ts", "-c:a", "ac3", picture=None, sound=tones))
    joined = convert(tmp_path / "joined.ts", "-i", "concat:" + "|".join(map(str, parts)), "-c", "copy")
    samples = whole_sound(joined)
    assert len(samples) / 16_000 == pytest.approx(6.0, abs=0.1)
    for start_s in (0.5, 2.5, 4.5):
        assert np.abs(samples[int(start_s * 16_000) : int((start_s + 1) * 16_000)]).max() == pytest.approx(0.5, abs=0.02)
    assert np.abs(audio_16k(joined)).max() == pytest.approx(0.5, abs=0.05)


def test_empty_span_is_no_sample(beep):
    assert audio_16k(beep, 1.0, 1.0).shape == (0,)
