"""Of a Parquet file only what is needed is copied, and that can be read."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas import storage
from schemas.codes import Rejected
from training.partial_copy import copy_part, partly_staged

GROUPS, ROWS, BYTES = 4, 3, 300_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Twelve rows in four row groups, two columns of noise and two small ones."""
    random = np.random.default_rng(1)
    columns = {name: [random.bytes(BYTES) for _ in range(GROUPS * ROWS)] for name in ("video", "latents")}
    columns |= {"clip_id": [f"clip-{number}" for number in range(GROUPS * ROWS)], "keypoints": [[float(number)] * 5 for number in range(GROUPS * ROWS)]}
    place = tmp_path / "samples.parquet"
    pq.write_table(pa.table(columns), place, row_group_size=ROWS, compression="none", write_page_checksum=True)
    return place


class Counted:
    """A file that counts the bytes read from it."""

    def __init__(self, path: Path) -> None:
        self.file, self.bytes = open(path, "rb"), 0  # noqa: SIM115

    def __getattr__(self, name: str):
        return getattr(self.file, name)

    def read(self, count: int = -1) -> bytes:
        data = self.file.read(count)
        self.bytes += len(data)
        return data


@pytest.mark.parametrize("columns", [["clip_id", "video", "keypoints"], ["latents", "clip_id"], ["keypoints"]])
@pytest.mark.parametrize("groups", [{0}, {1, 3}])
def test_the_wanted_columns_of_the_wanted_row_groups_are_there_and_little_else_was_read(file, tmp_path, columns, groups):
    source = Counted(file)
    with open(tmp_path / "part.parquet", "wb") as copy:
        copy_part(source, file.stat().st_size, copy, groups, columns)
    part, whole = pq.ParquetFile(tmp_path / "part.parquet", page_checksum_verification=True), pq.ParquetFile(file)
    for group in groups:
        assert part.read_row_group(group, columns=columns).equals(whole.read_row_group(group, columns=columns))
    large = sum(name in ("video", "latents") for name in columns) * len(groups) * ROWS * BYTES
    assert large <= source.bytes < large + 200_000
    assert os.stat(tmp_path / "part.parquet").st_blocks * 512 < large + 200_000
    assert (tmp_path / "part.parquet").stat().st_size == file.stat().st_size


def test_what_is_no_parquet_file_is_copied_whole(tmp_path):
    (tmp_path / "file").write_bytes(b"no Parquet at all" * 100)
    with open(tmp_path / "file", "rb") as source, open(tmp_path / "copy", "wb") as copy:
        copy_part(source, 1700, copy, {0}, ["video"])
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "file").read_bytes()


def test_a_local_file_is_read_where_it_lies(file):
    with partly_staged(str(file), {0}, ["video"]) as path:
        assert path == file


def test_from_a_store_a_part_comes_and_goes_and_an_object_that_is_gone_is_told(s3_server, file, tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path / "scratch"))
    uri = "s3a://lake-bucket/samples.parquet"
    storage.put_file(file, uri)
    with partly_staged(uri, {2}, ["clip_id", "video"]) as path:
        assert pq.ParquetFile(path).read_row_group(2, columns=["clip_id"])["clip_id"].to_pylist() == ["clip-6", "clip-7", "clip-8"]
        assert path.stat().st_blocks * 512 < ROWS * BYTES + 200_000
    assert not list((tmp_path / "scratch").iterdir())
    storage.delete(uri)
    with pytest.raises(Rejected) as gone, partly_staged(uri, {2}, ["video"]):
        pass
    assert gone.value.code == "vanished"
