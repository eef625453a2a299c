"""Time stamps that do not only go forward: joined recordings, and single packets with a wrong one."""

import subprocess

import numpy as np
import pytest

from schemas.codes import Rejected
from tests.udfs.clips import convert, every_frame, make
from udfs.media import cut, frame_times, probe

OTHER = "testsrc=size=160x120:rate=25:duration=4"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2")
MPEG2_FIELDS = ("-vf", "tinterlace=4", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-c:a", "mp2")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libvorbis")


def joined(tmp_path, ending, options, later_s=0.0):
    """Two takes of 4 s in one file, byte after byte; the second one's stamps begin `later_s` after the first one's."""
    first = make(tmp_path / f"first.{ending}", *options)
    second = make(tmp_path / f"second.{ending}", *options, "-output_ts_offset", str(later_s), picture=OTHER)
    (tmp_path / f"joined.{ending}").write_bytes(first.read_bytes() + second.read_bytes())
    return tmp_path / f"joined.{ending}"


def pieces(path, spans):
    """A transport stream of pieces of that many frames, each from that second on."""
    content = b""
    for frames, start_s in spans:
        size = ("-c:v", "libx264", "-preset", "ultrafast", "-frames:v", str(frames))
        content += make(path.with_name("piece.ts"), *size, "-output_ts_offset", str(start_s), sound=None).read_bytes()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("ending", "options", "later_s"),
    [
        ("ts", X264, 0.0),
        ("ts", X264, 2.0),
        ("ts", X264, 3.5),
        ("ts", MPEG2_FIELDS, 0.0),
        ("mkv", X264, 0.0),
        ("webm", VP8, 0.0),
    ],
)
def test_joined_recordings_whose_clock_restarts_are_rejected(tmp_path, ending, options, later_s):
    with pytest.raises(Rejected, match="its clock restarts after [34].[0-9] s") as caught:
        probe(joined(tmp_path, ending, options, later_s))
    assert caught.value.code == "decode_error"


def test_a_take_of_an_earlier_time_behind_a_later_one_is_rejected(tmp_path):
    later = make(tmp_path / "later.ts", *X264, "-output_ts_offset", "30")
    earlier = make(tmp_path / "earlier.ts", *X264)
    (tmp_path / "joined.ts").write_bytes(later.read_bytes() + earlier.read_bytes())
    with pytest.raises(Rejected, match="its clock restarts after 4.0 s"):
        probe(tmp_path / "joined.ts")


def test_a_clock_that_goes_back_by_minutes_is_said_where_the_file_seems_to_last_for_a_day(tmp_path):
    later = make(tmp_path / "later.ts", *X264, "-output_ts_offset", "100")
    (tmp_path / "joined.ts").write_bytes(later.read_bytes() + make(tmp_path / "earlier.ts", *X264).read_bytes())
    with pytest.raises(Rejected, match="if its clock restarts, `ffmpeg -i IN -c copy OUT.mp4` gives it one clock") as caught:
        probe(tmp_path / "joined.ts")
    assert caught.value.code == "too_large"


def test_joined_recordings_that_were_copied_with_squeezed_stamps_are_rejected(tmp_path):
    copied = convert(tmp_path / "copied.mkv", "-i", str(joined(tmp_path, "mkv", X264)), "-c", "copy")
    with pytest.raises(Rejected, match="100 of its 200 frames have the time stamp of another"):
        probe(copied)


def test_the_command_that_a_rejected_transport_stream_is_told_gives_every_frame_its_time(tmp_path):
    path = joined(tmp_path, "ts", X264)
    with pytest.raises(Rejected) as caught:
        probe(path)
    command = caught.value.detail.partition("`")[2].partition("`")[0]
    words = {"IN": str(path), "OUT.mp4": str(tmp_path / "whole.mp4")}
    subprocess.run([words.get(word, word) for word in command.split()], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    np.testing.assert_allclose(frame_times(tmp_path / "whole.mp4"), np.arange(200) / 25, atol=0.001)


def test_frames_without_a_time_that_decoders_begin_to_count_anew_are_rejected(tmp_path):
    early = ("-copyts", "-avoid_negative_ts", "disabled", "-output_ts_offset", "-1.2")
    plain = make(tmp_path / "plain.mp4", *X264)
    with pytest.raises(Rejected, match="its clock restarts after 1.2 s"):
        probe(convert(tmp_path / "early.mkv", "-i", str(plain), "-c", "copy", *early))


def test_recordings_joined_on_one_clock_are_one_video(tmp_path):
    path = joined(tmp_path, "ts", X264, later_s=4.08)
    assert probe(path).frames == len(every_frame(path, 160, 120)) == 200


@pytest.mark.parametrize(
    ("spans", "frames"),
    [
        ([(50, 0.0), (1, 1.96), (50, 2.0)], 100),
        ([(50, 0.0), (1, 0.98), (49, 2.04)], 100),
        ([(50, 0.0), (2, 3.02), (48, 2.08)], 100),
        ([(50, 0.0), (1, 0.98), (20, 2.0), (1, 3.5), (28, 2.84)], 100),
    ],
)
def test_a_few_frames_with_a_wrong_time_do_not_reject_a_file(tmp_path, spans, frames):
    assert probe(pieces(tmp_path / "a.ts", spans)).frames == frames


@pytest.mark.parametrize(("spans", "frames"), [([(50, 0.0), (2, 1.92), (50, 2.0)], 100), ([(50, 0.0), (1, 0.98), (49, 2.04)], 99)])
def test_frames_that_are_not_later_than_the_one_before_are_no_part_of_a_clip(tmp_path, spans, frames):
    assert cut(pieces(tmp_path / "a.ts", spans), tmp_path / "clip.mp4", 0.0, 4.0).frames == frames
    np.testing.assert_allclose(np.diff(frame_times(tmp_path / "clip.mp4")), 0.04, atol=0.041)
