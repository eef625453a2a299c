"""A whole trajectory of the original through the parts that generation is made of, in float64."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.on_disk import OnDisk
from inference.sound import tokens
from inference.video_conditions import VideoConditions
from tests.training.model.golden_cases import GENERATING, portrait
from tests.training.model.golden_model import given, golden_model
from training.model.conditions import Conditions
from training.model.context_windows import anchored_windows
from training.model.sampling import Guided, sampled, with_reference_keys
from training.model.vexpress import VExpress

GOLDENS = json.loads((Path(__file__).parents[1] / "training" / "model" / "golden_numbers.json").read_text())
NAME = "ddim/10f_two_windows_cfg3.5"


@pytest.fixture(scope="module")
def model() -> VExpress:
    """The golden model in float64."""
    return golden_model(torch.float64).requires_grad_(False)


@pytest.mark.parametrize(("together", "workers", "kept_bytes"), [(True, 1, 1 << 30), (False, 2, 0)])
def test_windows_drawn_key_points_and_sound_end_where_the_original_ends(model, together, workers, kept_bytes):
    spoken = tokens(model.audio_projection, OnDisk.holding(given("audio_encoder_out", 1, 37, 80)[0]), 10).tensor
    same = with_reference_keys(model.denoising_unet, Conditions(reference=portrait(model), **GENERATING))
    points = np.array(GOLDENS["points"], np.float32)[:10]
    of_video = VideoConditions(model.v_kps_guider, same, points, spoken, 128, 128, kept_bytes)
    predictors = [Guided(model.denoising_unet, of_video, 3.5, together=together)] * workers
    start = given("init_latents_10", 1, 4, 10, 16, 16).double()
    states = torch.stack([state.clone() for state in sampled(predictors, start, 4, anchored_windows(10, 6, 2))]).flatten()
    stored = GOLDENS["arrays"][NAME]
    picks = [states[index * len(states) // len(stored["picks"])].item() for index in range(len(stored["picks"]))]
    np.testing.assert_allclose(picks, stored["picks"], rtol=0, atol=stored["tolerance"])
