import ast
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.petastorm_epochs import ROWS, fresh_epochs, numbered_file, numbers, reset_epochs, slow_to_ask, slow_to_end
from schemas.errors import MissingError, TalkvidError, UsageError
from training import petastorm_compat
from training.petastorm_compat import TransformSpec, file_url, make_batch_reader

REPOSITORY = Path(__file__).resolve().parents[2]
EVERY_ROW = list(range(ROWS))


def read(paths, pool="dummy", **options):
    return make_batch_reader([file_url(path) for path in paths], reader_pool_type=pool, workers_count=2, shuffle_row_groups=False, **options)


def rows_of(paths, pool="dummy", **options) -> dict[str, list]:
    with read(paths, pool, **options) as reader:
        batches = [batch._asdict() for batch in reader]
    return {name: [row for batch in batches for row in batch[name].tolist()] for name in batches[0]}


@pytest.fixture
def numbered(tmp_path) -> Path:
    return numbered_file(tmp_path / "numbers of rows%20.parquet")


def test_dummy_pool_loses_no_row_and_keeps_the_order_in_200_epochs(numbered) -> None:
    assert all(rows == EVERY_ROW for rows in fresh_epochs(numbered, "dummy", 1, 200))


def test_thread_pool_loses_no_row_in_200_epochs(numbered) -> None:
    assert all(sorted(rows) == EVERY_ROW for rows in fresh_epochs(numbered, "thread", 4, 200))


def test_process_pool_loses_no_row_in_6_epochs(numbered) -> None:
    assert all(sorted(rows) == EVERY_ROW for rows in reset_epochs(numbered, "process", 2, 6))


@pytest.mark.parametrize("pool", ["dummy", "thread"])
def test_reader_that_is_reset_gives_each_row_once(numbered, pool) -> None:
    assert all(sorted(rows) == EVERY_ROW for rows in reset_epochs(numbered, pool, 2, 20))


def test_delay_is_where_the_original_thread_pool_loses_rows(numbered, monkeypatch) -> None:
    from petastorm.workers_pool.thread_pool import ThreadPool

    monkeypatch.setattr(ThreadPool, "get_results", ThreadPool.get_results.__wrapped__)
    with slow_to_ask(0.3), read([numbered], "thread") as reader:
        assert numbers(reader) == []


def ventilating_threads_after_reset(path) -> int:
    with slow_to_end(0.25), read([path], "thread") as reader:
        assert numbers(reader)
        reader.reset()
        return sum("_ventilate" in thread.name and thread.is_alive() for thread in threading.enumerate())


def test_reset_waits_for_the_ventilator_of_the_last_epoch(numbered) -> None:
    assert ventilating_threads_after_reset(numbered) == 1


def test_delay_is_where_the_original_reset_ventilates_twice(numbered, monkeypatch) -> None:
    from petastorm.workers_pool.ventilator import ConcurrentVentilator

    monkeypatch.setattr(ConcurrentVentilator, "reset", ConcurrentVentilator.reset.__wrapped__)
    assert ventilating_threads_after_reset(numbered) == 2


def bytes_read_by_this_process() -> int:
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counters["rchar"])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="counts bytes as Linux does")
def test_row_groups_are_read_one_by_one(tmp_path) -> None:
    blobs = [np.random.default_rng(seed).bytes(2**18) for seed in range(40)]
    pq.write_table(pa.table({"blob": blobs}), tmp_path / "large.parquet", row_group_size=4, compression="none")
    start = bytes_read_by_this_process()
    with read([tmp_path / "large.parquet"]) as reader:
        opened = bytes_read_by_this_process()
        first = next(reader)
        assert list(first.blob) == blobs[:4]
        assert opened - start < 2**18
        assert 2**20 <= bytes_read_by_this_process() - opened < 1.5 * 2**20


