"""SyncNet is the original network, from sound and face boxes to offset, distance and confidence."""

import numpy as np
import pytest
import torch

from schemas.errors import VerificationError
from tests.udfs.nets import syncnet_cases as cases
from tests.udfs.nets.golden_rules import Golden, texture
from tests.udfs.nets.metrics_rules import gliding_tones, load_metric_weights
from udfs import checkpoint
from udfs.nets import expected
from udfs.nets.syncnet import mfcc as front
from udfs.nets.syncnet.agreement import agreement, distance_table
from udfs.nets.syncnet.crop import BORDER, Square, cut, smoothed
from udfs.nets.syncnet.network import SyncNet, lip_embeddings
from udfs.nets.syncnet.session import judge, network_on, sixteen_bit
from udfs.scorer import Device


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden.of("metrics")


@pytest.fixture(scope="module")
def network() -> SyncNet:
    torch.set_num_threads(1)
    return load_metric_weights(SyncNet())


def outside(deviations) -> list:
    found = list(deviations)
    assert found
    return [deviation for deviation in found if not deviation.within]


def test_keys_and_shapes_are_those_of_the_official_checkpoint(network):
    state = {key: tuple(value.shape) for key, value in network.state_dict().items() if not key.endswith(checkpoint.COUNTER)}
    assert list(state) == list(expected.shapes("syncnet"))
    assert expected.differences("syncnet", state) == []
    assert sum(np.prod(shape) for shape in state.values()) == 13_640_256


@pytest.mark.parametrize("with_counters", [True, False])
def test_checkpoint_is_taken_with_counters_and_without(network, tmp_path, with_counters):
    state = {key: value for key, value in network.state_dict().items() if with_counters or not key.endswith(checkpoint.COUNTER)}
    file = tmp_path / "syncnet_v2.model"
    torch.save(state, file, _use_new_zipfile_serialization=False)
    loaded = network_on(file, Device())
    assert not loaded.training
    windows = torch.randn(2, 1, 13, 20, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(loaded.sound(windows), network.sound(windows))


def test_checkpoint_with_another_key_is_refused(network, tmp_path):
    state = {**network.state_dict(), "netfclip.4.bias": torch.zeros(1)}
    del state["netcnnlip.0.bias"]
    torch.save(state, tmp_path / "other.model")
    with pytest.raises(VerificationError, match=r"netcnnlip\.0\.bias is missing; netfclip\.4\.bias is not part of syncnet"):
        network_on(tmp_path / "other.model", Device())


def test_towers_are_the_original_networks(network, golden):
    assert outside(cases.tower_deviations(network, golden)) == []


def test_distances_offset_and_confidence_are_the_originals(network, golden):
    assert outside(cases.evaluation_deviations(network, golden)) == []


@pytest.mark.parametrize("of", [cases.front_end_deviations, cases.crop_deviations, cases.known_delay_deviations])
def test_front_end_crop_and_distances_are_the_originals(golden, of):
    assert outside(of(golden)) == []


def test_windows_do_not_depend_on_how_a_clip_is_cut_into_passes(network, monkeypatch):
    frames = texture(9, 224, 224, 3)
    whole = lip_embeddings(network, frames)
    monkeypatch.setattr("udfs.nets.syncnet.network.WINDOWS_AT_ONCE", 2)
    np.testing.assert_allclose(lip_embeddings(network, frames), whole, atol=5e-5)


def test_sound_of_another_scale_changes_only_coefficient_zero():
    sound = gliding_tones(4000)
    whole, quiet = front.mfcc(sound), front.mfcc(sound / 32768)
    np.testing.assert_allclose(quiet[:, 0] - whole[:, 0], -np.log(32768.0**2))
    np.testing.assert_allclose(quiet[:, 1:], whole[:, 1:], atol=1e-9)


def test_sound_that_comes_early_has_a_positive_offset():
    lips = np.random.default_rng(0).standard_normal((60, 16)).astype(np.float32)
    early = agreement(distance_table(lips, np.roll(lips, -4, axis=0)))
    assert early.offset_frames == 4
    assert early.confidence > 1


@pytest.mark.parametrize(("frames", "samples"), [(5, 16000), (25, 5 * 640 + 639), (0, 0)])
def test_less_than_six_frames_with_sound_have_no_score(network, frames, samples):
    assert judge(network, np.zeros((frames, 224, 224, 3), np.uint8), np.zeros(samples, np.int16)) is None


def test_six_frames_have_one_window(network):
    found = judge(network, texture(6, 224, 224, 3), gliding_tones(6 * 640))
    assert found is not None and np.isfinite(found.distance)


def test_square_outside_of_the_picture_is_grey():
    frame = np.zeros((50, 60, 3), np.uint8)
    assert (cut(frame, Square(60, 90, 0, 30)) == BORDER).all()
    half = cut(frame, Square(-28, 28, 0, 56))
    assert (half[:100] == BORDER).all() and (half[-100:] == 0).all()


def test_empty_square_is_an_error():
    with pytest.raises(ValueError, match="0x0 px"):
        cut(np.zeros((50, 60, 3), np.uint8), Square(3, 3, 5, 5))


def test_first_frame_of_a_track_takes_the_least_of_seven():
    sides = np.arange(40, 60, dtype=float)
    boxes = np.stack([np.zeros(20), np.zeros(20), np.ones(20), 2 * sides], 1)
    assert smoothed(boxes).half_side[0] == sides[:7].min()
    assert smoothed(boxes).half_side[10] == sides[10]


def test_too_few_rows_of_sound_are_an_error():
    with pytest.raises(ValueError, match="2 windows need 24 rows"):
        front.windows_of(np.zeros((23, 13)), 2)


def test_loud_sound_is_clipped_to_sixteen_bits():
    assert sixteen_bit(np.array([-2.0, -1.0, 0.0, 0.5, 1.0], np.float32)).tolist() == [-32768, -32768, 0, 16384, 32767]
