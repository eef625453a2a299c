"""Row groups hold about equally many bytes, and rows change places without getting lost."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import ParquetFile

from schemas.lake import Lake
from schemas.row_groups import FILE_BYTES, GroupedTable, even_groups, row_bytes, write_file

MIB = 1 << 20


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    return lake


def rows(sizes: dict[str, int]) -> pa.Table:
    """A row for each name, with a video of that size."""
    return pa.table({"clip_id": list(sizes), "video": pa.array([bytes(size) for size in sizes.values()], pa.binary()), "keypoints": [[1.0, 2.0]] * len(sizes)})


def ids(lake: Lake) -> list[str]:
    return sorted(lake.ledger.read("samples", ["clip_id"])["clip_id"].to_pylist())


def test_groups_of_clips_of_any_length_are_even():
    sizes = (np.random.default_rng(0).uniform(0.5, 6, 200) * MIB).astype(int).tolist()
    groups = even_groups(sizes)
    loads = [sum(sizes[index] for index in group) / MIB for group in groups]
    assert sorted(index for group in groups for index in group) == list(range(200))
    assert max(loads) < 1.1 * min(loads) and np.mean(loads) == pytest.approx(16, rel=0.05)


def test_a_row_larger_than_a_group_stands_alone():
    assert sorted(map(len, even_groups([40 * MIB, MIB, 2 * MIB]))) == [1, 2]


def test_size_of_a_row_counts_what_is_null_for_nothing():
    table = pa.table({"a": pa.array([b"xyz", None], pa.binary()), "b": pa.array([[1.0], None], pa.list_(pa.float32())), "c": ["text", "text"]})
    assert row_bytes(table) == [7, 0]


def test_file_has_even_row_groups_and_every_reader_finds_its_rows(lake, spark):
    table = GroupedTable(lake.ledger, "samples")
    written = write_file(table.root, "samples", rows({f"c{number:02d}": (1 + number % 3) * MIB // 2 for number in range(24)}), group_bytes=6 * MIB)
    table.commit([written])
    groups = table.row_group_bytes()
    assert len(groups) == 4 and max(groups) < 1.1 * min(groups)
    assert ids(lake) == [f"c{number:02d}" for number in range(24)]
    assert lake.read(spark, "samples").count() == 24 and lake.ledger.open("samples").count() == 24


def test_the_same_rows_have_one_order_in_whichever_files_they_came(tmp_path):
    orders = []
    for number, shares in enumerate(("ca b", "b ac", "c b a", "bca")):
        other = Lake.at(str(tmp_path / f"lake{number}"))
        other.ledger.create()
        table = GroupedTable(other.ledger, "samples")
        for share in shares.split():
            table.commit([write_file(table.root, "samples", rows(dict.fromkeys(share, 10)))])
        table.level()
        orders.append(other.ledger.read("samples", ["clip_id"])["clip_id"].to_pylist())
    assert orders == [["a", "b", "c"]] * 4


def test_rows_are_taken_out_and_put_in_by_one_commit(lake):
    table = GroupedTable(lake.ledger, "samples")
    table.commit([write_file(table.root, "samples", rows({"a": 10, "b": 10})), write_file(table.root, "samples", rows({"c": 10}))])
    before = lake.ledger.place.version("samples")
    assert table.commit([write_file(table.root, "samples", rows({"b": 99}))], dropped={"b", "c", "nowhere"}) == 2
    assert ids(lake) == ["a", "b"] and lake.ledger.place.version("samples") == before + 1
    kept = lake.ledger.read("samples").filter(pa.compute.equal(lake.ledger.read("samples")["clip_id"], "a"))
    assert kept["keypoints"].to_pylist() == [[1.0, 2.0]]
    assert table.commit([], dropped={"nowhere"}) == 0 and lake.ledger.place.version("samples") == before + 1


def test_small_files_are_joined_and_the_rest_finds_a_place(lake):
    table = GroupedTable(lake.ledger, "samples")
    for number in range(10):
        table.commit([write_file(table.root, "samples", rows({f"c{number}-{part}": 3 * MIB for part in range(3)}))])
    table.level()
    assert len(lake.ledger.files("samples")) == 1 and len(ids(lake)) == 30
    assert [size / MIB for size in table.row_group_bytes()] == pytest.approx([15] * 6, abs=3.1)
    table.commit([write_file(table.root, "samples", rows({"late": MIB}))])
    table.level()
    assert len(lake.ledger.files("samples")) == 1 and len(ids(lake)) == 31
    assert min(table.row_group_bytes()) > 8 * MIB
    version = lake.ledger.place.version("samples")
    table.level()
    assert lake.ledger.place.version("samples") == version
    assert max(ParquetFile(file).metadata.num_row_groups for file in lake.ledger.files("samples")) * 16 * MIB <= 2 * FILE_BYTES
