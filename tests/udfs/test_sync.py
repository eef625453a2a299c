"""The scorer `sync`: which face it looks at, which sound it hears, and what it makes of both."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from schemas.codes import Rejected
from schemas.errors import MissingError
from schemas.scores import SYNC
from tests.udfs.nets.golden_rules import texture
from tests.udfs.nets.metrics_rules import gliding_tones, load_metric_weights
from tests.udfs.watching import clip_of
from udfs import weights
from udfs.nets.syncnet import session
from udfs.nets.syncnet.agreement import Agreement
from udfs.nets.syncnet.crop import cut, smoothed, square
from udfs.nets.syncnet.network import SyncNet
from udfs.registry import available_scorers, build, scorer_fingerprint
from udfs.scorer import Device, Reduced
from udfs.sync import Sync, SyncConfig
from udfs.sync_track import longest_track

NAMES = [column.name for column in SYNC]
NOTHING = dict.fromkeys(NAMES)
GOLDEN = {"confidence": 18.4472, "distance": 140.7052, "offset_frames": 15}
BOX = [30.0, 20.0, 90.0, 100.0]


@pytest.fixture(autouse=True)
def own_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))


@pytest.fixture
def shown(monkeypatch):
    """What the network is shown, in place of the network."""
    seen = []

    def judge(network: object, crops: np.ndarray, sound: np.ndarray) -> Agreement:
        seen.append((crops, sound))
        return Agreement(2, 7.0, 5.0)

    monkeypatch.setattr(session, "judge", judge)
    return seen


def made(**config: object) -> Sync:
    scorer = Sync(SyncConfig(**config))
    scorer._network = object()
    return scorer


def seen_at(*times_s: float, box: list[float] = BOX) -> list[dict]:
    return [{"time_s": time_s, "box": box} for time_s in times_s]


def view_of(scorer: Sync, frames: np.ndarray, faces: list[dict] | None, sound: np.ndarray, fps: float = 25.0) -> Reduced:
    times = [index / fps for index in range(len(frames))]
    clip = replace(clip_of(frames, times, len(frames) / fps), has_audio=sound.size > 0)
    head = None if faces is None else {"faces": faces, "backend": scorer.config.boxes}
    view = Reduced(clip, audio_16k=sound, head=head)
    for index in scorer.plan(clip, times):
        view.indices.append(index)
        view.times_s.append(times[index])
        view.frames.append(scorer.reduce(clip, frames[index], index))
    return view


def sound_of(seconds: float) -> np.ndarray:
    return gliding_tones(round(16000 * seconds)).astype(np.float32) / 32768


def test_values_of_golden_weights_change_only_with_the_version(tmp_path, monkeypatch):
    """The whole way: a checkpoint, JPEG, boxes, crop, sound."""
    monkeypatch.setattr(weights, "MANIFEST", tuple(replace(one, sha256=None) if one.name == "syncnet" else one for one in weights.MANIFEST))
    torch.save(load_metric_weights(SyncNet()).state_dict(), tmp_path / "some.model")
    weights.add(tmp_path / "some.model", "syncnet")
    scorer = build(["sync"], {"sync": SyncConfig(least_frames=20)})[0]
    scorer.setup(Device())
    faces = [{"time_s": 0.0, "box": BOX}, {"time_s": 1.0, "box": [36.0, 22.0, 96.0, 102.0]}]
    values = scorer.score([view_of(scorer, texture(28, 120, 140, 3), faces, sound_of(1.12))])[0]
    assert Sync.version == 2
    assert list(values) == NAMES
    assert values == pytest.approx(GOLDEN, abs=0.05)


def test_crops_follow_the_face_and_sound_begins_with_it(shown):
    frames, sound = texture(100, 120, 140, 4), sound_of(4)
    scorer = made(least_frames=10)
    assert scorer.score([view_of(scorer, frames, seen_at(2.0, 3.0), sound)]) == [{"confidence": 5.0, "distance": 7.0, "offset_frames": 2}]
    crops, heard = shown[0]
    assert len(crops) == 75
    np.testing.assert_array_equal(heard, gliding_tones(64000)[16000:])
    places = smoothed(np.tile(BOX, (75, 1)))
    expected = cut(frames[65][:, :, ::-1], square(*(values[40] for values in places)))
    assert np.abs(crops[40].astype(int) - expected).mean() < 3


def test_a_large_frame_is_kept_small_and_cropped_at_the_same_place(shown):
    small = texture(60, 120, 140, 5)
    large = small.repeat(2, 1).repeat(2, 2)
    for frames, box in ((small, BOX), (large, [2 * side for side in BOX])):
        scorer = made(side_px=120)
        view = view_of(scorer, frames, seen_at(0.0, 1.0, 2.0, box=box), sound_of(2.4))
        assert max(kept.nbytes for kept in view.frames) < small[0].nbytes
        scorer.score([view])
    assert np.abs(shown[0][0].astype(int) - shown[1][0]).mean() < 2


@pytest.mark.parametrize("fps", [15.0, 24.0, 50.0])
def test_other_frame_rates_are_shown_at_25_a_second(shown, fps):
    frames = np.zeros((round(3 * fps), 40, 40, 3), np.uint8) + np.arange(round(3 * fps), dtype=np.uint8)[:, None, None, None]
    scorer = made()
    view = view_of(scorer, frames, seen_at(0.0, 1.0, 2.0, box=[10.0, 10.0, 30.0, 30.0]), sound_of(3), fps)
    assert len(view.frames) <= 75
    scorer.score([view])
    middles = shown[0][0][20:60, 112, 112, 0]
    expected = np.rint(np.arange(20, 60) / 25 * fps)
    assert np.abs(middles - expected).max() <= 1.5


@pytest.mark.parametrize(("faces", "seconds"), [([], 3), (seen_at(0.0), 3), (seen_at(0.0, 1.0), 0)], ids=["no single face", "face too short", "no sound"])
def test_a_clip_that_cannot_be_judged_has_no_values(shown, faces, seconds):
    scorer = made()
    assert scorer.score([view_of(scorer, np.zeros((75, 30, 30, 3), np.uint8), faces, sound_of(seconds))]) == [NOTHING]
    assert not shown


def test_without_sound_no_frame_is_asked_for():
    frames = np.zeros((50, 30, 30, 3), np.uint8)
    assert made().plan(clip_of(frames, [], 2.0), [index / 25 for index in range(50)]) == []


def test_head_that_was_not_measured_is_a_failure_of_that_clip_alone(shown):
    scorer, frames = made(), np.zeros((75, 30, 30, 3), np.uint8)
    good, bare, other = (view_of(scorer, frames, faces, sound_of(3)) for faces in (seen_at(0.0, 1.0, 2.0), None, seen_at(0.0)))
    other.head["backend"] = "another"
    outcomes = scorer.score([bare, good, other])
    assert [type(outcome) for outcome in outcomes] == [Rejected, dict, Rejected]
    assert "score both together" in outcomes[0].detail and "another" in outcomes[2].detail


def test_long_clips_are_judged_from_their_start():
    times = [index / 25 for index in range(2000)]
    clip = replace(clip_of(np.zeros((2000, 4, 4, 3), np.uint8), times, 80.0), has_audio=True)
    assert Sync(SyncConfig(longest_s=10)).plan(clip, times) == list(range(250))


def test_boxes_are_linear_between_sightings_and_held_beyond():
    track = longest_track([*seen_at(1.0, box=[0.0, 0.0, 10.0, 10.0]), *seen_at(2.0, box=[10.0, 20.0, 20.0, 30.0])], 10.0)
    assert (track.first, len(track.boxes)) == (0, 75)
    assert track.boxes[0].tolist() == track.boxes[25].tolist() == [0, 0, 10, 10]
    assert track.boxes[30] == pytest.approx([2, 4, 12, 14])
    assert track.boxes[-1].tolist() == [10, 20, 20, 30]


def test_the_longest_stretch_without_a_gap_is_taken():
    track = longest_track(seen_at(9.0, 0.0, 1.0, 3.0, 4.0, 5.0), 20.0)
    assert (track.first, len(track.boxes)) == (50, 100)


def test_missing_weights_are_one_sentence():
    with pytest.raises(MissingError, match="weights fetch syncnet.*licence: unknown"):
        build(["sync"])
    assert "sync" in available_scorers()[1]


def test_face_boxes_of_another_kind_are_another_fingerprint(monkeypatch):
    monkeypatch.setattr(weights, "sha256", lambda name: "0" * 64)
    assert scorer_fingerprint(Sync()) == scorer_fingerprint(Sync(SyncConfig(boxes="centerface-dlib")))
    assert scorer_fingerprint(Sync()) != scorer_fingerprint(Sync(SyncConfig(boxes="insightface:buffalo_l")))
