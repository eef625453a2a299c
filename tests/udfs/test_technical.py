"""The scorer `technical` over pictures made here."""

import numpy as np
import pytest

from schemas.scores import STORED
from tests.udfs.watching import clip_of, watch
from udfs.scorer import Reduced
from udfs.technical import Technical, TechnicalConfig

GREY = np.full((120, 160, 3), 51, np.uint8)


def test_values_are_those_the_table_stores():
    assert set(watch(Technical(), [GREY] * 10)) == {field.name for field in STORED["technical"]}


def test_exposure_is_the_mean_and_contrast_the_median_over_frames():
    half = GREY.copy()
    half[:, :80] = 204
    values = watch(Technical(TechnicalConfig(frames_per_s=3, frames_max=3)), [GREY, half, half], times_s=[0.1, 0.5, 0.9])
    assert values["exposure"] == pytest.approx((0.2 + 0.5 + 0.5) / 3, abs=0.002)
    assert values["contrast"] == pytest.approx(0.6, abs=0.01)


def test_border_must_be_dark_in_every_frame_to_count():
    boxed, open_ = GREY.copy(), GREY.copy()
    boxed[:30] = 0
    both = Technical(TechnicalConfig(frames_per_s=2, frames_max=2))
    assert watch(both, [boxed, boxed], fps=2)["letterbox"] == pytest.approx(0.25)
    assert watch(both, [boxed, open_], fps=2)["letterbox"] == 0


def test_two_frames_a_second_are_looked_at_but_never_more_than_the_most():
    clip = clip_of([GREY], [0.0], 30.0)
    pts = [index / 25 for index in range(750)]
    assert len(Technical().plan(clip, pts)) == 40
    assert Technical(TechnicalConfig(frames_max=100)).plan(clip, pts)[:3] == [6, 19, 31]


def test_clip_without_a_frame_has_no_values():
    values = Technical().score([Reduced(clip_of([GREY], [0.0], 1.0))])[0]
    assert set(values.values()) == {None}


def test_black_clip_gives_numbers_not_nan():
    values = watch(Technical(), [np.zeros_like(GREY)] * 5)
    assert values == {"sharpness": 0, "noise": 0, "exposure": 0, "contrast": 0, "blockiness": 1, "letterbox": 1}


def test_clips_of_a_batch_do_not_see_each_other():
    scorer = Technical()
    bright = [np.full_like(GREY, 200)] * 5
    views = []
    for frames in ([GREY] * 5, bright):
        clip = clip_of(frames, [0.0], 0.2)
        views.append(Reduced(clip, [0], [0.0], [scorer.reduce(clip, frames[0], 0)]))
    assert scorer.score(views) == [scorer.score([view])[0] for view in views]
