from functools import partial

import numpy as np
import pytest
import torch

from tests.udfs.nets import cotracker3_cases as cases
from tests.udfs.nets.golden_rules import Golden, load_golden_weights
from udfs.nets import expected
from udfs.nets.cotracker3.network import CoTracker3, track_offline
from udfs.nets.cotracker3.online import Stream, track_online
from udfs.nets.cotracker3.predictor import grid, predict_grid
from udfs.nets.linear import use_dtype


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden.of("cotracker3")


@pytest.fixture(scope="module")
def offline() -> CoTracker3:
    torch.set_num_threads(1)
    return load_golden_weights(CoTracker3())


@pytest.fixture(scope="module")
def online() -> CoTracker3:
    return load_golden_weights(CoTracker3(time_frames=16))


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    return torch.rand(4, 3, 96, 128, generator=torch.Generator().manual_seed(0)) * 255


@pytest.mark.parametrize(("checkpoint", "frames"), [("cotracker3_offline", 60), ("cotracker3_online", 16)])
def test_keys_and_shapes_are_those_of_the_official_checkpoint(checkpoint, frames):
    state = CoTracker3(frames).state_dict()
    assert sorted(state) == sorted(expected.shapes(checkpoint))
    assert expected.differences(checkpoint, {key: tuple(value.shape) for key, value in state.items()}) == []


def test_what_no_golden_number_tells_apart_is_the_originals(offline):
    """Norms with parameters have another epsilon than those without; the time embedding is worked out in float64."""
    assert {module.eps for name, module in offline.named_modules() if name.endswith("norm_context")} == {1e-5}
    frequency = 10000.0 ** (-np.arange(555) / 555)
    angle = np.arange(60)[:, None] * frequency
    np.testing.assert_allclose(offline.time_emb[0].numpy(), np.concatenate([np.sin(angle), np.cos(angle)], axis=1), rtol=0, atol=6e-8)


def assert_within(found):
    found = list(found)
    assert found
    assert [deviation for deviation in found if not deviation.within] == []


def test_tracks_and_every_inner_tensor_are_the_original_networks(offline, golden):
    found = list(cases.inner_deviations(offline, golden))
    assert len({deviation.name for deviation in found}) == 5 * len([name for name in golden.arrays if name.endswith(".pick")]) + 2 + 3
    assert [deviation for deviation in found if not deviation.within] == []


@pytest.mark.parametrize("case", ["off.iters1", "off2"])
def test_offline_tracks_are_the_original_networks(offline, golden, case):
    assert_within(cases.offline_deviations(offline, golden, case))


def test_online_tracks_are_the_original_networks(online, golden):
    assert_within(cases.stream_deviations(online, golden, "on.stream_grid"))


def test_predictor_with_queries_and_a_backward_pass_is_the_originals(offline, golden):
    assert_within(cases.prediction_deviations(offline, golden, "pred.q_bwd"))


def test_points_in_tiles_equal_points_at_once(offline, video):
    points = grid(5, (96, 128))
    with torch.inference_mode():
        pyramid = offline.pyramid(video)
        offline.points_at_once = 1000
        whole = track_offline(offline, pyramid, points)
        offline.points_at_once = 7
        tiled = track_offline(offline, pyramid, points)
        offline.points_at_once = None
    torch.testing.assert_close(tiled.xy, whole.xy, atol=1e-4, rtol=0)
    torch.testing.assert_close(tiled.visibility, whole.visibility, atol=1e-4, rtol=0)
    torch.testing.assert_close(tiled.confidence, whole.confidence, atol=1e-4, rtol=0)


@pytest.mark.parametrize("frame", [0, 2])
def test_backward_pass_changes_what_lies_before_the_points_frame_and_nothing_else(offline, video, monkeypatch, frame):
    """Nothing at all for points of the first frame, although both passes are made."""
    passes = []

    def tracked(network, pyramid, queries):
        passes.append(track_offline(network, pyramid, queries))
        return passes[-1]

    monkeypatch.setattr("udfs.nets.cotracker3.predictor.NETWORK_SIZE", (96, 128))
    monkeypatch.setattr("udfs.nets.cotracker3.predictor.grid", partial(grid, size=(96, 128)))
    monkeypatch.setattr("udfs.nets.cotracker3.predictor.fitted", lambda frames: frames)
    monkeypatch.setattr("udfs.nets.cotracker3.predictor.track_offline", tracked)
    forward, both = (predict_grid(offline, video, 4, frame=frame, backward=backward) for backward in (False, True))
    assert len(passes) == 1 + 2
    reverse = passes[2].xy.flip(0)
    assert not torch.allclose(reverse, passes[1].xy, atol=1e-2)
    assert torch.equal(forward.visible[frame:], both.visible[frame:])
    assert torch.equal(forward.xy[frame:], both.xy[frame:])
    assert [torch.equal(*pair) for pair in zip(forward.xy[:frame], both.xy[:frame])] == [False] * frame


def test_one_frame_can_be_tracked(offline, video):
    with torch.inference_mode():
        tracks = track_offline(offline, offline.pyramid(video[:1]), grid(2, (96, 128)))
    assert tracks.xy.shape == (1, 4, 2)
    assert tracks.xy.isfinite().all()


def test_a_short_video_is_one_window(online, video, monkeypatch):
    monkeypatch.setattr("udfs.nets.cotracker3.online.ITERATIONS", 1)
    with torch.inference_mode():
        tracks = track_online(online, video, grid(2, (96, 128)))
    assert tracks.xy.shape == (4, 4, 2)
    assert (tracks.visibility != 0.5).all()


def test_a_later_chunk_without_new_frames_is_refused(online, video):
    stream = Stream(online, grid(2, (96, 128)))
    stream.start = 8
    with pytest.raises(ValueError, match="chunk of 4 frames"):
        stream.advance(video)


def test_a_point_of_the_middle_frame_is_new_in_the_window_that_follows(online, video, monkeypatch):
    """The edges of the windows: frame 15 belongs to the first window, frame 16 is first seen in the second one and rests there."""
    monkeypatch.setattr("udfs.nets.cotracker3.online.ITERATIONS", 1)
    stream = Stream(online, torch.tensor([[15.0, 30.0, 40.0], [16.0, 30.0, 40.0], [24.0, 30.0, 40.0]]))
    frames = video.repeat(6, 1, 1, 1)
    with torch.inference_mode():
        stream.advance(frames[:16])
        assert [bool((support != 0).any()) for support in stream._support[0]] == [True, False, False]
        guess = stream._first_guess(stream.queries[:, 0] - 8)
        stream.advance(frames[8:24])
        assert [bool((support != 0).any()) for support in stream._support[0]] == [True, True, False]
    assert [bool((xy == torch.tensor([7.5, 10.0])).all()) for xy in guess.xy] == [False, True, True]
    assert (guess.visibility[1:] == 0).all()
    assert (guess.xy[0, 8:] == guess.xy[0, 7]).all()


def test_bfloat16_stays_near_float32(offline, video):
    half = use_dtype(load_golden_weights(CoTracker3()), torch.bfloat16)
    points = grid(4, (96, 128))
    with torch.inference_mode():
        exact = track_offline(offline, offline.pyramid(video), points)
        rough = track_offline(half, half.pyramid(video), points)
    assert (rough.visibility - exact.visibility).abs().mean() < 0.02
    assert (rough.xy - exact.xy).norm(dim=-1).mean() < 0.5
