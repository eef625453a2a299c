import numpy as np
import pytest

from training.order import OrderSettings, SampleOrder
from training.reading_plan import RowPlace, reading_plan

UNITS = np.repeat(np.arange(60), 20)


def order(batch: int = 4, units=UNITS, **others) -> SampleOrder:
    return SampleOrder(units, OrderSettings(7, batch, **others))


@pytest.mark.parametrize("count", [1, 2, 7, 1200])
def test_each_epoch_has_each_clip_once_whatever_the_batch(count) -> None:
    for batch in (1, 3, 16):
        clips = order(batch, UNITS[:count]).clips(0, 3 * count)
        assert all(sorted(clips[start : start + count]) == list(range(count)) for start in range(0, 3 * count, count))


def test_order_is_another_in_every_epoch_and_for_every_seed() -> None:
    first, second = order().epoch_order(0), order().epoch_order(1)
    assert np.mean(first == second) < 0.01
    assert np.mean(first == SampleOrder(UNITS, OrderSettings(8, 4)).epoch_order(0)) < 0.01


def test_samples_are_the_same_wherever_one_begins_to_ask() -> None:
    whole = order().clips(0, 5000)
    for first, count in ((1, 9), (1195, 12), (3601, 1300)):
        assert np.array_equal(order().clips(first, count), whole[first : first + count])


def test_clips_of_a_batch_come_from_as_many_row_groups() -> None:
    clips = order(8).epoch_order(0).reshape(-1, 8)
    assert np.mean([len(set(UNITS[batch])) for batch in clips]) > 7


def test_lanes_read_few_row_groups_twice() -> None:
    clips, settings = order(4).epoch_order(0), OrderSettings(7, 4)
    lanes = [set(UNITS[clips[lane :: settings.lanes]]) for lane in range(settings.lanes)]
    assert sum(map(len, lanes)) <= 60 + settings.lanes


def test_mixing_within_a_lane_reaches_over_the_window() -> None:
    settings = OrderSettings(7, 1, lanes_per_slot=1, window=3)
    units = UNITS[SampleOrder(UNITS, settings).epoch_order(0)]
    turns = np.count_nonzero(np.diff(units))
    assert turns > 600, "neighbours are mostly of different row groups"
    spans = [np.ptp(np.flatnonzero(units == unit)) for unit in range(60)]
    assert max(spans) <= 20 * (3 + 1)


def test_no_clips_cannot_be_ordered() -> None:
    with pytest.raises(ValueError, match="no clips"):
        order(4, UNITS[:0])


def test_row_groups_are_opened_once_in_the_order_in_which_they_are_needed() -> None:
    places = [RowPlace(0, group, row) for row in range(3) for group in (2, 0)]
    plan = reading_plan(places, horizon=6)
    assert [(reading.at, reading.row_group, reading.rows) for reading in plan] == [(0, 2, (0, 1, 2)), (1, 0, (0, 1, 2))]


def test_rows_beyond_the_horizon_are_read_again() -> None:
    places = [RowPlace(0, group, row) for row in range(3) for group in (2, 0)]
    plan = reading_plan(places, horizon=3)
    assert [reading.at for reading in plan] == [0, 1, 4, 5]
    assert [reading.rows for reading in plan] == [(0, 1), (0, 1), (2,), (2,)]
