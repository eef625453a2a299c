"""Labels and spans that arrive after their video."""

from udfs.sources.labels import LabelSheet
from udfs.sources.late import changed_videos, labels_row
from udfs.sources.source import Source, Span

VIDEO = {"video_id": "v", "uri": "/a.mp4", "duration_s": 20.0, "fps": 25.0, "width": 64, "height": 48, "source": {"url": None}, "labels": None, "spans": None}
NOTHING = LabelSheet()


def test_csv_goes_before_what_is_stored_and_the_manifest_fills_what_is_empty():
    stored = labels_row({"language": "en", "gender": "Male"}, {})
    assert stored["source"] == "manifest"
    row = labels_row({"language": "fr", "category": "talk"}, {"gender": "Female"}, stored)
    assert (row["language"], row["gender"], row["category"], row["source"]) == ("en", "Female", "talk", "labels-csv")
    assert labels_row({}, {}) is None


def test_labels_by_path_reach_the_video_that_the_path_is():
    sheet = LabelSheet(by_uri={"/b.mp4": {"language": "de"}})
    (change,) = changed_videos([VIDEO], [], {"/a.mp4": "v", "/b.mp4": "v"}, sheet)
    assert change["labels"]["language"] == "de"
    settled = VIDEO | change
    assert changed_videos([settled], [], {"/a.mp4": "v", "/b.mp4": "v"}, sheet) == []


def test_spans_that_arrive_later_are_added_once():
    source = Source("/a.mp4", spans=(Span(0.0, 5.0, "x"),))
    (change,) = changed_videos([VIDEO], [source], {"/a.mp4": "v"}, NOTHING)
    assert [(row["start_s"], row["end_s"]) for row in change["spans"]] == [(0.0, 5.0)]
    more = Source("/a.mp4", spans=(Span(0.0, 5.0, "x"), Span(6.0, 9.0)))
    (change,) = changed_videos([VIDEO | change], [more], {"/a.mp4": "v"}, NOTHING)
    assert [row["start_s"] for row in change["spans"]] == [0.0, 6.0]
    assert changed_videos([VIDEO | change], [source, more], {"/a.mp4": "v"}, NOTHING) == []
