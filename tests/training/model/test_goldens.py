"""Numbers of the original networks (vexpress.md §14), in float64; `benchmarks/vexpress_goldens.py` compares all of them, in float32 too."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests.training.model import golden_cases as cases
from tests.training.model.golden_model import golden_model
from training.model.vexpress import VExpress

PICKS = 48


def compare(produced: Iterator[cases.Case], numbers: dict) -> int:
    compared = 0
    for name, tensor in produced:
        stored = numbers["arrays"].get(name)
        if stored is None:
            continue
        assert list(tensor.shape) == stored["shape"], name
        flat = tensor.flatten()
        picks = [flat[index * len(flat) // min(PICKS, len(flat))].item() for index in range(min(PICKS, len(flat)))]
        np.testing.assert_allclose(picks, stored["picks"], rtol=0, atol=stored["tolerance"], err_msg=name)
        compared += 1
    return compared


def test_reference_net_gives_the_original_banks(model64: VExpress, numbers: dict) -> None:
    assert compare(cases.portrait_cases(model64), numbers) == 4


def test_guider_and_audio_projection_give_the_original_features(model64: VExpress, numbers: dict) -> None:
    points = np.array(numbers["points"], np.float32)
    assert compare(cases.small_network_cases(model64, points), numbers) == 4
    assert compare(cases.full_projection_case(torch.float64), numbers) == 1


def test_motion_modules_move_frames_as_the_original_ones(model64: VExpress, numbers: dict) -> None:
    assert compare(cases.motion_cases(model64), numbers) == 3


def test_denoising_unet_predicts_the_original_v(model64: VExpress, numbers: dict) -> None:
    assert compare(cases.denoising_cases(model64), numbers) == 6


def test_every_module_on_the_way_gives_what_the_original_one_gives(model64: VExpress, numbers: dict) -> None:
    assert compare(cases.trace_case(model64, numbers["trace_names"]), numbers) == 1


def test_sampling_ends_where_the_original_ends(model64: VExpress, numbers: dict) -> None:
    assert compare(cases.sampling_cases(model64, np.array(numbers["points"], np.float32)), numbers) == 3


@pytest.mark.parametrize(
    ("name", "checkpointing"),
    [("stage1_cond", False), ("stage2_uncond", True), ("stage2_later_cond", True), ("stage3_uncond_t999", False)],
)
def test_training_step_has_the_original_loss_and_gradients(name: str, checkpointing: bool, numbers: dict) -> None:
    stored = numbers["runs"][name]
    points = np.array(numbers["points"], np.float32)
    run = cases.training_run(golden_model(torch.float64), stored, points, numbers["groups"], checkpointing=checkpointing)
    assert run.loss == pytest.approx(stored["loss"], rel=2e-6)
    assert run.per_sample == pytest.approx(stored["per_sample_unweighted"], rel=2e-6)
    assert run.grad_norms["total"] == pytest.approx(stored["total_grad_norm"], rel=2e-5)
    for group, (tensors, without, norm) in stored["groups"].items():
        assert run.tensors[group] == (tensors, without), group
        assert run.grad_norms[group] == pytest.approx(norm, rel=2e-5), group
