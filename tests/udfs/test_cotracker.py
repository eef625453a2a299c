"""The scorer `cotracker`: ratios of points in sight."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from schemas.errors import MissingError
from tests.udfs.nets.golden_rules import texture, write_golden_checkpoint
from tests.udfs.watching import watch
from udfs import weights
from udfs.cotracker import CoTracker, CoTrackerConfig
from udfs.footage.tiny import tiny_video
from udfs.nets.cotracker3 import camera
from udfs.nets.cotracker3.camera import Motion, paper_motion, visible_ratio
from udfs.nets.cotracker3.network import CoTracker3, Tracks, track_offline
from udfs.nets.cotracker3.session import network_on
from udfs.nets.cotracker3.sizes import quarter, short_side
from udfs.registry import build
from udfs.scorer import Clip, Device
from udfs.scoring import Asked, score_clips


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A weights folder with a checkpoint of golden weights."""
    place = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALKVID_WEIGHTS", str(place / "installed"))
        weights.add(write_golden_checkpoint(CoTracker3(), place / "some.pth"))
    (place / "some.pth").unlink()
    return place / "installed"


@pytest.fixture
def installed(folder, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(folder))


def test_values_of_golden_weights_change_only_with_the_version(installed):
    """Three frames, two a second, portrait, odd sizes."""
    values = watch(CoTracker(CoTrackerConfig(points_per_side=5)), texture(3, 203, 121, 7), 2.0)
    assert CoTracker.version == 1
    assert values == {"cotracker_ratio": 73 / 75, "paper_ratio": None, "mean_displacement_px": None}


def test_ratio_is_the_same_with_the_backward_pass(installed, monkeypatch):
    """The second pass goes through the video from its end, and sees other points in sight; only what lies before the first frame is taken from it."""
    network, passes = network_on(weights.path("cotracker3_offline"), Device()), []

    def tracked(network, pyramid, queries):
        passes.append((queries[:, 0].unique().tolist(), track_offline(network, pyramid, queries)))
        return passes[-1][1]

    monkeypatch.setattr("udfs.nets.cotracker3.predictor.track_offline", tracked)
    frames = texture(2, 40, 60, 8)
    once, twice = (visible_ratio(network, frames, 4, backward=backward) for backward in (False, True))
    assert [starts for starts, _ in passes] == [[0.0], [0.0], [1.0]]
    forward, reverse = (tracks for _, tracks in passes[1:])
    assert not torch.allclose(forward.visibility, reverse.visibility.flip(0), atol=1e-3)
    assert once == twice
    assert 0.5 <= once <= 1.0
    assert once * 2 * 16 == int(once * 2 * 16)


def test_one_frame_is_in_sight_altogether(installed):
    assert watch(CoTracker(CoTrackerConfig(points_per_side=3)), texture(1, 64, 64, 9))["cotracker_ratio"] == 1.0


def test_clips_scored_together_have_the_values_of_each_alone(installed, tmp_path):
    video = str(tiny_video(tmp_path / "drift.mp4", seconds=3, size=(160, 120), kind="texture", audio=None, shots=2))
    scorer = CoTracker(CoTrackerConfig(points_per_side=4))
    scorer.setup(Device())
    asked = [Asked(Clip(name, "v", video, start, end, 160, 120, 25.0, False), ("cotracker",)) for name, start, end in (("a", 0.0, 0.1), ("b", 1.0, 1.6))]
    alone, together = ([row["cotracker"] for _, row in score_clips(asked, [scorer], clips_per_batch=size)] for size in (1, 2))
    assert alone == together
    assert alone[0]["cotracker_ratio"] != alone[1]["cotracker_ratio"]


NETWORK = SimpleNamespace(time_emb=torch.zeros(1), pyramid=lambda video: None)
"""In place of the network, where tracks are given."""


@pytest.fixture
def tracked(monkeypatch):
    """Gives the tracks (T, N, 2) and confidences (T, N) that are found; returns the list that gets the queries."""

    def give(xy, confidence):
        asked = []
        monkeypatch.setattr(
            camera, "track_offline", lambda network, pyramid, queries: asked.append(queries) or Tracks(xy, torch.ones(xy.shape[:2]), confidence)
        )
        return asked

    return give


def test_the_papers_measures_come_from_one_switch(installed, monkeypatch):
    monkeypatch.setattr("udfs.cotracker.PAPER_SIDE_PX", 256)
    monkeypatch.setattr("udfs.nets.cotracker3.camera.PAPER_POINTS_PER_SIDE", 3)
    values = watch(CoTracker(CoTrackerConfig(points_per_side=2, paper_windows=1)), texture(3, 64, 64, 10), 25.0)
    assert 0.0 <= values["paper_ratio"] <= 1.0
    assert values["mean_displacement_px"] > 0


