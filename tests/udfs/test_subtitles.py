"""Subtitles as they come from the web."""

import pytest

from schemas.codes import Rejected
from udfs import subtitles
from udfs.subtitles import Cue, parse_cues, read_cues, speech_in, vocal_for_talkvid

VTT = """WEBVTT
Kind: captions

NOTE a comment
with two lines

STYLE
::cue { color: red }

intro
00:00:01.000 --> 00:00:02.500 align:start position:0%
Hello<00:00:01.300><c> there</c>
second line

00:04.000 --> 00:05.000
[Music]
"""

SRT = """1\r
00:00:01,000 --> 00:00:02,5\r
{\\an8}<i>Hello</i>\r
\r
2\r
00:01:04,000 --> 01:00:05,250\r
Bye\r
"""


def test_webvtt_with_header_notes_ids_settings_and_short_times():
    assert parse_cues(VTT) == [Cue(1.0, 2.5, "Hello<00:00:01.300><c> there</c>\nsecond line"), Cue(4.0, 5.0, "[Music]")]


def test_srt_with_comma_decimals_and_numbers():
    assert [(cue.start_s, cue.end_s) for cue in parse_cues(SRT)] == [(1.0, 2.5), (64.0, 3605.25)]


def test_srt_without_blank_lines_keeps_cue_numbers_out_of_the_text():
    cues = parse_cues("1\n00:01,0 --> 00:02,0\nHello\n2\n00:03,0 --> 00:04,0\nBye")
    assert [cue.text for cue in cues] == ["Hello", "Bye"]


def test_cue_that_ends_before_it_starts_is_left_out():
    assert parse_cues("00:02.000 --> 00:01.000\nHello\n") == []


@pytest.mark.parametrize("text", ["", "not subtitles at all", "00:xx --> 00:02\nHello", "\x00\x01\x02"])
def test_text_without_cues_gives_none(text):
    assert parse_cues(text) == []


ASIDES = ("[Music]", "(Applaus)", "【音楽】", "（拍手）", "♪ la la la ♪", "♪", "*musique*", "<i>[Música]</i>", "&nbsp;", "...", "[Music] [Applause]")


@pytest.mark.parametrize("text", ASIDES)
def test_asides_in_any_language_are_no_speech(text):
    assert not Cue(0.0, 1.0, text).is_speech


@pytest.mark.parametrize("text", ["Hello", "[Anna] Hello", "- Да", "你好", "{\\an8}Yes", "♪ la ♪ he says"])
def test_words_are_speech(text):
    assert Cue(0.0, 1.0, text).is_speech


def test_speech_is_the_union_of_spoken_cues():
    cues = [Cue(3.0, 4.0, "b"), Cue(0.0, 1.5, "a"), Cue(1.0, 2.0, "a b"), Cue(5.0, 9.0, "[Music]")]
    assert speech_in(cues) == [(0.0, 2.0), (3.0, 4.0)]


def test_talkvid_rule_counts_any_text_but_exactly_music_and_includes_both_ends():
    assert vocal_for_talkvid([Cue(0.0, 1.0, "[Applause]")], 1.0, 6.0)
    assert not vocal_for_talkvid([Cue(0.0, 0.99, "Hello")], 1.0, 6.0)
    assert not vocal_for_talkvid([Cue(2.0, 3.0, "<c>[Music]</c> align:start position:0%")], 1.0, 6.0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_file_in_any_usual_encoding(tmp_path, encoding):
    path = tmp_path / "a.srt"
    path.write_bytes("1\n00:00:01,000 --> 00:00:02,000\nGrüße\n".encode(encoding))
    assert read_cues(path) == [Cue(1.0, 2.0, "Grüße")]


def test_absurdly_large_file_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(subtitles, "MAX_BYTES", 10)
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\n\n\n\n\n")
    with pytest.raises(Rejected, match="too_large"):
        read_cues(path)
