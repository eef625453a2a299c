"""What a table of wishes may be, and what is said of one that is none."""

from pathlib import Path

import pytest

from jobs.generation_plan import requests
from jobs.generation_table import read_wishes
from schemas.errors import UsageError


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
