import re

import numpy as np
import pytest

from schemas.codes import Rejected
from tests.udfs.clips import convert, every_frame, make
from udfs.media import Limits, frame_times, frames, probe


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make(tmp_path_factory.mktemp("probe") / "clip.mp4")


def code_of(path, limits=Limits()) -> str:  # noqa: B008
    with pytest.raises(Rejected) as caught:
        probe(path, limits)
    assert caught.value.detail.strip()
    return caught.value.code


def claiming_30000_pixels(tmp_path, in_header: bool):
    """A motion JPEG file whose pictures, and optionally its header, claim 30000x30000 pixels."""
    content = bytearray(make(tmp_path / "small.avi", "-c:v", "mjpeg", picture="testsrc2=size=64x48:rate=25:duration=0.4", sound=None).read_bytes())
    for found in re.finditer(rb"\xff\xc0\x00\x11\x08", bytes(content)):
        content[found.end() : found.end() + 4] = (30000).to_bytes(2, "big") * 2
    if in_header:
        size_at = content.index(b"strf") + 12
        content[size_at : size_at + 8] = (30000).to_bytes(4, "little") * 2
    (tmp_path / "big.avi").write_bytes(content)
    return tmp_path / "big.avi"


def test_probe_gives_the_numbers_of_a_plain_file(clip):
    found = probe(clip)
    assert (found.container, found.video_codec, found.audio_codec) == ("mov", "h264", "aac")
    assert (found.width, found.height, found.fps, found.frames, found.duration_s) == (160, 120, 25.0, 100, 4.0)
    assert (found.rotation, found.has_audio, found.sample_rate, found.start_s) == (0, True, 44100, 0.0)
    assert found.bytes == clip.stat().st_size


@pytest.mark.parametrize("name", ["a; touch x.mp4", 'it\'s "quoted".mp4', "-i.mp4", "naïve 文字.mp4", "100%d $HOME.mp4", "concat:a|b.mp4", "wrong.txt"])
def test_strange_names_and_wrong_extensions_work(clip, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(clip.read_bytes())
    assert probe(name).frames == 100
    assert [index for index, _ in frames(name, frame_times(name), 0.0, 4.0, [0, 99])] == [0, 99]
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_rotation_is_clockwise_and_the_size_is_upright(corpus):
    found = probe(corpus / "singles" / "rotated_90_flag_6s.mp4")
    assert (found.width, found.height, found.rotation) == (720, 1280, 270)


def test_sound_alone_is_no_video(tmp_path):
    assert code_of(make(tmp_path / "a.mp4", picture=None)) == "no_video"


def test_cover_picture_is_no_video(tmp_path, clip):
    convert(tmp_path / "cover.jpg", "-i", str(clip), "-frames:v", "1")
    sound = make(tmp_path / "a.m4a", picture=None)
    inputs = ("-i", str(sound), "-i", str(tmp_path / "cover.jpg"), "-map", "0", "-map", "1")
    covered = convert(tmp_path / "b.m4a", *inputs, "-c", "copy", "-disposition:v:0", "attached_pic")
    assert code_of(covered) == "no_video"


def test_file_without_its_index_is_truncated(clip, tmp_path):
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes()[:20000])
    assert code_of(tmp_path / "a.mp4") == "truncated"


def test_garbage_behind_a_good_signature_is_not_media(tmp_path):
    (tmp_path / "a.mkv").write_bytes(b"\x1aE\xdf\xa3" + bytes(range(256)) * 40)
    assert code_of(tmp_path / "a.mkv") == "not_media"


@pytest.mark.parametrize("in_header", [True, False])
def test_claim_of_30000_pixels_is_too_large_before_anything_is_decoded(tmp_path, in_header):
    assert code_of(claiming_30000_pixels(tmp_path, in_header)) == "too_large"


@pytest.mark.parametrize("limits", [Limits(max_pixels=160 * 120 - 1), Limits(max_duration_s=3.9), Limits(max_frames=99)])
def test_caps_on_pixels_seconds_and_frames(clip, limits):
    assert code_of(clip, limits) == "too_large"


def test_probe_ends_at_its_time_limit(clip):
    assert code_of(clip, Limits(probe_timeout_s=0.001)) == "timeout"


def test_file_that_goes_away_has_vanished(clip, tmp_path):
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes())
    assert len(frame_times(tmp_path / "a.mp4")) == 100
    (tmp_path / "a.mp4").unlink()
    assert code_of(tmp_path / "a.mp4") == "vanished"
    with pytest.raises(Rejected, match="vanished"):
        frame_times(tmp_path / "a.mp4")


def test_times_of_a_variable_frame_rate_are_those_of_its_frames(tmp_path):
    keep = "select='not(between(mod(n,10),3,6))'"
    video = make(tmp_path / "a.mp4", "-vf", keep, "-fps_mode", "vfr", sound=None)
    wanted = [n / 25 for n in range(100) if not 3 <= n % 10 <= 6]
    np.testing.assert_allclose(frame_times(video), wanted, atol=1e-6)


def test_times_begin_at_the_first_frame_shown(tmp_path, clip):
    late = convert(tmp_path / "late.mkv", "-itsoffset", "0.5", "-i", str(clip), "-i", str(clip), "-map", "0:v", "-map", "1:a", "-c", "copy")
    found = probe(late)
    assert found.start_s == pytest.approx(0.5, abs=0.03)
    assert frame_times(late)[0] == 0.0
    assert found.frames == 100


def test_frames_hidden_by_an_edit_list_have_no_time(tmp_path, clip):
    part = convert(tmp_path / "part.mp4", "-ss", "1.3", "-i", str(clip), "-c", "copy")
    assert len(frame_times(part)) == probe(part).frames == len(every_frame(part, 160, 120)) < 80


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b_frames.avi", ("-c:v", "mpeg4", "-bf", "2")),
        ("no_stamps.mpg", ("-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2")),
        ("hidden_pictures.webm", ("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "200k", "-c:a", "libvorbis")),
    ],
)
def test_formats_whose_packets_lack_times_give_every_frame_one(tmp_path, name, options):
    video = make(tmp_path / name, *options)
    np.testing.assert_allclose(frame_times(video), np.arange(100) / 25, atol=0.0011)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("audio_only.mp4", "no_video"),
        ("concat_reading_local_file.mp4", "forbidden_reference"),
        ("playlist_reading_local_file.mp4", "forbidden_reference"),
        ("text_named_video.mp4", "not_media"),
        ("truncated_no_moov.mp4", "truncated"),
        ("zero_bytes.mp4", "not_media"),
    ],
)
def test_broken_files_of_the_corpus_have_their_codes(corpus, name, code):
    assert code_of(corpus / "broken" / name) == code
