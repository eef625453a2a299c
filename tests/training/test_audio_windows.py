"""The sound around each frame."""

import torch

from training.audio_windows import ROWS, frame_windows, stretched


def test_each_frame_gets_its_own_two_rows_and_those_of_two_frames_on_either_side() -> None:
    rows = torch.arange(40, dtype=torch.float32)[:, None].expand(-1, 3)
    window = frame_windows(rows, [7])[0, :, 0]
    assert ROWS == 10
    assert window.tolist() == [float(row) for row in range(2 * 5, 2 * 10)]


def test_before_and_after_the_clip_is_silence() -> None:
    rows = torch.ones(12, 3)
    first, last = frame_windows(rows, [0, 5])
    assert first[:, 0].tolist() == [0] * 4 + [1] * 6
    assert last[:, 0].tolist() == [1] * 6 + [0] * 4


def test_rows_that_are_already_two_per_frame_stay() -> None:
    rows = torch.randn(24, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(stretched(rows, 12), rows)


def test_rows_are_stretched_linearly_over_the_whole_clip() -> None:
    found = stretched(torch.tensor([[0.0], [1.0]]), 2)
    assert found[:, 0].tolist() == [0.0, 0.25, 0.75, 1.0]


def test_half_precision_features_stay_half() -> None:
    found = frame_windows(stretched(torch.ones(9, 4, dtype=torch.float16), 7), range(7))
    assert found.dtype == torch.float16
    assert found.shape == (7, 10, 4)
