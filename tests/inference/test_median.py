"""The median over time and place: the original's numbers, three frames at a time."""

import numpy as np
import torch

from inference.median import smoothed
from tests.training.model.golden_model import given


def video() -> torch.Tensor:
    return torch.clamp(0.25 * given("median_video", 3, 5, 10, 12) + 0.5, 0, 1)


def picked(values: torch.Tensor, count: int = 48) -> list[float]:
    return [values.flatten()[index * values.numel() // count].item() for index in range(count)]


def test_it_gives_the_original_numbers(numbers):
    np.testing.assert_allclose(picked(torch.stack(list(smoothed(video().unbind(1))), dim=1)), numbers["median"], atol=2e-6)


def test_bytes_may_be_cut_before_instead_of_after(numbers):
    smooth = torch.stack(list(smoothed((video() * 255).to(torch.uint8).unbind(1)))).permute(0, 2, 3, 1)
    assert picked(smooth) == numbers["bytes"]


def test_it_holds_three_frames_and_keeps_their_number():
    for frames in (1, 2, 3, 7):
        taken = given_out = 0

        def counted(frames=frames):
            nonlocal taken
            for index in range(frames):
                taken += 1
                yield torch.full((3, 4, 4), index, dtype=torch.uint8)

        for frame in smoothed(counted()):
            assert taken - given_out <= 2
            assert frame.shape == (3, 4, 4)
            given_out += 1
        assert given_out == frames
