"""One video becomes one row of clips, or one failure."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import MissingError
from tests.scenes import scenes
from udfs import media, segmentation
from udfs.footage import tiny_video
from udfs.presets import make_preset
from udfs.segmentation import CLIP, ROWS, SegmentPlan, died, segment_fingerprint, segment_items


def item(path: Path, **more) -> dict:
    return {"video_id": "v", "uri": str(path), "has_audio": False, "audio_uri": None, "subtitle_uri": None, "spans": None} | more


def row_of(given: dict, preset: str = "default", **changes) -> dict:
    ((index, (row,)),) = segment_items(SegmentPlan(make_preset(preset, **changes)), [given])
    assert index == 0 and set(row) <= set(ROWS.names) and all(set(clip) == {field.name for field in CLIP} for clip in row["clips"])
    return row


def frames_of(row: dict) -> list[tuple[int, int]]:
    return [(clip["start_frame"], clip["end_frame"]) for clip in row["clips"]]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory) -> Path:
    """Four seconds of a talking head."""
    return tiny_video(tmp_path_factory.mktemp("spoken") / "spoken.mp4", seconds=4.0)


def test_video_without_cut_is_one_shot(tmp_path):
    row = row_of(item(scenes(tmp_path / "one.mp4", [4])))
    assert (row["shots"], row["transitions"], row["reason"]) == (1, [], None)
    (clip,) = row["clips"]
    assert (clip["clip_id"], clip["start_s"], clip["end_s"], clip["end_frame"]) == ("v-000000000-000004000", 0.0, 4.0, 100)


def test_without_limits_and_speech_each_shot_is_one_clip(tmp_path):
    row = row_of(item(scenes(tmp_path / "cuts.mp4", [1, 2, 1])), min_s=0.0, max_s=0.0, speech=False)
    assert frames_of(row) == [(0, 25), (25, 75), (75, 100)]
    assert [clip["shot_index"] for clip in row["clips"]] == [0, 1, 2]
    assert all(clip["speech_s"] is None and clip["speech_ratio"] is None for clip in row["clips"])
    assert [(found["start_s"], found["kind"]) for found in row["transitions"]] == [(1.0, "cut"), (3.0, "cut")]


def test_frames_of_a_fade_belong_to_no_clip(tmp_path):
    row = row_of(item(scenes(tmp_path / "fade.mp4", [4, 4], fade_s=1.0)), min_s=0.0)
    (_, first_end), (second_start, end) = frames_of(row)
    assert first_end <= 78 and second_start >= 97 and end == 175


def test_silent_video_keeps_its_clip_with_no_speech(tmp_path):
    (clip,) = row_of(item(scenes(tmp_path / "silent.mp4", [4])))["clips"]
    assert clip["speech_s"] == 0.0 and clip["speech_ratio"] == 0.0


def test_speech_is_measured_within_the_clip(spoken):
    (clip,) = row_of(item(spoken, has_audio=True))["clips"]
    assert 2.0 < clip["speech_s"] <= 4.0
    assert clip["speech_ratio"] == pytest.approx(clip["speech_s"] / 4.0)


def test_speech_is_taken_from_a_separate_sound_file(tmp_path, spoken):
    sound = tmp_path / "sound.m4a"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(spoken), "-vn", "-c", "copy", str(sound)], check=True)
    (clip,) = row_of(item(scenes(tmp_path / "silent.mp4", [4]), has_audio=True, audio_uri=str(sound)))["clips"]
    assert clip["speech_s"] > 2.0


VTT = "WEBVTT\n\n00:01.000 --> 00:02.500\nHello\n\n00:03.000 --> 00:04.000\n[Music]\n"
SRT = "1\n00:00:01,000 --> 00:00:02,500\nHello\n"


@pytest.mark.parametrize("text", [VTT, SRT])
def test_subtitles_say_where_speech_is(tmp_path, spoken, text):
    subtitles = tmp_path / "a.txt"
    subtitles.write_text(text)
    (clip,) = row_of(item(spoken, has_audio=True, subtitle_uri=str(subtitles)))["clips"]
    assert clip["speech_s"] == pytest.approx(1.5)


def test_subtitle_file_without_a_cue_leaves_speech_to_be_heard(tmp_path, spoken):
    subtitles = tmp_path / "a.vtt"
    subtitles.write_text("<html>not found</html>")
    (clip,) = row_of(item(spoken, has_audio=True, subtitle_uri=str(subtitles)))["clips"]
    assert clip["speech_s"] > 2.0


def test_spans_hold_exactly_their_frames_at_variable_frame_rate(tmp_path):
    path = tmp_path / "vfr.mkv"
    whole = scenes(tmp_path / "cuts.mp4", [2, 2], fps=30)
    select = "select='not(mod(n,2))+lt(n,20)',setpts=PTS-STARTPTS"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(whole), "-vf", select, "-fps_mode", "vfr", "-preset", "veryfast", str(path)], check=True)
    times_s = media.frame_times(path)
    row = row_of(item(path), detector="content", min_s=0.0)
    assert len(row["clips"]) == 2 and len(set(np.round(np.diff(times_s), 3))) > 1
    for clip in row["clips"]:
        inside = np.flatnonzero((times_s >= clip["start_s"]) & (times_s < clip["end_s"]))
        assert (inside[0], inside[-1] + 1) == (clip["start_frame"], clip["end_frame"])
    assert row["clips"][-1]["end_s"] > times_s[-1]


def test_one_decode_feeds_everything(spoken):
    media.reset_decoder_starts()
    row_of(item(spoken, has_audio=True))
    assert media.decoder_starts() == 1


def test_manifest_spans_need_no_decode(spoken):
    media.reset_decoder_starts()
    spans = [{"start_s": 1.0, "end_s": 3.0, "crop": None, "caption": "she speaks"}]
    row = row_of(item(spoken, has_audio=True, spans=spans), "manifest")
    assert media.decoder_starts() == 0 and row["shots"] is None
    assert [(clip["start_s"], clip["end_s"], clip["caption"]) for clip in row["clips"]] == [(1.0, 3.0, "she speaks")]
    assert row["clips"][0]["speech_s"] > 0.5


def test_bad_input_is_a_row_with_a_code_and_the_others_go_on(tmp_path, spoken):
    text = tmp_path / "text.mp4"
    text.write_text("this is no video")
    gone = item(tmp_path / "gone.mp4")
    no_subtitles = item(spoken, subtitle_uri=str(tmp_path / "gone.vtt"))
    rows = dict(segment_items(SegmentPlan(make_preset("default")), [item(text), gone, no_subtitles, item(spoken)]))
    assert [rows[index][0].get("code") for index in range(4)] == ["not_media", "vanished", "vanished", None]
    assert rows[2][0]["detail"].startswith("its subtitle file:")
    assert len(rows[3][0]["clips"]) == 1


def test_unexpected_error_is_a_row_and_missing_weights_end_the_job(spoken, monkeypatch, capsys):
    def fail(error):
        def raising(*_, **__):
            raise error

        return raising

    monkeypatch.setattr(segmentation, "find_transitions", fail(ZeroDivisionError("by zero")))
    row = row_of(item(spoken))
    assert (row["code"], row["detail"]) == ("internal", "ZeroDivisionError: by zero")
    assert "ZeroDivisionError" in capsys.readouterr().err
    monkeypatch.setattr(segmentation, "find_transitions", fail(MissingError("no weights")))
    with pytest.raises(MissingError):
        row_of(item(spoken))


def test_video_that_kills_its_process_has_a_row():
    (row,) = died(item(Path("x.mp4")))
    assert (row["video_id"], row["code"]) == ("v", "worker_died")


def test_fingerprint_covers_parameters_and_weights(monkeypatch):
    usual = segment_fingerprint(make_preset("default"))
    others = {segment_fingerprint(make_preset("default", **change)) for change in ({"min_s": 2.0}, {"speech": False}, {"threshold": 0.4})}
    assert usual.startswith("segment-v") and usual not in others and len(others) == 3
    monkeypatch.setattr(segmentation.weights, "sha256", lambda name: "other")
    assert segment_fingerprint(make_preset("default")) != usual


@pytest.mark.corpus
def test_gradual_transitions_of_real_footage(corpus):
    row = row_of(item(corpus / "gradual_a.mp4"), min_s=0.0)
    assert 590 in [round(found["start_s"] * 25) for found in row["transitions"] if found["kind"] == "cut"]
    for start, end in ((125, 150), (250, 275), (380, 400), (615, 665)):
        assert all(max(0, min(after, end) - max(first, start)) <= 3 for first, after in frames_of(row))
