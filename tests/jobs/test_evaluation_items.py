"""Videos of two prefixes of a store, paired by name."""

import pytest

from jobs.evaluation_items import of_folders
from schemas import storage
from schemas.errors import MissingError
from schemas.lake import Lake

BASE = "s3a://lake-bucket"


def test_videos_of_a_store_are_paired_by_name(server, tmp_path):
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
