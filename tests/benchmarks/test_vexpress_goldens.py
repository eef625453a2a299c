"""What the table of golden numbers takes for out of tolerance."""

import math

import numpy as np
import pytest

from benchmarks import vexpress_goldens
from benchmarks.vexpress_goldens import Goldens, Row

NAN = math.nan


@pytest.mark.parametrize("rows", [[Row("a", 1e-3, NAN)], [Row("a", 1e-3, 0.0), Row("b", 0.0, NAN)], [Row("a", 1e-3, NAN), Row("b", 1e-3, 0.0)]])
def test_a_number_that_is_none_is_out_of_tolerance(rows, capsys):
    assert vexpress_goldens._print(iter(rows), "float32") == math.inf
    assert capsys.readouterr().out.count("OUT OF TOLERANCE") == 1


def test_an_array_with_a_number_that_is_none_is_infinitely_far(tmp_path):
    np.savez(tmp_path / "vexpress_golden.npz", a=np.zeros(2, np.float32))
    (tmp_path / "vexpress_golden.json").write_text('{"arrays": {"a": {"abs_tol_float32": 1e-3}}}')
    assert Goldens(tmp_path).row("a", np.array([0.0, NAN]), "float32").deviation == math.inf
