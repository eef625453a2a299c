"""Videos of two folders or prefixes of a store, paired by name."""

import pytest

from jobs.evaluation_items import Item, of_folders
from schemas import storage
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake

BASE = "s3a://lake-bucket"


def test_videos_of_a_store_are_paired_by_name(s3_server, tmp_path):
    for name in ("made/a.mp4", "made/deep/b.mp4", "made/notes.txt", "real/a.mkv", "real/c.mp4"):
        storage.put_bytes(name.encode(), f"{BASE}/{name}")
    items = of_folders(Lake.at(str(tmp_path / "lake")), f"{BASE}/made", f"{BASE}/real").items
    assert [(item.name, item.generated, item.real) for item in items] == [
        ("a", f"{BASE}/made/a.mp4", f"{BASE}/real/a.mkv"),
        ("c", None, f"{BASE}/real/c.mp4"),
        ("deep/b", f"{BASE}/made/deep/b.mp4", None),
    ]
    with pytest.raises(MissingError, match="there is no video in s3a://lake-bucket/empty"):
        of_folders(Lake.at(str(tmp_path / "lake")), f"{BASE}/empty", None)


def test_two_videos_of_one_name_in_a_folder_are_refused(tmp_path):
    for name in (
        "made/a.mp4",
        "made/a.mkv",
        "made/a.txt",
        "made/b.mp4",
        "made/deep/b.mkv",
        "real/a.mkv",
        "real/b.mp4",
        "real/b.MP4",
        "real/c.mov",
        "real/c.mp4",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"video")
    lake = Lake.at(str(tmp_path / "lake"))
    with pytest.raises(UsageError, match=r"^a\.mkv and a\.mp4 in \S+/made would be one video, .*; leave one of each name$"):
        of_folders(lake, str(tmp_path / "made"), None)
    (tmp_path / "made" / "a.mkv").unlink()
    with pytest.raises(UsageError, match=r"^b\.MP4 and b\.mp4, c\.mov and c\.mp4 in \S+/real would"):
        of_folders(lake, str(tmp_path / "made"), str(tmp_path / "real"))
    assert [item.name for item in of_folders(lake, str(tmp_path / "made"), None).items] == ["a", "b", "deep/b"]


@pytest.mark.parametrize(
    ("axis", "group", "labels"),
    [
        ("language", "English", ["en", "English", "english", " en-US "]),
        ("language", "Chinese", ["zh", "Mandarin", "zh_CN"]),
        ("language", "Swahili", ["Swahili", " Swahili"]),
        ("language", "Other", ["Other", "other"]),
        ("gender", "male", ["Male", "male", "m", "man"]),
        ("gender", "non-binary", ["non-binary"]),
        ("ethnicity", "Black", ["African", "black"]),
        ("age_group", "60+", ["60+"]),
        ("age_group", "about 30", ["about 30"]),
        ("age_group", "not stated", ["", "  ", None]),
    ],
)
def test_labels_that_mean_one_group_of_the_benchmark_are_one_group_and_others_keep_their_text(axis, group, labels):
    assert {Item("e", "v", "g", "r", labels={axis: label}).group(axis) for label in labels} == {group}
