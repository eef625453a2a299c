"""Which clips are never trained on: whole videos, a small share, the same in every run."""

from dataclasses import replace

import pytest

from training.held_out import split
from training.reading_plan import RowPlace
from training.snapshot import GONE, Snapshot


def snapshot(videos: dict[str, int], frames: int = 50) -> Snapshot:
    """So many clips of each video."""
    ids = tuple(f"{video}-{number:09d}-{number + 1:09d}" for video, clips in videos.items() for number in range(clips))
    places = tuple(RowPlace(0, 0, number) for number in range(len(ids)))
    return Snapshot("/lake", 1, ids, (frames,) * len(ids), (0,) * len(ids), (), places, 64, 25.0, 8)


def videos(part: Snapshot) -> set[str]:
    return {clip_id.rsplit("-", 2)[0] for clip_id in part.clip_ids}


def test_whole_videos_are_held_out_and_nothing_is_lost():
    whole = snapshot({f"a-{number}": 2 + number % 3 for number in range(40)})
    trained, held = split(whole, 8)
    assert 4 <= len(held) <= min(8, len(whole) // 20)
    assert videos(trained).isdisjoint(videos(held))
    assert sorted((*trained.clip_ids, *held.clip_ids)) == sorted(whole.clip_ids)
    for part in (trained, held):
        kept = dict(zip(whole.clip_ids, whole.places))
        assert part.places == tuple(kept[clip_id] for clip_id in part.clip_ids) and len(part.frames) == len(part.units) == len(part)


def test_the_same_videos_are_held_out_whatever_the_order_and_whatever_was_removed():
    names = [f"video{number}" for number in range(60)]
    one, other = (videos(split(snapshot(dict.fromkeys(order, 1)), 3)[1]) for order in (names, names[::-1]))
    assert one == other and len(one) == 3
    whole = snapshot(dict.fromkeys(names, 1))
    assert videos(split(replace(whole, places=(GONE,) * len(whole)), 3)[1]) == one


@pytest.mark.parametrize(("clips", "samples", "held_out"), [(19, 8, 0), (20, 8, 1), (100, 8, 5), (400, 8, 8), (400, 0, 0)])
def test_no_more_than_asked_for_and_no_more_than_a_twentieth(clips, samples, held_out):
    _, held = split(snapshot({f"video{number}": 1 for number in range(clips)}), samples)
    assert (0 if held is None else len(held)) == held_out


def test_videos_whose_clips_are_all_too_short_are_not_held_out():
    whole = snapshot({f"video{number}": 1 for number in range(100)})
    (first,) = videos(split(whole, 1, 40)[1])
    shortened = replace(whole, frames=tuple(10 if clip_id.startswith(f"{first}-") else 50 for clip_id in whole.clip_ids))
    (second,) = videos(split(shortened, 1, 40)[1])
    assert second != first
    assert split(snapshot({f"video{number}": 1 for number in range(100)}, frames=10), 1, 40)[1] is None
