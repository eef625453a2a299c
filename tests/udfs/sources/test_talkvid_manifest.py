"""TalkVid's manifests: both record shapes, all file shapes, hostile values."""

import json
import os
from pathlib import Path

import pytest

from schemas.errors import UsageError
from udfs.sources.source import Span
from udfs.sources.talkvid_manifest import manifest_sources

LINK = "https://www.youtube.com/watch?v=Tr6MMsoWAog"


def released(start, end, **changes) -> dict:
    """A record as it was released (talkvid.md §6.2)."""
    info = {"Person ID": "597", "Ethnicity": "White", "Age Group": "60+", "Gender": "Male", "Video Link": LINK, "Language": "English"}
    info["Video Category"] = "Personal Experience"
    record = {"id": "videovideoTr6MMsoWAog-scene1-scene1", "start-time": start, "end-time": end, "durations": "5.0s", "info": info}
    return record | {"description": "A man talks."} | changes


def manifest(folder: Path, content) -> str:
    """Write a manifest and return its path."""
    path = folder / "manifest.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_start_of_zero_is_a_start(tmp_path: Path):
    (source,) = manifest_sources(manifest(tmp_path, [released(0, 5.2)]))
    assert source.spans == (Span(0.0, 5.2, "A man talks."),)


def test_released_records_of_one_link_become_one_download_with_sorted_spans_and_labels(tmp_path: Path):
    (source,) = manifest_sources(manifest(tmp_path, [released(9.0, 15.5), released(0.1, 5.1417), released(0.1, 5.1417)]))
    assert source.is_download
    assert (source.uri, source.video_id) == (LINK, "Tr6MMsoWAog")
    assert [(span.start_s, span.end_s) for span in source.spans] == [(0.1, 5.1417), (9.0, 15.5)]
    assert source.labels == {
        "language": "English",
        "speaker_id": "597",
        "age_group": "60+",
        "gender": "Male",
        "ethnicity": "White",
        "category": "Personal Experience",
    }


def test_six_field_record_finds_its_files_relative_to_the_manifest(tmp_path: Path):
    for name in ("in put;.mp4", "sound.m4a", "words.vtt"):
        (tmp_path / name).write_bytes(b"x")
    record = {"id": "1", "video-id": "video_7", "video-path": "in put;.mp4", "audio-path": "sound.m4a", "description-path": "", "subtitle-path": "words.vtt"}
    (source,) = manifest_sources(manifest(tmp_path, [record]))
    assert source.uri == str(tmp_path / "in put;.mp4")
    assert source.video_id == "video_7"
    assert (source.audio_uri, source.audio_is_named) == (str(tmp_path / "sound.m4a"), True)
    assert source.subtitle_uri == str(tmp_path / "words.vtt")
    assert source.spans is None


@pytest.mark.parametrize("hostile", ["../../etc/passwd", "a b", "x'; DROP TABLE videos; --", "", "é", "a" * 65])
def test_unsafe_id_is_not_taken_over(tmp_path: Path, hostile: str):
    (tmp_path / "a.mp4").write_bytes(b"x")
    (source,) = manifest_sources(manifest(tmp_path, [{"video-id": hostile, "video-path": "a.mp4"}]))
    assert source.video_id is None


def test_id_claimed_by_two_files_belongs_to_neither(tmp_path: Path):
    records = [{"video-id": "same", "video-path": "a.mp4"}, {"video-id": "same", "video-path": "b.mp4"}]
    assert [source.video_id for source in manifest_sources(manifest(tmp_path, records))] == [None, None]


def test_single_object_and_json_lines_are_manifests_too(tmp_path: Path):
    assert len(manifest_sources(manifest(tmp_path, released(1, 2)))) == 1
    lines = "\n".join(json.dumps(released(i, i + 5) | {"description": "a\u2028b"}, ensure_ascii=False) for i in range(3)) + "\n"
    (source,) = manifest_sources(manifest(tmp_path, lines))
    assert [span.start_s for span in source.spans] == [0.0, 1.0, 2.0]
    assert source.spans[0].caption == "a\u2028b"


def test_bad_line_and_record_without_a_video_are_sources_with_a_problem(tmp_path: Path):
    lines = "\n".join([json.dumps(released(0, 5)), "{broken", json.dumps({"id": "nothing"}), json.dumps({"info": {"Video Link": "file:///etc/passwd"}})])
    path = manifest(tmp_path, lines)
    good, *bad = manifest_sources(path)
    assert good.problem is None
    assert [source.uri for source in bad] == [f"{path}#record={number}" for number in (2, 3, 4)]
    assert {source.problem.code for source in bad} == {"not_media"}
    assert bad[0].bytes == os.stat(path).st_size


@pytest.mark.parametrize("content", ["not json", "[1, 2", '"text"', "17", "[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_file_that_is_no_manifest_is_one_sentence(tmp_path: Path, content: str):
    with pytest.raises(UsageError, match="no TalkVid manifest"):
        manifest_sources(manifest(tmp_path, content))


@pytest.mark.parametrize(("start", "end"), [(5, 5), (5, 1), (-1, 5), ("x", 5), (None, 5), (float("nan"), 5), (0, float("inf")), (True, 5), (0, [5])])
def test_span_that_is_none_is_left_out_with_a_remark(tmp_path: Path, start, end):
    (source,) = manifest_sources(manifest(tmp_path, [released(start, end), released("1.5", "6.5")]))
    assert [(span.start_s, span.end_s) for span in source.spans] == [(1.5, 6.5)]
    assert any("no span" in remark for remark in source.remarks)


def test_labels_on_which_records_disagree_are_left_empty(tmp_path: Path):
    second = released(9, 14)
    second["info"] = second["info"] | {"Person ID": "598"}
    (source,) = manifest_sources(manifest(tmp_path, [released(0, 5), second]))
    assert "speaker_id" not in source.labels
    assert source.labels["gender"] == "Male"
    assert any("speaker_id" in remark for remark in source.remarks)


def test_hostile_label_values_are_made_storable(tmp_path: Path):
    record = released(0, 5)
    record["info"] |= {"Person ID": 597, "Age Group": "31\u201345", "Gender": ["Male"], "Ethnicity": "\ud800\0x", "Language": "  "}
    (source,) = manifest_sources(manifest(tmp_path, json.dumps([record])))
    assert source.labels["speaker_id"] == "597"
    assert source.labels["age_group"] == "31-45"
    assert "gender" not in source.labels
    assert "language" not in source.labels
    source.labels["ethnicity"].encode("utf-8")


def test_unknown_age_group_of_a_manifest_is_left_out(tmp_path: Path):
    record = released(0, 5)
    record["info"]["Age Group"] = "13-17"
    (source,) = manifest_sources(manifest(tmp_path, [record]))
    assert "age_group" not in source.labels


def test_path_goes_before_the_link_and_keeps_the_link_as_provenance(tmp_path: Path):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    (source,) = manifest_sources(manifest(tmp_path, [released(0, 5, **{"video-path": "clip.mp4"})]))
    assert source.uri == str(tmp_path / "clip.mp4")
    assert source.provenance["url"] == LINK
    assert source.video_id == "Tr6MMsoWAog"
