"""Transitions of real files, by each detector."""

import json

import numpy as np
import pytest

from tests.scenes import scenes
from udfs import media
from udfs.shots.find import every_frame, find_transitions
from udfs.shots.transnet_shots import LONG, SHORT, TransnetShots

USUAL = {"transnet": 0.5, "content": 27.0, "adaptive": 3.0, "histogram": 0.085}


@pytest.fixture(scope="module")
def cuts(tmp_path_factory):
    return scenes(tmp_path_factory.mktemp("cuts") / "cuts.mp4", [2, 2, 2])


@pytest.mark.parametrize("detector", USUAL)
def test_hard_cuts_are_found_to_the_frame_with_one_decode(cuts, detector):
    media.reset_decoder_starts()
    found = find_transitions(cuts, detector, USUAL[detector])
    assert [(transition.start_frame, transition.end_frame, transition.kind) for transition in found] == [(50, 50, "cut"), (100, 100, "cut")]
    assert media.decoder_starts() == 1


@pytest.mark.parametrize("detector", USUAL)
def test_video_without_cut_has_none(tmp_path, detector):
    assert find_transitions(scenes(tmp_path / "one.mp4", [2]), detector, USUAL[detector]) == []


@pytest.mark.parametrize("fade, fps", [("fade", 25), ("fadeblack", 25), ("dissolve", 50)])
def test_fade_is_found_with_its_extent(tmp_path, fade, fps):
    (found,) = find_transitions(scenes(tmp_path / "fade.mp4", [3, 3], fade_s=1.0, fade=fade, fps=fps), "transnet", 0.5)
    assert found.kind == "gradual"
    assert found.start_frame <= 2 * fps + 3 and found.end_frame >= 3 * fps - 3
    assert found.start_frame >= 1.5 * fps and found.end_frame <= 3.7 * fps


def test_network_is_not_called_without_candidates():
    def never():
        raise AssertionError("the network was loaded")

    shots = TransnetShots(never, frames=80, rate=25.0)
    for _ in range(80):
        shots.feed(np.full((27, 48, 3), 90, np.uint8))
    assert shots.finish() == []


def test_network_is_asked_in_batches_of_one_shape():
    shapes = []

    def network(windows):
        shapes.append(windows.shape)
        return np.zeros(windows.shape[:2], np.float32), np.zeros(windows.shape[:2], np.float32)

    shots = TransnetShots(lambda: network, frames=600, rate=25.0, batch=4)
    for number in range(600):
        shots.feed(np.full((27, 48, 3), 200 if number // 60 % 2 else 20, np.uint8))
    assert shots.finish() == []
    assert {shape[0] for shape in shapes} == {4} and {shape[1] for shape in shapes} <= {SHORT, LONG}


def test_many_close_candidates_share_a_long_window():
    lengths = []

    def network(windows):
        lengths.append(windows.shape[1])
        return np.zeros(windows.shape[:2], np.float32), np.zeros(windows.shape[:2], np.float32)

    shots = TransnetShots(lambda: network, frames=300, rate=25.0)
    for number in range(300):
        shots.feed(np.full((27, 48, 3), 200 if number % 8 < 4 and number > 100 else 20, np.uint8))
    shots.finish()
    assert len(lengths) <= 6


def test_one_frame_for_each_time_even_where_the_decoder_lost_some(cuts, monkeypatch):
    times_s = media.frame_times(cuts)
    whole = list(every_frame(cuts, times_s, 48, 27))
    decoded = list(media.small_frames(cuts, 48, 27))
    monkeypatch.setattr(media, "small_frames", lambda *_: iter(decoded[2:50] + decoded[53:-1]))
    patched = list(every_frame(cuts, times_s, 48, 27))
    assert len(patched) == len(whole) == len(times_s)
    assert np.array_equal(patched[0], whole[2]) and np.array_equal(patched[51], whole[49]) and np.array_equal(patched[-1], whole[-2])
    assert all(np.array_equal(patched[number], whole[number]) for number in (2, 49, 53, 100))


@pytest.mark.corpus
def test_all_cuts_of_a_real_panel_and_no_others(corpus):
    shots = json.loads((corpus / "ground_truth_shots.json").read_text())["panel_b.mp4"]["shots"]
    found = find_transitions(corpus / "panel_b.mp4", "transnet", 0.5)
    assert [transition.start_frame for transition in found] == [shot["start_frame"] for shot in shots[1:]]
