"""Interlaced footage is seen without combs, frame for frame at the same times; a square runs through it, another place in each field."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.udfs.clips import every_frame, make
from udfs.header import read_header
from udfs.media import cut, frame_times, frames, probe, small_frames, still

RUNNING = "color=gray:size=160x120:rate=50:duration=2[back];color=white:size=40x40:rate=50:duration=2[box];[back][box]overlay=x='mod(n*4,140)':y=40"
FIELDS = "tinterlace=interleave_top,fieldorder=tff"
FORMATS = {
    "avc.mp4": ("-c:v", "libx264", "-crf", "10", "-flags", "+ildct+ilme", "-x264opts", "tff=1"),
    "avc.ts": ("-c:v", "libx264", "-crf", "10", "-flags", "+ildct+ilme", "-x264opts", "tff=1"),
    "mpeg2.mkv": ("-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme", "-bf", "2"),
    "program.mpg": ("-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme", "-bf", "2"),
    "prores.mov": ("-c:v", "prores_ks", "-flags", "+ildct", "-top", "1", "-pix_fmt", "yuv422p10le"),
}


@pytest.fixture(scope="module", params=FORMATS.items(), ids=FORMATS.keys())
def video(request, tmp_path_factory):
    name, options = request.param
    return make(tmp_path_factory.mktemp("interlaced") / name, "-vf", FIELDS, "-g", "12", "-pix_fmt", "yuv420p", *options, picture=RUNNING, sound=None)


def combs(picture: np.ndarray) -> int:
    """How many pixels are much brighter than both that above and that below, or much darker."""
    grey = picture.mean(axis=2) if picture.ndim == 3 else picture
    above, below = (grey[1:-1] - grey[:-2], grey[1:-1] - grey[2:])
    return int(((np.minimum(above, below) > 40) | (np.maximum(above, below) < -40)).sum())


def test_stored_frames_have_combs(video):
    assert read_header(video).interlaced
    assert all(combs(frame) > 100 for frame in every_frame(video, 160, 120)[5:20])


def test_frames_have_no_combs_and_are_those_of_a_full_decode_wherever_decoding_began(video):
    times = frame_times(video)
    full = every_frame(video, 160, 120, "bwdif=mode=send_frame:deint=interlaced")
    assert len(full) == len(times) == probe(video).frames == 50
    for start in (0, 11, 12, 13, 24, 49):
        got = dict(frames(video, times, float(times[start]), 9.0, range(0, 50 - start, 7)))
        assert list(got) == list(range(0, 50 - start, 7))
        assert all(np.array_equal(frame, full[start + index]) for index, frame in got.items())
        assert all(combs(frame) < 20 for frame in got.values())


def test_small_frames_have_the_times_of_all_frames(video):
    small = list(small_frames(video, 80))
    np.testing.assert_allclose([time_s for time_s, _ in small], frame_times(video), atol=1e-9)
    assert all(combs(frame) < 20 for _, frame in small)


@pytest.mark.parametrize("fps", [None, 25])
def test_cut_has_no_combs_and_the_times_of_the_source(video, tmp_path, fps):
    times = frame_times(video)
    cut(video, tmp_path / "clip.mp4", float(times[13]), float(times[33]), fps=fps)
    np.testing.assert_allclose(frame_times(tmp_path / "clip.mp4"), times[13:33] - times[13], atol=1e-3)
    assert not read_header(tmp_path / "clip.mp4").interlaced
    written = every_frame(tmp_path / "clip.mp4", 160, 120)
    assert len(written) == 20 and all(combs(frame) < 20 for frame in written)
    full = every_frame(video, 160, 120, "bwdif=mode=send_frame:deint=interlaced")
    assert max(np.abs(one.astype(int) - other).mean() for one, other in zip(written, full[13:33], strict=True)) < 3


def test_still_has_no_combs(video):
    assert combs(np.asarray(Image.open(io.BytesIO(still(video, 0.6, width_px=160))))) < 20
