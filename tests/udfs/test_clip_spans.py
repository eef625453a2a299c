"""Which spans of a video become clips."""

import numpy as np
import pytest

from udfs import media
from udfs.clip_spans import spans_of_manifest, spans_of_shots
from udfs.presets import make_preset
from udfs.shots.transitions import Shot
from udfs.subtitles import Cue

RATE = 25
BORDERS_S = np.arange(100 * RATE + 1) / RATE


def shot(start_s: float, end_s: float, index: int = 0) -> Shot:
    return Shot(index, round(start_s * RATE), round(end_s * RATE))


def times(preset, shots, cues=None):
    spans, _ = spans_of_shots(preset, shots, BORDERS_S, cues, lambda: None)
    return [(span.start_s, span.end_s) for span in spans]


def test_default_takes_shots_whole_drops_short_ones_and_splits_long_ones():
    spans, _ = spans_of_shots(make_preset("default"), [shot(0, 2, 0), shot(2, 10, 1), shot(10, 60, 2)], BORDERS_S, None, lambda: None)
    assert [(span.start_s, span.end_s, span.shot_index) for span in spans] == [(2.0, 10.0, 1), (10.0, 35.0, 2), (35.0, 60.0, 2)]


def test_sound_is_listened_to_only_when_a_shot_must_be_split():
    def never():
        raise AssertionError("listened")

    assert len(spans_of_shots(make_preset("default"), [shot(0, 30)], BORDERS_S, None, never)[0]) == 1


def test_talkvid_moves_both_ends_to_frames_inside_its_offsets():
    (span,), _ = spans_of_shots(make_preset("talkvid"), [shot(10, 20)], BORDERS_S, None, lambda: None)
    assert (span.start_frame, span.end_frame) == (258, 498)
    assert (span.start_s, span.end_s) == (10.32, 19.92)


@pytest.mark.parametrize("length_s, kept", [(5.4, False), (5.44, False), (5.48, True), (6.0, True), (90.0, True)])
def test_talkvid_keeps_what_is_over_five_seconds_after_rounding_to_a_tenth(length_s, kept):
    assert bool(times(make_preset("talkvid"), [shot(0, length_s)])) == kept


def test_talkvid_keeps_clips_without_subtitles_and_drops_clips_outside_of_cues():
    preset, shots = make_preset("talkvid"), [shot(0, 10, 0), shot(10, 20, 1)]
    assert len(times(preset, shots)) == 2
    assert times(preset, shots, [Cue(12.0, 13.0, "Hello")]) == [(10.32, 19.92)]
    assert spans_of_shots(preset, shots, BORDERS_S, [], lambda: None) == ([], "no clip has subtitles")


def test_reason_says_what_was_asked():
    assert spans_of_shots(make_preset("default", min_s=4.0), [shot(0, 3)], BORDERS_S, None, lambda: None) == ([], "no shot lasts 4 s")
    assert spans_of_shots(make_preset("talkvid"), [shot(0, 3)], BORDERS_S, None, lambda: None) == ([], "no shot lasts over 5 s")


def test_manifest_spans_stay_as_they_are_with_crop_and_caption():
    box = {"left": 1, "top": 2, "right": 3, "bottom": 4}
    given = [{"start_s": 0.0, "end_s": 5.0416, "crop": box, "caption": "a man"}, {"start_s": 95.01, "end_s": 200.0, "crop": None, "caption": None}]
    (first, last), _ = spans_of_manifest(given, BORDERS_S, "v")
    assert (first.start_s, first.end_s, first.start_frame, first.end_frame, first.crop, first.caption) == (0.0, 5.0416, 0, 127, box, "a man")
    assert (last.start_s, last.end_s, last.start_frame, last.end_frame, last.shot_index) == (95.01, 100.0, 2376, 2500, 1)
    assert all(media.span(BORDERS_S[:-1], span.start_s, span.end_s) == (span.start_frame, span.end_frame) for span in (first, last))


def test_two_faces_at_the_same_time_are_two_clips_and_a_repeated_span_is_one():
    def given(left: int) -> dict:
        return {"start_s": 1.0, "end_s": 2.0, "crop": {"left": left, "top": 0, "right": 90, "bottom": 9}, "caption": None}

    spans, _ = spans_of_manifest([given(0), given(50), given(0), given(70)], BORDERS_S, "v")
    assert [span.crop["left"] for span in spans] == [0, 50, 70]
    assert len({round(span.end_s * 1000) for span in spans}) == 3
    assert {(span.start_frame, span.end_frame) for span in spans} == {(25, 50)}


def test_spans_outside_the_video_are_left_out_with_a_reason():
    outside = [{"start_s": 200.0, "end_s": 210.0, "crop": None, "caption": None}]
    assert spans_of_manifest(outside, BORDERS_S, "v") == ([], "the manifest's spans lie outside the video")
    assert spans_of_manifest(None, BORDERS_S, "v") == ([], "the manifest gives no span of it")
