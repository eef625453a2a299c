import io
import os
import signal
import subprocess
import threading
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from schemas.codes import Rejected
from tests.udfs.clips import every_frame, make
from udfs.media import Limits, audio_16k, cut, frame_times, frames, join, probe, small_frames, span, still

FLASH = "testsrc2=size=160x120:rate=30000/1001:duration=8,drawbox=color=white:thickness=fill:enable='between(t,5,5.2)'"
BEEP = "aevalsrc=exprs=0.5*sin(2000*PI*t)*between(t\\,5\\,5.2):sample_rate=44100:duration=8"


@pytest.fixture(scope="module")
def flash(tmp_path_factory):
    return make(tmp_path_factory.mktemp("cut") / "flash.mp4", "-g", "60", picture=FLASH, sound=BEEP)


def flash_s(path) -> float:
    return next(time_s for time_s, frame in small_frames(path, 64) if frame.mean() > 240)


def beep_s(path) -> float:
    return float(np.argmax(np.abs(audio_16k(path)) > 0.03)) / 16_000


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 6.0), (4.4, 5.9), (2.002, 7.0), (4.9, 5.4)])
def test_cut_holds_exactly_the_frames_of_the_span_and_its_sound_in_step(flash, tmp_path, start_s, end_s):
    times = frame_times(flash)
    first, after = span(times, start_s, end_s)
    result = cut(flash, tmp_path / "clip.mp4", start_s, end_s, times=times)
    clip_times = frame_times(tmp_path / "clip.mp4")
    np.testing.assert_allclose(clip_times, times[first:after] - times[first], atol=1e-6)
    assert result.frames == after - first
    assert result.bytes == (tmp_path / "clip.mp4").stat().st_size
    assert result.duration_s == pytest.approx((after - first) * 1001 / 30000, abs=0.001)
    assert flash_s(tmp_path / "clip.mp4") - beep_s(tmp_path / "clip.mp4") == pytest.approx(flash_s(flash) - beep_s(flash), abs=0.002)
    source = dict(frames(flash, times, start_s, end_s, range(after - first)))
    written = every_frame(tmp_path / "clip.mp4", 160, 120)
    assert max(np.abs(source[index].astype(int) - written[index]).mean() for index in source) < 4


def test_cut_keeps_the_distances_of_a_variable_frame_rate(tmp_path):
    video = make(tmp_path / "a.mp4", "-vf", "select='not(between(mod(n,10),3,6))'", "-fps_mode", "vfr")
    times = frame_times(video)
    first, after = span(times, 1.0, 3.0)
    cut(video, tmp_path / "clip.mp4", 1.0, 3.0)
    np.testing.assert_allclose(frame_times(tmp_path / "clip.mp4"), times[first:after] - times[first], atol=1e-6)


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 4.0), (0.4, 3.48), (1.0, 2.0)])
def test_picture_of_a_variable_frame_rate_lasts_as_long_as_its_frames_say(tmp_path, start_s, end_s):
    video = make(tmp_path / "a.mp4", "-vf", "select='not(mod(n,3))+lt(mod(n,50),20)'", "-fps_mode", "vfr")
    times = np.append(frame_times(video), probe(video).duration_s)
    first, after = span(times, start_s, end_s)
    cut(video, tmp_path / "clip.mp4", start_s, end_s)
    length_s = times[after] - times[first]
    said = ["-show_entries", "stream=duration:format=duration", "-of", "csv=p=0", str(tmp_path / "clip.mp4")]
    of_streams = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", *said], capture_output=True, text=True, check=True)
    assert [float(text) for text in of_streams.stdout.split()] == pytest.approx([length_s, length_s], abs=0.002)
    assert probe(tmp_path / "clip.mp4").duration_s == pytest.approx(length_s, abs=0.002)


def test_cut_at_constant_rate_has_that_rate_and_keeps_step(flash, tmp_path):
    result = cut(flash, tmp_path / "clip.mp4", 3.0, 7.0, fps=25)
    found = probe(tmp_path / "clip.mp4")
    assert (found.fps, found.frames) == (25.0, result.frames)
    np.testing.assert_allclose(np.diff(frame_times(tmp_path / "clip.mp4")), 0.04, atol=1e-6)
    assert found.duration_s == pytest.approx(4.0, abs=0.041)
    assert abs(flash_s(tmp_path / "clip.mp4") - beep_s(tmp_path / "clip.mp4")) < 0.04


