"""Windows of frames, lengths, and sampling through them."""

import pytest
import torch

from tests.training.model.golden_cases import DenoisingInputs
from training.model.context_windows import anchored_windows, video_length, windows
from training.model.sampling import denoised
from training.model.vexpress import VExpress


def test_windows_are_the_original_ones(numbers: dict) -> None:
    for frames, wanted in numbers["context_windows"].items():
        assert windows(int(frames)) == wanted


def test_lengths_are_the_original_ones_and_too_short_a_sound_is_refused(numbers: dict) -> None:
    for duration_s, fps, frames, output_fps in numbers["lengths"]:
        if frames is None:
            with pytest.raises(ValueError, match="fewer than one window"):
                video_length(duration_s, fps)
        else:
            assert video_length(duration_s, fps) == (frames, output_fps)


def test_a_length_fills_its_windows_without_mirroring() -> None:
    for tenths in range(8, 320, 7):
        frames, _ = video_length(tenths / 10, 30.0)
        assert all(len(set(window)) == 24 for window in windows(frames))
        assert {frame for window in windows(frames) for frame in window} == set(range(frames))


def test_windows_that_see_a_frame_twice_are_refused(model32: VExpress) -> None:
    nothing = DenoisingInputs.of(model32).conditions.nothing()
    with pytest.raises(ValueError, match="do not fill whole windows"):
        next(denoised(model32.denoising_unet, torch.zeros(1, 4, 25, 8, 8), nothing))


def test_half_precision_latents_are_carried_in_single(model32: VExpress) -> None:
    nothing = DenoisingInputs.of(model32).conditions.nothing()
    last = list(denoised(model32.denoising_unet, torch.zeros(1, 4, 2, 8, 8, dtype=torch.float16), nothing, steps=1, guidance=1.0))[-1]
    assert last.dtype == torch.float32


def test_anchored_windows_are_whole_and_leave_no_frame_out() -> None:
    for frames in range(1, 130):
        for size, overlap in ((24, 4), (16, 0), (7, 6)):
            chosen = anchored_windows(frames, size, overlap)
            assert {frame for window in chosen for frame in window} == set(range(frames))
            assert all(window == list(range(window[0], window[0] + min(size, frames))) for window in chosen)
            assert chosen[-1][-1] == frames - 1
            assert all(later[0] > earlier[0] for earlier, later in zip(chosen, chosen[1:]))


def test_anchored_windows_are_the_original_ones_where_those_fit() -> None:
    for tenths in range(8, 320, 7):
        frames, _ = video_length(tenths / 10, 30.0)
        assert anchored_windows(frames) == windows(frames)
