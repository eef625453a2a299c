"""The labels CSV."""

from pathlib import Path

import pytest

from schemas.errors import MissingError, UsageError
from udfs.sources.labels import read_sheet


def sheet(folder: Path, text: str):
    """Read a CSV with this text."""
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return read_sheet(str(path))


def test_labels_are_found_by_relative_path_address_and_id(tmp_path: Path):
    found = sheet(tmp_path, "\ufeffuri,video_id,language,age_group\nsub/a b.mp4,,en,19-30\nhttps://youtu.be/Tr6MMsoWAog,,de,\n,h1,fr,60+\n")
    assert found.of("x", [str(tmp_path / "sub/a b.mp4")]) == {"language": "en", "age_group": "19-30"}
    assert found.of("x", ["https://www.youtube.com/watch?v=Tr6MMsoWAog"]) == {"language": "de"}
    assert found.of("h1", [None]) == {"language": "fr", "age_group": "60+"}
    assert found.of("h2", ["/other"]) == {}


def test_quoted_cells_and_unicode_are_kept(tmp_path: Path):
    assert sheet(tmp_path, 'video_id,speaker_id\nv1,"Zoë; ""Z"", Jr."\n').of("v1", []) == {"speaker_id": 'Zoë; "Z", Jr.'}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("video_id,Language\nv,en\n", "unknown heading 'Language'"),
        ("language\nen\n", "needs a heading uri or video_id"),
        ("", "needs a heading uri or video_id"),
        ("video_id,age_group\nv,13-17\n", "age group '13-17'"),
        ("video_id,language\n,en\n", "names no video"),
        ("video_id,language\nv,en\nv,de\n", "other labels than a row before"),
        ("video_id,language\nv,en,x\n", "has 3 cells"),
        ("video_id,video_id\nv,w\n", "heading twice"),
    ],
)
def test_mistake_in_the_csv_is_one_sentence(tmp_path: Path, text: str, says: str):
    with pytest.raises(UsageError, match=says):
        sheet(tmp_path, text)


def test_missing_and_binary_files_are_named(tmp_path: Path):
    with pytest.raises(MissingError, match="no labels file"):
        read_sheet(str(tmp_path / "none.csv"))
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_sheet(str(tmp_path / "b.csv"))