def test_cut_is_upright_even_and_plain(tmp_path):
    video = make(tmp_path / "odd.mkv", "-c:v", "ffv1", "-pix_fmt", "yuv444p", "-vf", "scale=161:121", "-t", "1", sound=None)
    cut(video, tmp_path / "clip.mp4", 0.0, 1.0)
    found = probe(tmp_path / "clip.mp4")
    assert (found.width, found.height, found.video_codec, found.has_audio) == (160, 120, "h264", False)


def test_crop_box_is_rounded_inwards_to_even_pixels(flash, tmp_path):
    cut(flash, tmp_path / "clip.mp4", 0.0, 1.0, crop=(11, 20, 92, 101))
    found = probe(tmp_path / "clip.mp4")
    assert (found.width, found.height) == (80, 80)


def test_cut_takes_sound_of_another_file(flash, tmp_path):
    silent = make(tmp_path / "silent.mp4", picture=FLASH, sound=None)
    sound = make(tmp_path / "sound.wav", picture=None, sound=BEEP)
    cut(silent, tmp_path / "clip.mp4", 4.0, 6.0, audio_source=sound)
    assert abs(flash_s(tmp_path / "clip.mp4") - beep_s(tmp_path / "clip.mp4")) < 0.034


def test_same_cut_gives_the_same_bytes(flash, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        cut(flash, tmp_path / name, 1.0, 3.0)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_failed_cut_leaves_no_file_and_keeps_the_old_one(flash, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"old")
    with pytest.raises(Rejected, match="timeout"):
        cut(flash, tmp_path / "clip.mp4", 0.0, 8.0, limits=Limits(decode_base_s=0.01, decode_per_source_s=0.0))
    with pytest.raises(Rejected, match="no frame"):
        cut(flash, tmp_path / "clip.mp4", 50.0, 60.0)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    assert (tmp_path / "clip.mp4").read_bytes() == b"old"


def test_cut_with_more_frames_than_the_clip_has_is_rejected_and_leaves_no_file(flash, tmp_path):
    with pytest.raises(Rejected, match="29 frames of the clip were decoded, and it has 15"):
        cut(flash, tmp_path / "clip.mp4", 1.0, 2.0, times=frame_times(flash)[::2])
    assert list(tmp_path.iterdir()) == []


def test_killed_encoder_costs_nothing_but_a_retry(tmp_path):
    video = make(tmp_path / "long.mp4", picture="testsrc2=size=640x480:rate=25:duration=6")
    killed = []

    def kill_one() -> None:
        give_up = time.monotonic() + 20
        while not killed and time.monotonic() < give_up:
            for child in psutil.Process().children():
                if child.name() == "ffmpeg":
                    os.kill(child.pid, signal.SIGKILL)
                    killed.append(child.pid)
                    return
            time.sleep(0.002)

    frame_times(video)
    killer = threading.Thread(target=kill_one)
    killer.start()
    result = cut(video, tmp_path / "clip.mp4", 0.0, 6.0)
    killer.join()
    assert killed
    assert result.frames == 150


def test_still_is_a_jpeg_of_the_frame_shown_then(flash, tmp_path):
    picture = still(flash, 5.1, tmp_path / "still.jpg", width_px=80)
    assert (tmp_path / "still.jpg").read_bytes() == picture
    pixels = np.asarray(Image.open(io.BytesIO(picture)))
    assert pixels.shape == (60, 80, 3)
    assert pixels.mean() > 240
    assert np.asarray(Image.open(io.BytesIO(still(flash, 4.0, crop=(0, 0, 60, 60))))).shape == (320, 320, 3)


def test_still_after_the_end_is_the_last_frame(flash):
    assert still(flash, 99.0) == still(flash, 7.99)


@pytest.mark.parametrize(("name", "options", "codec"), [("a.m4a", (), "aac"), ("a.webm", ("-c:a", "libopus"), "opus"), ("a.wav", (), "aac")])
def test_join_keeps_the_picture_and_what_sound_mp4_can_hold(flash, tmp_path, name, options, codec):
    silent = make(tmp_path / "silent.mp4", picture=FLASH, sound=None)
    join(silent, make(tmp_path / name, *options, picture=None, sound=BEEP), tmp_path / "joined.mp4")
    found = probe(tmp_path / "joined.mp4")
    assert (found.audio_codec, found.frames) == (codec, probe(silent).frames)
    assert abs(flash_s(tmp_path / "joined.mp4") - beep_s(tmp_path / "joined.mp4")) < 0.04
    assert np.array_equal(every_frame(silent, 160, 120)[10], every_frame(tmp_path / "joined.mp4", 160, 120)[10])


def test_join_without_sound_is_rejected(tmp_path, flash):
    silent = make(tmp_path / "silent.mp4", sound=None)
    with pytest.raises(Rejected, match="no_audio"):
        join(flash, silent, tmp_path / "joined.mp4")
