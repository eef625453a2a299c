"""The benchmark of training steps, as far as a machine without a GPU shows it."""

import sys

import pytest

from benchmarks import train_gpu


def test_without_diffusers_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    monkeypatch.setattr(sys, "argv", ["train_gpu"])
    with pytest.raises(SystemExit, match="needs diffusers, .* bring its wheel along and install it, or give --cached$"):
        train_gpu.main()


def test_steps_run_on_the_tiny_model(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train_gpu", "--cached", "--stages", "1"])
    monkeypatch.setattr(train_gpu, "WARM_UP", 0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    train_gpu.main()
    row = capsys.readouterr().out.splitlines()[-2]
    assert row.startswith("| 1 ") and " nan " in row