def spoil(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("pool", ["dummy", "thread", "process"])
def test_damaged_row_group_raises_with_the_path(tmp_path, pool) -> None:
    path = tmp_path / "damaged.parquet"
    pq.write_table(pa.table({"number": range(4000)}), path, row_group_size=1000, write_page_checksum=True, compression="none")
    column = pq.read_metadata(path).row_group(2).column(0)
    spoil(path, column.data_page_offset + column.total_compressed_size // 2)
    with pytest.raises(TalkvidError, match="damaged.parquet cannot be read"), read([path], pool) as reader:
        numbers(reader)


def test_a_killed_reader_process_is_an_error_though_another_goes_on(numbered, monkeypatch) -> None:
    monkeypatch.setattr(petastorm_compat, "DELIVERY_MS", 1000)
    with pytest.raises(TalkvidError, match="ended with status -9"), read([numbered], "process", num_epochs=None) as reader:
        next(reader)
        reader._workers_pool._workers[0].kill()
        for _ in reader:
            pass


def test_the_last_message_of_a_closed_socket_arrives() -> None:
    from petastorm.workers_pool.process_pool import zmq

    with zmq.Context() as ours, ours.socket(zmq.PULL) as receiver:
        address = f"tcp://127.0.0.1:{receiver.bind_to_random_port('tcp://127.0.0.1')}"
        for _ in range(200):
            with zmq.Context() as another, another.socket(zmq.PUSH) as sender:
                sender.linger = 0
                sender.connect(address)
                sender.send(b"begun")
                assert receiver.poll(10_000) and receiver.recv() == b"begun"
                sender.send(bytes(20_000))
                sender.send(b"an error")
            assert [receiver.recv() for _ in range(2) if receiver.poll(10_000)] == [bytes(20_000), b"an error"]


def test_cut_off_file_raises(numbered) -> None:
    numbered.write_bytes(numbered.read_bytes()[:-20])
    with pytest.raises(TalkvidError, match="cannot be read"):
        read([numbered])


def test_absent_file_raises(tmp_path) -> None:
    with pytest.raises(FileNotFoundError):
        read([tmp_path / "absent.parquet"])


def test_file_that_was_replaced_is_read_with_its_new_footer(numbered) -> None:
    assert rows_of([numbered])["number"] == EVERY_ROW
    pq.write_table(pa.table({"number": [7, 8, 9]}), numbered)
    assert rows_of([numbered])["number"] == [7, 8, 9]


def test_files_are_read_in_the_order_of_the_list(tmp_path) -> None:
    paths = [tmp_path / name for name in ("c.parquet", "a.parquet", "b.parquet")]
    for number, path in enumerate(paths):
        pq.write_table(pa.table({"number": [number]}), path)
    assert rows_of(paths)["number"] == [0, 1, 2]


LISTS = [[1.0, 2.0], [3.0, 4.0]]
UNUSUAL = {
    "large_string": (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
    "large_binary": (pa.array([b"a", b"b"], pa.large_binary()), [b"a", b"b"]),
    "string_view": (pa.array(["a", "b"], pa.string_view()), ["a", "b"]),
    "binary_view": (pa.array([b"a", b"b"], pa.binary_view()), [b"a", b"b"]),
    "dictionary": (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    "dictionary_of_large": (pa.DictionaryArray.from_arrays([1, 0], pa.array(["b", "a"], pa.large_string())), ["a", "b"]),
    "large_list": (pa.array(LISTS, pa.large_list(pa.float32())), LISTS),
    "fixed_size_list": (pa.array(LISTS, pa.list_(pa.float32(), 2)), LISTS),
    "list_of_large_string": (pa.array([["a"], ["b"]], pa.list_(pa.large_string())), [["a"], ["b"]]),
}


@pytest.mark.filterwarnings("error")
def test_large_and_dictionary_columns_arrive_as_plain_ones(tmp_path) -> None:
    pq.write_table(pa.table({name: column for name, (column, _) in UNUSUAL.items()}), tmp_path / "unusual.parquet")
    assert rows_of([tmp_path / "unusual.parquet"]) == {name: values for name, (_, values) in UNUSUAL.items()}


def test_columns_are_picked_by_name_and_a_missing_one_raises(tmp_path) -> None:
    pq.write_table(pa.table({"number": [1], "other": [2], "third": [3]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"number": [4]}), tmp_path / "b.parquet")
    assert rows_of([tmp_path / "a.parquet"], schema_fields=["third", "number"]) == {"number": [1], "third": [3]}
    with pytest.raises(KeyError, match="b.parquet has no column other"):
        rows_of([tmp_path / "a.parquet", tmp_path / "b.parquet"], schema_fields=["number", "other"])


def doubled(frame):
    return frame.assign(number=frame.number * 2)


@pytest.mark.parametrize("pool", ["dummy", "process"])
def test_transform_runs_where_the_row_group_is_read(numbered, pool) -> None:
    assert sorted(rows_of([numbered], pool, transform_spec=TransformSpec(doubled))["number"]) == [2 * number for number in EVERY_ROW]


def test_column_of_several_chunks_becomes_one() -> None:
    table = pa.table({"a": pa.chunked_array([[1, 2, 3]]), "b": pa.chunked_array([["x"], ["y", "z"]])})
    joined = petastorm_compat.in_one_chunk(table)
    assert [column.num_chunks for column in joined.columns] == [1, 1]
    assert joined.equals(table)


def test_delta_files_of_spark_are_read_without_deleted_rows(spark, tmp_path) -> None:
    table = tmp_path / "my lake" / "samples"
    spark.range(20).selectExpr("id AS number", "concat('clip ', id) AS clip_id", "array(1.5D, id) AS box").coalesce(1).write.format("delta").save(str(table))
    spark.sql(f"DELETE FROM delta.`{table}` WHERE number < 5")
    files = [address.removeprefix("file:") for address in spark.read.format("delta").load(str(table)).inputFiles()]
    assert len(files) < len(list(table.glob("*.parquet")))
    rows = rows_of(files)
    assert rows["number"] == list(range(5, 20))
    assert rows["clip_id"] == [f"clip {number}" for number in range(5, 20)]
    assert rows["box"] == [[1.5, number] for number in range(5, 20)]


def test_delta_files_of_delta_rs_are_read_without_deleted_rows(tmp_path) -> None:
    from schemas.ledger import Ledger, now
    from schemas.place import Place

    lake = Ledger(Place(str(tmp_path / "my lake")))
    lake.create()
    for number in range(4):
        lake.append("settings", [{"key": f"key {number}", "value": str(number), "set_at": now()}])
    lake.open("settings").delete("value < '2' OR key NOT LIKE 'key %'")
    assert sorted(rows_of(lake.files("settings"), schema_fields=["key", "value"])["key"]) == ["key 2", "key 3"]


def test_folder_of_a_delta_table_is_refused(tmp_path) -> None:
    from deltalake import write_deltalake

    write_deltalake(str(tmp_path / "table"), pa.table({"number": [1]}))
    with pytest.raises(ValueError, match="give the list of files of one version"):
        make_batch_reader(file_url(tmp_path / "table"))


def test_folder_is_read_by_name_without_hidden_files(tmp_path) -> None:
    for number, name in enumerate(("b.parquet", "a.parquet", "_hidden.parquet", ".hidden.parquet")):
        pq.write_table(pa.table({"number": [number]}), tmp_path / name)
    with make_batch_reader(file_url(tmp_path), reader_pool_type="dummy", shuffle_row_groups=False) as reader:
        assert numbers(reader) == [1, 0]


def test_partition_folder_is_refused(tmp_path) -> None:
    (tmp_path / "language=de").mkdir()
    pq.write_table(pa.table({"number": [1]}), tmp_path / "language=de" / "a.parquet")
    with pytest.raises(ValueError, match="partition folder"):
        make_batch_reader(file_url(tmp_path))


def test_filters_are_refused(numbered) -> None:
    with pytest.raises(ValueError, match="filters"):
        read([numbered], filters=[("number", ">", 3)])


def test_other_file_systems_are_read_through_fsspec(numbered) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe("/bucket/numbers.parquet", numbered.read_bytes())
    with make_batch_reader(["memory://bucket/numbers.parquet"], reader_pool_type="dummy", shuffle_row_groups=False) as reader:
        assert numbers(reader) == EVERY_ROW


def test_hdfs_is_refused_in_one_sentence() -> None:
    with pytest.raises(UsageError, match="^hdfs:// cannot be read by the trainer: stage the files on a local disk first$"):
        make_batch_reader("hdfs://node/numbers.parquet")


@pytest.mark.parametrize("name", ["why?.parquet", "take#1.parquet", "two\nlines.parquet"])
def test_path_that_an_address_would_cut_is_refused(tmp_path, name) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        file_url(tmp_path / name)


def test_other_version_of_petastorm_is_refused_in_one_sentence(monkeypatch) -> None:
    monkeypatch.setattr(petastorm_compat.metadata, "version", lambda _name: "0.13.1")
    with pytest.raises(MissingError, match=r"^training needs petastorm 0\.12\.1 and found 0\.13\.1: pip install petastorm==0\.12\.1$"):
        petastorm_compat._check_version()


UNTOUCHED = """
import sys, types
import numpy, pandas, pyarrow, pyarrow.parquet, pyarrow.fs, pyarrow.dataset
def names():
    return {(module.__name__, name): id(value) for module in (numpy, pyarrow, pyarrow.lib, pyarrow.parquet)
            for name, value in vars(module).items() if not isinstance(value, types.ModuleType)}
before = names()
import training.petastorm_compat
assert names() == before, set(names().items()) ^ set(before.items())
assert "pyarrow.filesystem" not in sys.modules and not hasattr(pyarrow, "filesystem") and not hasattr(pyarrow, "localfs")
loaded = {name.split(".")[0] for name in sys.modules}
assert not loaded & {"pyspark", "torch", "tensorflow"}, loaded
print("untouched")
"""


def test_nothing_is_set_on_pyarrow_or_numpy() -> None:
    done = subprocess.run([sys.executable, "-c", UNTOUCHED], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.stdout == "untouched\n", done.stderr


def imported_names(path: Path) -> set[str]:
    """First parts of all module names that a file imports, by statement or by `import_module("...")`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names |= {word.value for word in node.args if isinstance(word, ast.Constant)}
    return {str(name).split(".")[0] for name in names}


def test_nothing_but_the_trainer_imports_petastorm() -> None:
    packages = ("schemas", "udfs", "training", "inference", "jobs", "cluster")
    found = {str(path.relative_to(REPOSITORY)) for package in packages for path in (REPOSITORY / package).rglob("*.py") if "petastorm" in imported_names(path)}
    assert "training/petastorm_compat.py" in found
    assert found <= {"training/petastorm_compat.py", "training/data.py"}
