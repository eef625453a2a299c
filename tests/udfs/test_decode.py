import os
import signal

import numpy as np
import psutil
import pytest

from schemas.codes import Rejected
from tests.udfs.clips import every_frame, make
from udfs.decode import MAX_RUNS, nearest, select_expression, windows
from udfs.media import Limits, decoder_starts, frame_times, frames, probe, reset_decoder_starts, small_frames, span

FORMATS = {
    "h264.mp4": (),
    "odd.mp4": ("-pix_fmt", "yuv444p", "-vf", "scale=161:121"),
    "variable.mp4": ("-vf", "select='not(between(mod(n,10),3,6))'", "-fps_mode", "vfr"),
    "hevc_10bit.mp4": ("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error:keyint=20"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    "vp8.webm": ("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "200k", "-c:a", "libvorbis"),
    "stream.ts": ("-c:v", "libx264"),
    "interlaced.ts": ("-c:v", "libx264", "-flags", "+ilme+ildct", "-x264opts", "tff=1"),
    "program.mpg": ("-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"),
    "b_frames.avi": ("-c:v", "mpeg4", "-bf", "2"),
    "theora.ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
    "flash.flv": ("-ar", "44100"),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make(tmp_path_factory.mktemp("decode") / "clip.mp4", "-g", "25")


def child_of_ours() -> psutil.Process:
    (child,) = (process for process in psutil.Process().children() if process.name() == "ffmpeg")
    return child


def test_span_is_half_open_with_half_a_millisecond_of_tolerance():
    times = np.arange(10) / 25
    assert span(times, 0.04, 0.12) == (1, 3)
    assert span(times, 0.0404, 0.1204) == (1, 3)
    assert span(times, 0.041, 0.121) == (2, 4)
    assert span(times, 5.0, 6.0) == (10, 10)


@pytest.mark.parametrize(("name", "options"), FORMATS.items(), ids=FORMATS.keys())
def test_frames_are_those_of_a_full_decode(tmp_path, name, options):
    size = (161, 121) if "odd" in name else (160, 120)
    video = make(tmp_path / name, "-g", "20", *options)
    full, times = every_frame(video, *size, "bwdif=mode=send_frame:deint=interlaced" if "interlaced" in name else "null"), frame_times(video)
    assert len(full) == len(times)
    for start in (0, len(times) // 2, len(times) * 5 // 8 + 1, len(times) - 2):
        wanted = range(0, len(times) - start, 3)
        got = list(frames(video, times, float(times[start]), 99.0, wanted))
        assert [index for index, _ in got] == list(wanted)
        assert all(np.array_equal(frame, full[start + index]) for index, frame in got)


@pytest.mark.parametrize("name", ["rotated_90_flag_6s.mp4", "variable_frame_rate_6s.mp4", "hevc_10bit_6s.mp4", "vp9_opus_6s.webm"])
def test_real_frames_are_those_of_a_full_decode(corpus, name):
    video = corpus / "singles" / name
    found, times = probe(video), frame_times(video)
    full = every_frame(video, found.width, found.height)
    first, after = span(times, 2.0, 4.0)
    wanted = range(0, after - first, 5)
    got = dict(frames(video, times, 2.0, 4.0, wanted))
    assert list(got) == list(wanted)
    assert all(np.array_equal(frame, full[first + index]) for index, frame in got.items())


def test_crop_cuts_the_same_pixels_out_of_the_frame(clip):
    times = frame_times(clip)
    whole, cropped = (dict(frames(clip, times, 1.0, 3.0, [0, 7, 49], crop=crop)) for crop in (None, (31, 17, 90, 80)))
    assert all(np.array_equal(cropped[index], whole[index][17:80, 31:90]) for index in (0, 7, 49))


def test_crop_outside_the_picture_is_rejected(clip):
    with pytest.raises(Rejected, match="decode_error"):
        list(frames(clip, frame_times(clip), 0.0, 1.0, [0], crop=(500, 0, 600, 100)))


def test_one_clip_is_one_decoder_start(clip):
    reset_decoder_starts()
    assert len(list(frames(clip, frame_times(clip), 0.5, 2.5, range(0, 50, 2)))) == 25
    assert decoder_starts() == 1


def test_nothing_wanted_starts_nothing(clip):
    reset_decoder_starts()
    assert list(frames(clip, frame_times(clip), 0.0, 1.0, [])) == []
    assert decoder_starts() == 0


def test_index_outside_the_clip_is_a_mistake_of_the_caller(clip):
    with pytest.raises(ValueError, match="25"):
        list(frames(clip, frame_times(clip), 0.0, 1.0, [25]))


def test_leaving_early_ends_the_decoder(clip):
    stream = frames(clip, frame_times(clip), 0.0, 4.0, range(100))
    next(stream)
    child = child_of_ours()
    stream.close()
    assert not child.is_running()


def test_killed_decoder_costs_nothing_but_a_retry(tmp_path):
    video = make(tmp_path / "long.mp4", picture="testsrc2=size=640x480:rate=25:duration=8", sound=None)
    times, full = frame_times(video), every_frame(video, 640, 480)
    reset_decoder_starts()
    got = []
    for index, frame in frames(video, times, 0.0, 8.0, range(200)):
        got.append(index)
        assert np.array_equal(frame, full[index])
        if index == 3:
            os.kill(child_of_ours().pid, signal.SIGKILL)
    assert got == list(range(200))
    assert decoder_starts() == 2


def test_decoder_killed_again_and_again_is_a_decode_error(tmp_path):
    video = make(tmp_path / "long.mp4", picture="testsrc2=size=640x480:rate=25:duration=8", sound=None)
    stream = frames(video, frame_times(video), 0.0, 8.0, range(200))
    with pytest.raises(Rejected) as caught:
        for _ in stream:
            for child in psutil.Process().children():
                if child.name() == "ffmpeg":
                    child.kill()
    assert caught.value.code == "decode_error"
    assert "signal 9" in caught.value.detail


def test_killed_whole_file_decode_costs_nothing_but_a_retry(tmp_path):
    video = make(tmp_path / "long.mp4", picture="testsrc2=size=640x480:rate=25:duration=8", sound=None)
    got = []
    for time_s, _ in small_frames(video, 640):
        got.append(time_s)
        if len(got) == 5:
            child_of_ours().kill()
    np.testing.assert_array_equal(got, frame_times(video))


def test_decode_ends_at_its_time_limit(clip):
    limits = Limits(decode_base_s=0.001, decode_per_source_s=0.0)
    with pytest.raises(Rejected) as caught:
        list(frames(clip, frame_times(clip), 0.0, 4.0, range(100), limits=limits))
    assert caught.value.code == "timeout"
    assert [process for process in psutil.Process().children() if process.name() == "ffmpeg"] == []


def test_damaged_frames_are_left_out_and_shift_no_other(corpus):
    video = corpus / "broken" / "bit_flips.mp4"
    times = frame_times(video)
    runs = [dict(frames(video, times, 0.0, 99.0, range(len(times)))) for _ in range(2)]
    assert list(runs[0]) == list(runs[1])
    assert all(np.array_equal(runs[0][index], runs[1][index]) for index in runs[0])
    assert 0.95 * len(times) <= len(runs[0]) < len(times)


def test_too_much_damage_is_a_decode_error_with_the_count(tmp_path):
    video = make(tmp_path / "a.mkv", "-g", "100", sound=None)
    content = bytearray(video.read_bytes())
    times = frame_times(video)
    middle = len(content) // 2
    content[middle : len(content) - 2000] = bytes(len(content) - 2000 - middle)
    video.write_bytes(content)
    with pytest.raises(Rejected) as caught:
        list(frames(video, times, 0.0, 4.0, range(100)))
    assert caught.value.code in ("decode_error", "truncated")
    assert "of 100" in caught.value.detail


def test_small_frames_cover_the_whole_file_in_time_order(clip):
    stream = list(small_frames(clip, 64))
    np.testing.assert_array_equal([time_s for time_s, _ in stream], frame_times(clip))
    assert {frame.shape for _, frame in stream} == {(48, 64, 3)}


def test_small_frames_come_in_the_asked_pixel_format(clip):
    pictures = {name: next(small_frames(clip, 80, 60, pixel_format=name))[1] for name in ("rgb24", "bgr24", "gray")}
    np.testing.assert_allclose(pictures["rgb24"].astype(int), pictures["bgr24"][:, :, ::-1], atol=4)
    assert pictures["gray"].shape == (60, 80)


def test_windows_hold_the_wanted_frames_and_no_others():
    times = np.array([0.0, 0.04, 0.08, 0.20, 0.24, 0.40])
    assert windows(times, [1, 2, 4], 1.0) == [pytest.approx((1.02, 1.14)), pytest.approx((1.22, 1.32))]


def test_many_single_frames_still_fit_one_argument():
    times = np.arange(500_000) / 25
    spans_s = windows(times, range(0, 500_000, 25), 0.0)
    assert len(spans_s) == MAX_RUNS
    assert len(select_expression(spans_s)) < 60_000


def test_nearest_time():
    times = np.array([0.0, 0.04, 0.08])
    assert [nearest(times, t) for t in (-1.0, 0.019, 0.021, 0.08, 9.0)] == [0, 0, 1, 2, 2]
