"""Guidance in one batch or two, windows shared out to several workers: the numbers stay."""

import pytest
import torch

from tests.training.model.golden_cases import DenoisingInputs
from training.model.sampling import Guided, initial_noise, sampled, with_reference_keys
from training.model.vexpress import VExpress

WINDOWS = [[0, 1, 2], [1, 2, 3], [3, 4, 5]]


def guided(model: VExpress, *, together: bool) -> Guided:
    conditions = with_reference_keys(model.denoising_unet, DenoisingInputs.of(model).conditions)
    return Guided(model.denoising_unet, conditions, 3.5, together=together)


def test_both_passes_in_one_batch_predict_what_they_predict_one_after_the_other(model64: VExpress) -> None:
    latents = initial_noise((2, 4, 6, 16, 16), 1).double()
    apart, together = (guided(model64, together=together)(latents, 500, range(6)) for together in (False, True))
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-10)


def test_windows_shared_out_to_two_workers_give_the_same_bits(model32: VExpress) -> None:
    predictor = guided(model32, together=False)
    one, two = ([*sampled([predictor] * workers, initial_noise((2, 4, 6, 16, 16), 2), 2, WINDOWS)][-1] for workers in (1, 2))
    assert torch.equal(one, two)


def test_a_frame_in_no_window_is_refused() -> None:
    with pytest.raises(ValueError, match="frame 5 of 6 is in no window"):
        next(sampled([lambda latents, timestep, window: latents], torch.zeros(1, 4, 6, 8, 8), 1, WINDOWS[:2] + [[4, 3]]))
