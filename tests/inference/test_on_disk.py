"""Numbers that lie in a file."""

import os

import pytest
import torch

from inference.on_disk import RESIDENT_BYTES, OnDisk
from schemas.codes import Rejected


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_it_begins_with_zeros_and_keeps_what_is_written_after_its_pages_were_let_go():
    kept = OnDisk((3, 5), torch.bfloat16)
    assert kept.tensor.shape == (3, 5) and not kept.tensor.any()
    kept.tensor[1] = 2.5
    kept.touched(RESIDENT_BYTES)
    assert kept.tensor[1].tolist() == [2.5] * 5 and kept.tensor[2].tolist() == [0.0] * 5
    assert OnDisk.holding(torch.arange(4)).tensor.tolist() == [0, 1, 2, 3]


def test_memory_does_not_grow_with_what_it_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path))
    kept, part = OnDisk((6 * RESIDENT_BYTES // 4,)), RESIDENT_BYTES // 16
    before, most = resident(), 0
    for number, piece in enumerate(kept.tensor.split(part)):
        piece.fill_(number)
        kept.touched(piece.nbytes)
        most = max(most, resident())
    assert most - before < 2 * RESIDENT_BYTES
    assert all(int(piece[-1]) == number for number, piece in enumerate(kept.tensor.split(part)))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_SCRATCH", str(tmp_path))
    with pytest.raises(Rejected, match="no room for .* MiB.*TALKVID_SCRATCH") as caught:
        OnDisk((1 << 50,))
    assert caught.value.code == "too_large"