CORNER = (911.0, 511.0)
"""The last pixel of frames of 912 x 512."""


@pytest.mark.parametrize(
    ("xy", "confidence", "ratio"),
    [
        ([(300, 200), (320, 200), (320, 220)], [0.5, 0.5, 0.5], 1.0),
        ([(300, 200), (320.01, 200), (320, 200)], [1, 1, 1], 0.0),
        ([(300, 200), (314.2, 214.2), (300, 200)], [1, 1, 1], 0.0),
        ([(300, 200), (310, 200), (320, 200)], [1, 1, 0.4999], 0.0),
        ([(300, 200), (310, 200), (320, 200)], [0.4999, 1, 1], 0.0),
        ([(0, 0), (10, 0), (0, 0)], [1, 1, 1], 1.0),
        ([(0, 0), (-0.01, 0), (0, 0)], [1, 1, 1], 0.0),
        ([CORNER, (900, 511), CORNER], [1, 1, 1], 1.0),
        ([(911, 511), (911, 511.01), (911, 511)], [1, 1, 1], 0.0),
        ([(911.01, 511), (911, 511), (911, 511)], [1, 1, 1], 0.0),
    ],
)
def test_a_trajectory_is_valid_up_to_the_papers_bounds(tracked, xy, confidence, ratio):
    """At least 0.5 sure, within the picture and at most 20 px further, in every frame."""
    tracked(torch.tensor(xy, dtype=torch.float32)[:, None], torch.tensor(confidence, dtype=torch.float32)[:, None])
    assert paper_motion(NETWORK, np.zeros((3, 512, 912, 3), np.uint8)).ratio == ratio


def test_the_papers_measures_of_known_tracks(tracked):
    """Three points of two steps: 3-4-5 and 6-8-10, twice 30 px, and none at all. The invalid one counts in the displacement."""
    xy = [[(100, 100), (200, 200), (50, 50)], [(103, 104), (230, 200), (50, 50)], [(109, 112), (260, 200), (50, 50)]]
    tracked(torch.tensor(xy, dtype=torch.float32), torch.ones(3, 3))
    assert paper_motion(NETWORK, np.zeros((3, 512, 912, 3), np.uint8)) == Motion(2 / 3, (5 + 10 + 30 + 30) / 6)


def test_one_frame_has_no_displacement(tracked):
    tracked(torch.full((1, 4, 2), 100.0), torch.ones(1, 4))
    assert paper_motion(NETWORK, np.zeros((1, 512, 912, 3), np.uint8)) == Motion(1.0, None)


def test_the_paper_asks_for_the_central_square(tracked):
    asked = tracked(torch.zeros(1, 256, 2), torch.ones(1, 256))
    paper_motion(NETWORK, np.zeros((1, 512, 912, 3), np.uint8))
    assert asked[0].shape == (256, 3)
    assert asked[0][[0, 1, 255]].tolist() == [[0, 335.5, 135.5], [0, 351.5, 135.5], [0, 575.5, 375.5]]


class Ratios:
    """In place of the network: how bright a segment is."""

    def __call__(self, network, frames, points_per_side):
        return float(frames.mean()) / 255


def test_the_worst_segment_counts(monkeypatch):
    monkeypatch.setattr("udfs.nets.cotracker3.camera.visible_ratio", Ratios())
    scorer = CoTracker()
    scorer._network, scorer.setup = object(), lambda device: None
    frames = np.full((200, 16, 16, 3), 200, np.uint8)
    frames[142:] = 50
    assert watch(scorer, frames, 10.0)["cotracker_ratio"] == pytest.approx(50 / 255, abs=0.01)


def test_missing_weights_are_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingError, match="scorer cotracker.*weights fetch cotracker3_offline.*non-commercial"):
        build(["cotracker"])


def test_a_quarter_is_rounded_down():
    assert quarter(np.zeros((1081, 1919, 3), np.uint8), antialias=True).shape == (270, 479, 3)
    assert quarter(np.full((3, 2, 3), 7, np.uint8), antialias=True).tolist() == [[[7, 7, 7]]]


def test_the_shorter_side_becomes_512():
    assert short_side(np.zeros((1080, 1920, 3), np.uint8), 512, 4).shape == (512, 912, 3)
    assert short_side(np.zeros((300, 200, 3), np.uint8), 512, 4).shape == (768, 512, 3)


def test_of_a_strip_the_papers_measures_see_the_middle():
    strip = np.zeros((32, 1920, 3), np.uint8)
    strip[:, 960 - 64 : 960 + 64] = 200
    seen = short_side(strip, 512, 4)
    assert seen.shape == (512, 2048, 3) and (seen == 200).all()
    assert short_side(strip.transpose(1, 0, 2), 512, 4).shape == (2048, 512, 3)
    assert short_side(strip, 512, 60).shape == (512, 30720, 3)
