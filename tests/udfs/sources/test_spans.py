"""Spans fitted to a real video."""

import pytest

from udfs.sources.source import Span
from udfs.sources.spans import fitted, tube_row
from udfs.sources.talkinghead1kh import parse_tube

SIZE = {"duration_s": 20.0, "fps": 25.0, "width": 1280, "height": 720}


def test_no_manifest_means_null_and_an_empty_one_means_no_spans():
    assert fitted(None, None, **SIZE) == (None, 0)
    assert fitted((), None, **SIZE) == ([], 0)


def test_span_is_kept_as_it_is_and_cut_at_the_end_of_the_video():
    rows, outside = fitted((Span(15.0, 20.3), Span(0.0, 5.0, "caption")), None, **SIZE)
    assert [(row["start_s"], row["end_s"]) for row in rows] == [(0.0, 5.0), (15.0, 20.0)]
    assert rows[0]["caption"] == "caption"
    assert outside == 0


def test_span_outside_the_video_is_counted():
    rows, outside = fitted((Span(0.0, 5.0), Span(19.0, 30.0), Span(25.0, 30.0)), None, **SIZE)
    assert len(rows) == 1
    assert outside == 2


def test_file_that_is_already_cut_to_its_only_span_is_that_span():
    rows, outside = fitted((Span(120.0, 140.1),), None, **SIZE)
    assert [(row["start_s"], row["end_s"]) for row in rows] == [(0.0, 20.0)]
    assert outside == 0


def test_tube_is_scaled_to_the_real_size_and_rate():
    line = parse_tube("--Y9imYnfBw_0002, 720, 1280, 100, 149, 504, 63, 792, 351")
    assert (line.video, line.chunk) == ("--Y9imYnfBw", 2)
    row = tube_row(line.tube, fps=50.0, width=640, height=360)
    assert (row["start_s"], row["end_s"]) == (2.0, 3.0)
    assert row["crop"] == {"left": 252, "top": 31, "right": 396, "bottom": 175}


def test_tube_of_a_later_minute_begins_after_that_minute():
    from dataclasses import replace

    tube = replace(parse_tube("--Y9imYnfBw_0002, 720, 1280, 0, 24, 0, 0, 100, 100").tube, offset_s=120.0)
    rows, _ = fitted(None, (tube,), duration_s=130.0, fps=25.0, width=1280, height=720)
    assert (rows[0]["start_s"], rows[0]["end_s"]) == (120.0, 121.0)


@pytest.mark.parametrize(
    "line",
    [
        "--Y9imYnfBw_0000, 720, 1280, 0, 271, 504, 63, 792",
        "--Y9imYnfBw_0000, 720, 1280, 9, 3, 504, 63, 792, 351",
        "--Y9imYnfBw_0000, 720, 1280, 0, 271, 792, 63, 504, 351",
        "--Y9imYnfBw_0000, 0, 1280, 0, 271, 504, 63, 792, 351",
        "../../evil_0000, 720, 1280, 0, 271, 504, 63, 792, 351",
        "--Y9imYnfBw_0000, 720, 1280, nan, 271, 504, 63, 792, 351",
        "--Y9imYnfBw_0000, 720, 1280, x, 271, 504, 63, 792, 351",
    ],
)
def test_line_that_is_no_tube_is_none(line: str):
    assert parse_tube(line) is None
