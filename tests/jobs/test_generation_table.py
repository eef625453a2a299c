"""What a table of wishes may be, and what is said of one that is none."""

from pathlib import Path

import pytest

from jobs.generation_plan import requests
from jobs.generation_table import read_wishes
from schemas.errors import MissingError, UsageError


def csv_of(path: Path, *rows: str, columns: str = "reference_image_path,audio_path") -> str:
    """A table with these lines."""
    path.write_text("\n".join([columns, *rows, ""]))
    return str(path)


@pytest.mark.parametrize("cell", ["http://x/p.jpg", "x" * 300, "/" + "x" * 300, "a\0b", "~nosuch/x.jpg", "hdfs://"])
def test_a_cell_that_no_file_can_be_is_left_for_a_row_and_the_others_stay(tmp_path, cell):
    (tmp_path / "a.jpg").write_bytes(b"a")
    table = csv_of(tmp_path / "wishes.csv", f"{cell},b.wav", "a.jpg,b.wav")
    bad, good = requests(read_wishes(table), {}, "/out", "model")
    assert (bad.input_bytes, good.input_bytes) == (0, 1)


@pytest.mark.parametrize("seed", ["inf", "-inf", "1e400", "nan"])
def test_an_endless_number_is_no_whole_number(tmp_path, seed):
    table = csv_of(tmp_path / "wishes.csv", f"a.jpg,b.wav,{seed}", columns="reference_image_path,audio_path,seed")
    with pytest.raises(UsageError, match=f"row 2: seed is a whole number, not '{seed}'"):
        read_wishes(table)


def parquet_of(path: Path, **columns: list) -> str:
    """A Parquet file of these columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)
    return str(path)


@pytest.mark.parametrize("name", ["words.txt", "words.parquet", "words.csv", "folder", "folder.csv", "folder.parquet", "torn.parquet"])
def test_a_file_that_is_no_table_is_named_in_a_sentence(tmp_path, name):
    place = tmp_path / name
    if name.startswith("folder"):
        place.mkdir()
    elif name == "torn.parquet":
        whole = Path(parquet_of(tmp_path / "whole.parquet", reference_image_path=["a.jpg"], audio_path=["b.wav"])).read_bytes()
        place.write_bytes(whole[:20] + bytes(20) + whole[40:])
    else:
        place.write_bytes(b"a\xffb" if name == "words.csv" else b"only words")
    with pytest.raises(UsageError, match=name) as told:
        requests(read_wishes(str(place)), {}, "/out", "model")
    kind = "neither a .csv, .tsv or .parquet file nor a Delta table" if name in ("words.txt", "folder") else ""
    assert kind in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["gone.csv", "gone.parquet"])
def test_a_file_that_has_gone_is_missing(tmp_path, name):
    with pytest.raises(MissingError, match=f"{name}: there is no such file"):
        read_wishes(str(tmp_path / name))


@pytest.mark.parametrize("kind", ["csv", "parquet", "delta"])
def test_columns_and_paths_mean_the_same_in_every_kind_of_table(tmp_path, kind):
    from deltalake import write_deltalake

    def written(name: str, **columns: list) -> str:
        if kind == "csv":
            return csv_of(tmp_path / f"{name}.csv", *(",".join(row) for row in zip(*columns.values())), columns=",".join(columns))
        if kind == "parquet":
            return parquet_of(tmp_path / f"{name}.parquet", **columns)
        import pyarrow as pa

        write_deltalake(tmp_path / name, pa.table(columns))
        return str(tmp_path / name)

    (tmp_path / "a.jpg").write_bytes(b"a")
    (wish,) = read_wishes(written("good", reference_image_path=["a.jpg"], audio_path=["b.wav"]))
    assert wish.inputs["reference_image_path"] == str(tmp_path / "a.jpg")
    with pytest.raises(UsageError, match="no flag called 'num_inference_step'"):
        read_wishes(written("misspelled", reference_image_path=["a.jpg"], audio_path=["b.wav"], num_inference_step=["3"]))
    with pytest.raises(MissingError, match="no column audio_path"):
        read_wishes(written("lacking", reference_image_path=["a.jpg"]))
