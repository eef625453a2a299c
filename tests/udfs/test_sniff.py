import os

import pytest

from schemas.codes import Rejected
from tests.udfs.clips import make
from udfs.media import sniff
from udfs.sniff import check_complete

PLAYLISTS = {
    "hls": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
    "hls with byte order mark": b"\xef\xbb\xbf#EXTM3U\n",
    "concat": b"ffconcat version 1.0\nfile 'neighbour.mp4'\n",
    "concat without a first line": b"file neighbour.mp4\n",
    "dash": b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "session description": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    "winamp": b"[playlist]\nFile1=/etc/hostname\n",
}


def code_of(path) -> str:
    with pytest.raises(Rejected) as caught:
        sniff(path)
    return caught.value.code


@pytest.mark.parametrize(
    ("name", "demuxer", "options"),
    [
        ("a.mp4", "mov", ()),
        ("a.mov", "mov", ()),
        ("a.mkv", "matroska", ()),
        ("a.webm", "matroska", ("-c:v", "libvpx", "-c:a", "libvorbis")),
        ("a.avi", "avi", ()),
        ("a.ts", "mpegts", ()),
        ("a.m2ts", "mpegts", ("-mpegts_m2ts_mode", "1")),
        ("a.mpg", "mpeg", ("-c:a", "mp2")),
        ("a.flv", "flv", ("-ar", "44100")),
        ("a.ogv", "ogg", ("-c:v", "libtheora", "-c:a", "libvorbis")),
        ("a.wmv", "asf", ()),
    ],
)
def test_video_formats_are_known_by_their_bytes_not_their_names(tmp_path, name, demuxer, options):
    video = make(tmp_path / name, *options, picture="testsrc2=size=64x48:rate=25:duration=0.4", sound="sine=duration=0.4")
    assert sniff(video.rename(tmp_path / "something.txt")) == demuxer


@pytest.mark.parametrize(
    ("name", "demuxer", "options"),
    [
        ("a.wav", "wav", ()),
        ("a.mp3", "mp3", ()),
        ("bare.mp3", "mp3", ("-id3v2_version", "0", "-write_xing", "0")),
        ("a.flac", "flac", ()),
        ("a.aac", "aac", ()),
        ("a.m4a", "mov", ()),
    ],
)
def test_sound_formats_are_known_by_their_bytes(tmp_path, name, demuxer, options):
    assert sniff(make(tmp_path / name, *options, picture=None, sound="sine=duration=0.4")) == demuxer


@pytest.mark.parametrize("text", PLAYLISTS.values(), ids=PLAYLISTS.keys())
def test_playlists_of_all_kinds_are_forbidden(tmp_path, text):
    (tmp_path / "a.mp4").write_bytes(text)
    assert code_of(tmp_path / "a.mp4") == "forbidden_reference"


@pytest.mark.parametrize("content", [b"", b"\0", b"this is not a video", b"\xff\xd8\xff\xe0\0\x10JFIF", b"PK\x03\x04", b"<?xml version='1.0'?><html/>"])
def test_other_files_are_not_media(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    assert code_of(tmp_path / "a.mp4") == "not_media"


def test_folder_and_pipe_are_not_media(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert code_of(tmp_path / "pipe.mp4") == "not_media"
    assert code_of(tmp_path) == "not_media"


def test_missing_file_has_vanished(tmp_path):
    assert code_of(tmp_path / "gone.mp4") == "vanished"


def test_mp4_that_ends_early_is_truncated(tmp_path):
    whole = make(tmp_path / "a.mp4", "-movflags", "+faststart")
    check_complete(whole)
    whole.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(Rejected) as caught:
        check_complete(whole)
    assert caught.value.code == "truncated"
